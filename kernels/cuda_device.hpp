#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "device/device.hpp"

struct CUstream_st;

namespace incipit::device {

namespace cuda {
struct Call;
class Memory;
class Products;
class Solver;
}  // namespace cuda

/// One NVIDIA GPU. Operations are queued on one stream and run behind the program; each one's code is in the
/// file of its name in this folder.
///
/// The environment's INCIPIT_CUDA_WAIT=1 waits for each kernel, so that an error names the operation it
/// belongs to.
class CudaDevice : public Device {
 public:
  /// Error(machine) where there is no such device, or its driver is older than the runtime.
  explicit CudaDevice(int ordinal);
  ~CudaDevice() override;

  [[nodiscard]] Kind kind() const override { return Kind::cuda; }
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] std::string libraries() const override;
  [[nodiscard]] std::string identity() const override { return identity_; }
  [[nodiscard]] std::optional<std::size_t> free_memory() const override;
  /// A cudaStream_t: where operations are queued, for whoever times them or queues work between them.
  [[nodiscard]] CUstream_st* stream() const;
  [[nodiscard]] std::vector<std::string> choices() const override;

  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  /// From the thread that made the device: in order with the operations. From another: only after what was
  /// allocated before, so memory that operations used must be synchronised with first.
  void upload(void* to, const void* host, std::size_t bytes) override;
  [[nodiscard]] std::int64_t upload_numbers(const NumberUpload&) override;
  void download(void* host, const void* from, std::size_t bytes) override;
  void zero(void* memory, std::size_t bytes) override;
  void synchronize() override;

  void matmul(const MatrixProduct<float>&) override;
  void matmul(const MatrixProduct<double>&) override;
  void matmul(const MatrixProduct<Float16>&) override;
  void matmul(const MatrixProduct<Float16, float>&) override;
  void matmul(const MatrixProduct<BFloat16>&) override;
  void matmul(const MatrixProduct<BFloat16, float>&) override;

  void gather_rows(const GatherRows&) override;
  void double_layer_norm(const DoubleLayerNorm<float>&) override;
  void double_layer_norm(const DoubleLayerNorm<Float16>&) override;
  void double_layer_norm(const DoubleLayerNorm<BFloat16>&) override;
  void rotary_split(const RotarySplit<float>&) override;
  void rotary_split(const RotarySplit<Float16>&) override;
  void rotary_split(const RotarySplit<BFloat16>&) override;
  void attention(const Attention<float>&) override;
  void attention(const Attention<Float16>&) override;
  void attention(const Attention<BFloat16>&) override;
  void bias_activation(const BiasActivation<float>&) override;
  void bias_activation(const BiasActivation<Float16>&) override;
  void bias_activation(const BiasActivation<BFloat16>&) override;
  void add_bias(const AddBias&) override;
  void count_nonfinite(const CountNonfinite&) override;
  void next_token_loss(const NextTokenLoss&) override;

  // The sentence encoders' own.
  void embed_tokens(const EmbedTokens&) override;
  void full_attention(const FullAttention&) override;
  void pool_rows(const PoolRows&) override;

  // The sparse autoencoder.
  void gather_centred(const GatherCentred<float>&) override;
  void gather_centred(const GatherCentred<double>&) override;
  void encode_top_k(const EncodeTopK<float>&) override;
  void encode_top_k(const EncodeTopK<double>&) override;
  void sae_decode(const SaeDecode<float>&) override;
  void sae_decode(const SaeDecode<double>&) override;
  void sae_gradient(const SaeGradient<float>&) override;
  void sae_gradient(const SaeGradient<double>&) override;
  void sae_auxiliary(const SaeAuxiliary<float>&) override;
  void sae_auxiliary(const SaeAuxiliary<double>&) override;
  void sae_adam(const SaeAdam<float>&) override;
  void sae_adam(const SaeAdam<double>&) override;
  void sae_idle(const SaeIdle<float>&) override;
  void sae_idle(const SaeIdle<double>&) override;
  void sae_dead(const SaeDead&) override;
  void sae_loss(const SaeLoss&) override;

  // Statistics.
  void draw_bootstrap(const DrawBootstrap&) override;
  void draw_permutations(const DrawPermutations&) override;
  void latent_histogram(const LatentHistogram&) override;
  void activation_sum(const ActivationSum&) override;
  void set_maximum(const SetMaximum&) override;
  void latent_groups(const LatentGroups&) override;
  void resample_counts(const ResampleCounts&) override;
  void resample_latents(const ResampleLatents&) override;
  void rank_scores(const RankScores<float>&) override;
  void rank_scores(const RankScores<double>&) override;
  void resample_auc(const ResampleAuc&) override;

  // The alignment of sites.
  void cross_covariance(const CrossCovariance<float>&) override;
  void cross_covariance(const CrossCovariance<double>&) override;
  void svd(const Svd&) override;
  void qr_of_transpose(const QrOfTranspose&) override;

 private:
  /// What an operation tells its launches; errors found later name the last one.
  cuda::Call begin(const char* operation, std::initializer_list<std::int64_t> shape);
  /// Made when it is first asked for: most runs of a device need no decomposition.
  cuda::Solver& solver();

  int ordinal_;
  std::string name_;
  std::string identity_;
  bool wait_ = false;
  std::unique_ptr<cuda::Call> last_;
  std::unique_ptr<cuda::Memory> memory_;
  std::unique_ptr<cuda::Products> products_;
  std::unique_ptr<cuda::Solver> solver_;
};

}  // namespace incipit::device

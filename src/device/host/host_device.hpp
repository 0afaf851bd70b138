#pragma once

#include <memory>

#include "device/device.hpp"

namespace incipit::device {

/// The CPU: OpenMP over fixed blocks, a BLAS run single-threaded inside them. Each operation's code is in
/// the file of its name in this folder.
class HostDevice : public Device {
 public:
  /// Sets the BLAS to one thread, for the whole process.
  explicit HostDevice(int threads);

  [[nodiscard]] Kind kind() const override { return Kind::host; }
  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::string libraries() const override;

  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  void upload(void* to, const void* host, std::size_t bytes) override;
  [[nodiscard]] std::int64_t upload_numbers(const NumberUpload&) override;
  void download(void* host, const void* from, std::size_t bytes) override;
  void zero(void* memory, std::size_t bytes) override;
  void synchronize() override {}

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

  [[nodiscard]] int threads() const { return threads_; }

 private:
  int threads_;
};

/// `threads` ≥ 1, else Error(usage).
[[nodiscard]] std::unique_ptr<Device> make_host_device(int threads);

}  // namespace incipit::device

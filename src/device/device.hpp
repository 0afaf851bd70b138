#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/activation_sum.hpp"
#include "device/add_bias.hpp"
#include "device/attention.hpp"
#include "device/bias_activation.hpp"
#include "device/count_nonfinite.hpp"
#include "device/cross_covariance.hpp"
#include "device/double_layer_norm.hpp"
#include "device/draw_resampling.hpp"
#include "device/embed_tokens.hpp"
#include "device/encode_top_k.hpp"
#include "device/full_attention.hpp"
#include "device/gather_centred.hpp"
#include "device/gather_rows.hpp"
#include "device/latent_groups.hpp"
#include "device/latent_histogram.hpp"
#include "device/matmul.hpp"
#include "device/next_token_loss.hpp"
#include "device/pool_rows.hpp"
#include "device/qr_of_transpose.hpp"
#include "device/rank_scores.hpp"
#include "device/resample_auc.hpp"
#include "device/resample_counts.hpp"
#include "device/resample_latents.hpp"
#include "device/rotary_split.hpp"
#include "device/sae_adam.hpp"
#include "device/sae_auxiliary.hpp"
#include "device/sae_dead.hpp"
#include "device/sae_decode.hpp"
#include "device/sae_gradient.hpp"
#include "device/sae_loss.hpp"
#include "device/set_maximum.hpp"
#include "device/svd.hpp"
#include "device/upload_numbers.hpp"
#include "error.hpp"

namespace incipit::device {

enum class Kind { host, cuda };

/// A device that has no more memory: what was asked for less of may go.
class OutOfMemory : public Error {
 public:
  explicit OutOfMemory(const std::string& message) : Error(Exit::machine, message) {}
};

/// What a machine that computes can do: memory of its own, and operations on it.
///
/// Operations may return before they are done; they take effect in the order of the calls, which must
/// come from one thread at a time. All pointers in an operation's arguments are device memory. Every
/// operation gives the same bytes for the same arguments, however many threads it may use. Operations
/// whose arguments make no sense throw Error(defect); lack of memory is OutOfMemory.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  [[nodiscard]] virtual Kind kind() const = 0;
  /// The processor, as files record it.
  [[nodiscard]] virtual std::string name() const = 0;
  /// The libraries that decide the last bits of results, with their versions.
  [[nodiscard]] virtual std::string libraries() const = 0;
  /// Tells the device from all others, on any machine; empty where every process has its own, as the host.
  [[nodiscard]] virtual std::string identity() const { return {}; }
  /// Bytes of the device's own memory that are free now; none where it computes in that of the host.
  [[nodiscard]] virtual std::optional<std::size_t> free_memory() const { return std::nullopt; }
  /// What was left to the libraries to choose so far, a line for each problem they were given: its sizes and
  /// types, and the algorithm that carries it out. Empty where nothing was.
  [[nodiscard]] virtual std::vector<std::string> choices() const { return {}; }

  /// At least 64-byte aligned; null for 0 bytes. What it holds is undefined.
  [[nodiscard]] virtual void* allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) noexcept = 0;
  /// All are done on return. Uploads may be called from a second thread while operations run on other
  /// memory; operations that were to use the same memory must have been waited for by `synchronize`.
  virtual void upload(void* to, const void* host, std::size_t bytes) = 0;
  /// An upload that converts on the way; returns the index of the first number that is not finite once it has
  /// arrived, `count` where all are.
  [[nodiscard]] virtual std::int64_t upload_numbers(const NumberUpload&) = 0;
  virtual void download(void* host, const void* from, std::size_t bytes) = 0;
  virtual void zero(void* memory, std::size_t bytes) = 0;
  /// Waits for all operations.
  virtual void synchronize() = 0;

  virtual void matmul(const MatrixProduct<float>&) = 0;
  virtual void matmul(const MatrixProduct<double>&) = 0;
  virtual void matmul(const MatrixProduct<Float16>&) = 0;
  virtual void matmul(const MatrixProduct<Float16, float>&) = 0;
  virtual void matmul(const MatrixProduct<BFloat16>&) = 0;
  virtual void matmul(const MatrixProduct<BFloat16, float>&) = 0;

  virtual void gather_rows(const GatherRows&) = 0;
  virtual void double_layer_norm(const DoubleLayerNorm<float>&) = 0;
  virtual void double_layer_norm(const DoubleLayerNorm<Float16>&) = 0;
  virtual void double_layer_norm(const DoubleLayerNorm<BFloat16>&) = 0;
  virtual void rotary_split(const RotarySplit<float>&) = 0;
  virtual void rotary_split(const RotarySplit<Float16>&) = 0;
  virtual void rotary_split(const RotarySplit<BFloat16>&) = 0;
  virtual void attention(const Attention<float>&) = 0;
  virtual void attention(const Attention<Float16>&) = 0;
  virtual void attention(const Attention<BFloat16>&) = 0;
  virtual void bias_activation(const BiasActivation<float>&) = 0;
  virtual void bias_activation(const BiasActivation<Float16>&) = 0;
  virtual void bias_activation(const BiasActivation<BFloat16>&) = 0;
  virtual void add_bias(const AddBias&) = 0;
  virtual void count_nonfinite(const CountNonfinite&) = 0;
  virtual void next_token_loss(const NextTokenLoss&) = 0;

  // The sentence encoders' own.
  virtual void embed_tokens(const EmbedTokens&) = 0;
  virtual void full_attention(const FullAttention&) = 0;
  virtual void pool_rows(const PoolRows&) = 0;

  // The sparse autoencoder (science §2); in fp64 for comparison with exact references.
  virtual void gather_centred(const GatherCentred<float>&) = 0;
  virtual void gather_centred(const GatherCentred<double>&) = 0;
  virtual void encode_top_k(const EncodeTopK<float>&) = 0;
  virtual void encode_top_k(const EncodeTopK<double>&) = 0;
  virtual void sae_decode(const SaeDecode<float>&) = 0;
  virtual void sae_decode(const SaeDecode<double>&) = 0;
  virtual void sae_gradient(const SaeGradient<float>&) = 0;
  virtual void sae_gradient(const SaeGradient<double>&) = 0;
  virtual void sae_auxiliary(const SaeAuxiliary<float>&) = 0;
  virtual void sae_auxiliary(const SaeAuxiliary<double>&) = 0;
  virtual void sae_adam(const SaeAdam<float>&) = 0;
  virtual void sae_adam(const SaeAdam<double>&) = 0;
  virtual void sae_idle(const SaeIdle<float>&) = 0;
  virtual void sae_idle(const SaeIdle<double>&) = 0;
  virtual void sae_dead(const SaeDead&) = 0;
  virtual void sae_loss(const SaeLoss&) = 0;

  // What the measures of concepts count (science §5).
  virtual void draw_bootstrap(const DrawBootstrap&) = 0;
  virtual void draw_permutations(const DrawPermutations&) = 0;
  virtual void latent_histogram(const LatentHistogram&) = 0;
  virtual void activation_sum(const ActivationSum&) = 0;
  virtual void set_maximum(const SetMaximum&) = 0;
  virtual void latent_groups(const LatentGroups&) = 0;
  virtual void resample_counts(const ResampleCounts&) = 0;
  virtual void resample_latents(const ResampleLatents&) = 0;
  virtual void rank_scores(const RankScores<float>&) = 0;
  virtual void rank_scores(const RankScores<double>&) = 0;
  virtual void resample_auc(const ResampleAuc&) = 0;

  // The alignment of sites (science §8).
  virtual void cross_covariance(const CrossCovariance<float>&) = 0;
  virtual void cross_covariance(const CrossCovariance<double>&) = 0;
  virtual void svd(const Svd&) = 0;
  virtual void qr_of_transpose(const QrOfTranspose&) = 0;
};

/// An array of `size` T in a device's memory. The device must outlive it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Device& device, std::size_t size)
      : device_(&device), data_(static_cast<T*>(device.allocate(size * sizeof(T)))), size_(size) {}
  Buffer(Device& device, std::span<const T> values) : Buffer(device, values.size()) { upload(values); }
  Buffer(Buffer&& other) noexcept
      : device_(other.device_),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_ != nullptr) device_->release(data_);
  }

  [[nodiscard]] T* data() { return data_; }
  [[nodiscard]] const T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

  void upload(std::span<const T> values) { device_->upload(data_, values.data(), values.size_bytes()); }
  void download(std::span<T> values) const { device_->download(values.data(), data_, values.size_bytes()); }
  [[nodiscard]] std::vector<T> download() const {
    std::vector<T> values(size_);
    if (size_ > 0) download(std::span<T>(values));
    return values;
  }
  void zero() {
    if (size_ > 0) device_->zero(data_, size_ * sizeof(T));
  }

 private:
  Device* device_ = nullptr;
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace incipit::device

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/config.hpp"

namespace incipit::checkpoint {

/// Element types that can be read as numbers. `other` stands for integers and booleans, which appear in
/// buffers only and are never read.
enum class Dtype { f16, bf16, f32, f64, other };

/// Bytes of one element; 0 for `other`.
[[nodiscard]] std::size_t size_of(Dtype dtype);

/// A shape as messages show it: "[3, 4]".
[[nodiscard]] std::string shown(const std::vector<int64_t>& shape);

/// Where one tensor lies.
struct Tensor {
  std::string name;
  Dtype dtype = Dtype::other;
  std::string dtype_name;      ///< as the file spells it
  std::vector<int64_t> shape;  ///< empty for a scalar
  int file = 0;                ///< index into Weights::files()
  uint64_t offset = 0;         ///< first byte in that file
  uint64_t bytes = 0;          ///< of its elements together
  /// In elements; empty where the tensor is row-major and contiguous, as all of safetensors and nearly all of
  /// torch.save are.
  std::vector<int64_t> stride = {};

  /// The first dimension, 1 for a scalar.
  [[nodiscard]] int64_t rows() const { return shape.empty() ? 1 : shape.front(); }
  /// Elements of one row: the product of the other dimensions.
  [[nodiscard]] int64_t row_size() const;
  [[nodiscard]] int64_t size() const { return rows() * row_size(); }
};

/// A tensor that a model of some shape must have.
struct ExpectedTensor {
  std::string name;
  std::vector<int64_t> shape;
};

/// The weights of one checkpoint folder: an index of its tensors, and reads by offset. Nothing is mapped
/// into memory, so that a file that shrinks under us is an error and not a signal.
/// All const members may be called from several threads at once.
class Weights {
 public:
  /// Indexes the first there is of model.safetensors, model.safetensors.index.json with its shards,
  /// pytorch_model.bin, and pytorch_model.bin.index.json with its shards. Error io when a file cannot be
  /// read; Error data when there is none, when it is truncated, or when it is malformed.
  [[nodiscard]] static Weights open(const std::filesystem::path& folder);

  /// Makes rows [first_row, first_row + rows) of a tensor; any thread may ask for any rows.
  using Draw =
      std::function<void(const Tensor& tensor, int64_t first_row, int64_t rows, std::span<float> out)>;
  /// Weights that lie in no file: these tensors in fp32, their numbers made as they are read. `what` stands
  /// in messages where a file would.
  [[nodiscard]] static Weights drawn(const std::string& what, std::span<const ExpectedTensor> tensors,
                                     Draw draw);

  Weights(Weights&&) noexcept;
  Weights& operator=(Weights&&) noexcept;
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  ~Weights();

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// The format as people call it: "safetensors" or "torch".
  [[nodiscard]] const std::string& format() const { return format_; }
  /// The files that hold tensors, in the order of their names.
  [[nodiscard]] const std::vector<std::filesystem::path>& files() const { return files_; }
  /// All tensors by name.
  [[nodiscard]] const std::map<std::string, Tensor, std::less<>>& tensors() const { return tensors_; }
  [[nodiscard]] const Tensor* find(std::string_view name) const;
  /// Error data when there is no such tensor.
  [[nodiscard]] const Tensor& at(std::string_view name) const;
  /// Bytes of all tensors together.
  [[nodiscard]] uint64_t bytes() const;

  /// Rows [first_row, first_row + rows) of a tensor as fp32; out holds rows × row_size() numbers. Values are
  /// passed on as they are, NaN included. Error io when the file is shorter than it was when it was opened.
  void read(const Tensor& tensor, int64_t first_row, int64_t rows, std::span<float> out) const;
  /// The whole tensor as fp32.
  [[nodiscard]] std::vector<float> read(const Tensor& tensor) const;
  /// Bytes of a contiguous tensor as they lie in the file, from byte_offset within the tensor. Not of drawn
  /// weights.
  void read_raw(const Tensor& tensor, uint64_t byte_offset, std::span<std::byte> out) const;

 private:
  class File;

  Weights();

  void gather(const Tensor& tensor, int64_t first_row, int64_t rows, std::span<float> out) const;

  std::filesystem::path folder_;
  std::string format_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::unique_ptr<File>> opened_;
  std::map<std::string, Tensor, std::less<>> tensors_;
  Draw draw_;  ///< empty where the weights lie in files
};

/// Which names something is said of.
using NamePredicate = std::function<bool(std::string_view)>;

/// Compares the tensors there with those a model must have. Error data naming all that are missing (unless
/// `dispensable`), have the wrong shape or a type that cannot be read, or are there without being expected
/// (unless `ignored`). `model` is what messages call it: "a GPT-NeoX".
void compare_tensors(const Weights& weights, std::span<const ExpectedTensor> expected,
                     const NamePredicate& dispensable, const NamePredicate& ignored,
                     const std::string& model);

/// All tensors of a GPT-NeoX of this shape under their Hugging Face names, embedding first.
[[nodiscard]] std::vector<ExpectedTensor> expected_tensors(const Config& config);

/// Buffers that older files carry along; they are derived from the config.
[[nodiscard]] bool is_buffer(std::string_view name);

/// Whether the final layer norm and the unembedding must be there: logits need them, residuals do not.
enum class Head : bool { unneeded, needed };

/// Compares the tensors there with those the config asks for. Error data naming all that are missing, have
/// the wrong shape or a type that cannot be read, or are too many. The buffers attention.bias,
/// attention.masked_bias and rotary_emb.inv_freq of older files are passed over. A head that is not needed
/// may be missing; what is there of it must be right.
void check_tensors(const Weights& weights, const Config& config, Head head = Head::needed);

}  // namespace incipit::checkpoint

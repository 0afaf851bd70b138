#include "checkpoint/fingerprints.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <type_traits>

#include "checkpoint/convert.hpp"
#include "error.hpp"
#include "parallel/watchdog.hpp"
#include "store/hash.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

/// Small enough to stay in the second-level cache while it is hashed twice and summed; a multiple of every
/// element's size.
constexpr std::size_t piece_bytes = 256 * 1024;

/// Read from front to back, with its hash.
class HashedFile {
 public:
  explicit HashedFile(const fs::path& path)
      : path_(path), descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw Error(Exit::io, path.string() + ": cannot be opened: " + std::strerror(errno));
    // Advice: the kernel reads ahead while the last piece is hashed.
    (void)::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  ~HashedFile() { ::close(descriptor_); }
  HashedFile(const HashedFile&) = delete;
  HashedFile& operator=(const HashedFile&) = delete;

  /// Fills `out` from `offset`; what was not hashed before is hashed. Tensors of a PyTorch file may share
  /// their bytes, so a tensor can begin before the place that was reached. Returns the bytes that were there.
  std::size_t read(uint64_t offset, std::span<std::byte> out) {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t got =
          ::pread(descriptor_, out.data() + filled, out.size() - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        throw Error(Exit::io, path_.string() + ": cannot be read at byte " + std::to_string(offset + filled) +
                                  ": " + std::strerror(errno));
      }
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    const uint64_t end = offset + filled;
    if (offset <= hashed_ && hashed_ < end) {
      hash_.update(out.first(filled).subspan(static_cast<std::size_t>(hashed_ - offset)));
      hashed_ = end;
    }
    return filled;
  }

  /// Hashes on up to `offset`, or to the end of the file when that comes first.
  void skip_to(uint64_t offset, std::span<std::byte> buffer) {
    while (hashed_ < offset) {
      const auto wanted = static_cast<std::size_t>(std::min<uint64_t>(buffer.size(), offset - hashed_));
      if (read(hashed_, buffer.first(wanted)) < wanted) return;
    }
  }

  [[nodiscard]] const fs::path& path() const { return path_; }
  [[nodiscard]] FilePrint print() const { return {path_.filename().string(), hash_.hex(), hashed_}; }

 private:
  fs::path path_;
  int descriptor_;
  store::Sha256 hash_;
  uint64_t hashed_ = 0;
};

/// Sum of squares and the number of elements that are not finite.
struct Sum {
  double squares = 0;
  int64_t nonfinite = 0;

  void add(std::span<const float> values) {
    // Eight sums side by side, so that the compiler may use its vectors without changing the order.
    std::array<double, 8> lane{};
    std::size_t i = 0;
    for (; i + lane.size() <= values.size(); i += lane.size())
      for (std::size_t l = 0; l < lane.size(); ++l) {
        const auto v = static_cast<double>(values[i + l]);
        lane[l] += v * v;
      }
    for (; i < values.size(); ++i) lane[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    double sum = 0;
    for (const double part : lane) sum += part;
    if (std::isfinite(sum)) {  // squares of floats do not overflow a double: all were finite
      squares += sum;
    } else {
      add_finite(values);
    }
  }

 private:
  void add_finite(std::span<const float> values) {
    for (const float value : values) {
      if (std::isfinite(value)) {
        squares += static_cast<double>(value) * static_cast<double>(value);
      } else {
        ++nonfinite;
      }
    }
  }
};

/// Takes the evenly spaced samples that lie among elements [first, first + values.size()).
void take_samples(TensorPrint& print, int64_t first, std::span<const float> values) {
  const int64_t wanted = std::min(print.elements, most_samples);
  const int64_t end = first + static_cast<int64_t>(values.size());
  while (static_cast<int64_t>(print.samples.size()) < wanted) {
    const int64_t next = static_cast<int64_t>(print.samples.size()) * print.elements / wanted;
    if (next >= end) return;
    print.samples.push_back(values[static_cast<std::size_t>(next - first)]);
  }
}

/// Buffers of one pass.
struct Scratch {
  std::unique_ptr<std::byte[]> bytes = std::make_unique_for_overwrite<std::byte[]>(piece_bytes);
  std::vector<float> values = std::vector<float>(piece_bytes / 2);
};

TensorPrint blank_print(const Tensor& tensor) {
  TensorPrint print;
  print.name = tensor.name;
  print.file = tensor.file;
  // A masked_bias is -1e9, an infinity in half precision.
  print.weight = tensor.dtype != Dtype::other && !is_buffer(tensor.name);
  print.matrix = print.weight && tensor.shape.size() >= 2;
  print.elements = tensor.size();
  return print;
}

/// A strided tensor of a PyTorch file, whose bytes lie among others: hashed by its numbers, as fp32 and row
/// by row.
TensorPrint print_strided(const Tensor& tensor, const Weights& weights) {
  TensorPrint print = blank_print(tensor);
  if (!print.weight) return print;
  store::Sha256 hash;
  Sum sum;
  const int64_t step =
      std::max<int64_t>(1, static_cast<int64_t>(piece_bytes / 4) / std::max<int64_t>(1, tensor.row_size()));
  std::vector<float> values;
  for (int64_t row = 0; row < tensor.rows(); row += step) {
    const int64_t rows = std::min(step, tensor.rows() - row);
    values.resize(static_cast<std::size_t>(rows * tensor.row_size()));
    weights.read(tensor, row, rows, values);
    hash.update(std::as_bytes(std::span(values)));
    sum.add(values);
    take_samples(print, row * tensor.row_size(), values);
  }
  print.sha256 = hash.hex();
  print.norm = std::sqrt(sum.squares);
  print.nonfinite = sum.nonfinite;
  return print;
}

TensorPrint print_tensor(const Tensor& tensor, HashedFile& file, Scratch& scratch) {
  TensorPrint print = blank_print(tensor);
  store::Sha256 hash;
  Sum sum;
  int64_t first = 0;
  for (uint64_t done = 0; done < tensor.bytes;) {
    const auto here = static_cast<std::size_t>(std::min<uint64_t>(piece_bytes, tensor.bytes - done));
    const std::span<std::byte> bytes(scratch.bytes.get(), here);
    if (file.read(tensor.offset + done, bytes) < here) {
      throw Error(Exit::io, file.path().string() + ": tensor '" + tensor.name +
                                "' ends beyond the file; it has become shorter since it was opened");
    }
    hash.update(bytes);
    done += here;
    if (!print.weight) continue;
    const std::span<float> values(scratch.values.data(), here / size_of(tensor.dtype));
    convert_to_float(tensor.dtype, bytes, values);
    sum.add(values);
    take_samples(print, first, values);
    first += static_cast<int64_t>(values.size());
  }
  print.sha256 = hash.hex();
  print.norm = std::sqrt(sum.squares);
  print.nonfinite = sum.nonfinite;
  return print;
}

/// Plain values one after the other.
class Packer {
 public:
  template <class T>
  void number(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void text(std::string_view value) {
    number(static_cast<uint64_t>(value.size()));
    bytes_.append(value);
  }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    T value;
    std::memcpy(&value, part(sizeof value).data(), sizeof value);
    return value;
  }
  std::string text() { return std::string(part(number<uint64_t>())); }
  /// A number of things that take at least `each` bytes, so that damage cannot ask for all memory.
  std::size_t count(std::size_t each) {
    const auto value = number<uint64_t>();
    if (value > rest_.size() / each) fail();
    return static_cast<std::size_t>(value);
  }
  std::string_view part(uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return found;
  }
  void end() const {
    if (!rest_.empty()) fail();
  }

 private:
  [[noreturn]] static void fail() { throw Error(Exit::data, "not the fingerprint of a checkpoint"); }

  std::string_view rest_;
};

}  // namespace

const TensorPrint* Fingerprint::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(tensors, name, {}, &TensorPrint::name);
  return it == tensors.end() || it->name != name ? nullptr : &*it;
}

Fingerprint fingerprint(const Weights& weights) {
  std::vector<const Tensor*> in_order;
  for (const auto& [name, tensor] : weights.tensors()) in_order.push_back(&tensor);
  std::ranges::stable_sort(in_order, {}, [](const Tensor* t) { return std::pair(t->file, t->offset); });
  Fingerprint print;
  Scratch scratch;
  const std::span<std::byte> buffer(scratch.bytes.get(), piece_bytes);
  auto next = in_order.begin();
  for (std::size_t f = 0; f < weights.files().size(); ++f) {
    HashedFile file(weights.files()[f]);
    for (; next != in_order.end() && (*next)->file == static_cast<int>(f); ++next) {
      parallel::sign_of_life();
      file.skip_to((*next)->offset, buffer);
      const bool contiguous = (*next)->stride.empty();
      print.tensors.push_back(contiguous ? print_tensor(**next, file, scratch)
                                         : print_strided(**next, weights));
    }
    file.skip_to(std::numeric_limits<uint64_t>::max(), buffer);
    print.files.push_back(file.print());
  }
  std::ranges::sort(print.tensors, {}, &TensorPrint::name);
  return print;
}

std::string to_bytes(const Fingerprint& print) {
  Packer out;
  out.number(static_cast<uint64_t>(print.files.size()));
  for (const FilePrint& file : print.files) {
    out.text(file.name);
    out.text(file.sha256);
    out.number(file.bytes);
  }
  out.number(static_cast<uint64_t>(print.tensors.size()));
  for (const TensorPrint& tensor : print.tensors) {
    out.text(tensor.name);
    out.number(static_cast<int32_t>(tensor.file));
    out.number(static_cast<int8_t>(tensor.weight));
    out.number(static_cast<int8_t>(tensor.matrix));
    out.number(tensor.elements);
    out.text(tensor.sha256);
    out.number(tensor.norm);
    out.number(tensor.nonfinite);
    out.number(static_cast<uint64_t>(tensor.samples.size()));
    for (const float sample : tensor.samples) out.number(sample);
  }
  return out.take();
}

Fingerprint fingerprint_from_bytes(std::string_view bytes) {
  Unpacker in(bytes);
  Fingerprint print;
  for (std::size_t left = in.count(1); left > 0; --left) {
    FilePrint file;
    file.name = in.text();
    file.sha256 = in.text();
    file.bytes = in.number<uint64_t>();
    print.files.push_back(std::move(file));
  }
  for (std::size_t left = in.count(1); left > 0; --left) {
    TensorPrint tensor;
    tensor.name = in.text();
    tensor.file = in.number<int32_t>();
    tensor.weight = in.number<int8_t>() != 0;
    tensor.matrix = in.number<int8_t>() != 0;
    tensor.elements = in.number<int64_t>();
    tensor.sha256 = in.text();
    tensor.norm = in.number<double>();
    tensor.nonfinite = in.number<int64_t>();
    tensor.samples.resize(in.count(sizeof(float)));
    for (float& sample : tensor.samples) sample = in.number<float>();
    print.tensors.push_back(std::move(tensor));
  }
  in.end();
  return print;
}

}  // namespace incipit::checkpoint

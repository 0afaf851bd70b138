#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/schema.hpp"

namespace incipit::store {

/// Reads one of our files, by this rank alone, from one thread at a time.
/// Errors: io when the file is absent or unreadable; data when it is not HDF5, damaged, of another kind or
/// major version, or does not hold what is asked (file, dataset, expected, found).
class Reader {
 public:
  /// `kind` as in Header; empty accepts any of our kinds.
  explicit Reader(const std::filesystem::path& path, const std::string& kind = "");
  ~Reader();
  Reader(Reader&&) noexcept;
  Reader& operator=(Reader&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  [[nodiscard]] const std::string& kind() const;
  [[nodiscard]] std::string fingerprint() const;
  [[nodiscard]] std::string deck() const;
  [[nodiscard]] std::vector<Header::Input> inputs() const;

  [[nodiscard]] bool has(const std::string& path) const;
  [[nodiscard]] bool is_group(const std::string& path) const;
  /// Names in a group ("" is the root) in the order they were made.
  [[nodiscard]] std::vector<std::string> children(const std::string& group) const;
  [[nodiscard]] std::vector<std::int64_t> shape(const std::string& path) const;
  /// "float32", "int64", "uint8", "float16", "string", …
  [[nodiscard]] std::string type(const std::string& path) const;
  /// Name of the dimension scale attached to each dimension; "" where there is none.
  [[nodiscard]] std::vector<std::string> axes(const std::string& path) const;
  /// Whether the dataset only stands for a dimension without coordinates.
  [[nodiscard]] bool is_bare_dimension(const std::string& path) const;

  /// The whole dataset, row-major. Floating-point types are converted to any floating-point T, integers to
  /// integers at least as wide. T as in Writer, and std::uint64_t.
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& path) const;
  /// As read, after checking the shape; -1 stands for any length.
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& path, const std::vector<std::int64_t>& expected) const;
  template <class T>
  [[nodiscard]] T scalar(const std::string& path) const {
    return read<T>(path, {}).front();
  }
  template <class T>
  void read_slab(const std::string& path, const std::vector<std::int64_t>& start,
                 const std::vector<std::int64_t>& count, std::span<T> values) const;
  /// All texts of a dataset, row-major.
  [[nodiscard]] std::vector<std::string> strings(const std::string& path) const;

  [[nodiscard]] std::vector<std::string> attributes(const std::string& object) const;
  [[nodiscard]] bool has_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::string attribute_string(const std::string& object, const std::string& name) const;
  [[nodiscard]] double attribute_number(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::int64_t attribute_integer(const std::string& object, const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit::store

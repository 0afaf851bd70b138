#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "parallel/communicator.hpp"
#include "store/schema.hpp"

namespace incipit::store {

using Attribute = std::variant<std::string, std::int64_t, double>;

/// One new HDF5 file, made by all ranks of a communicator together under a temporary name. Datasets are
/// contiguous, uncompressed and written collectively; they carry no times, so that equal runs make equal
/// bytes.
///
/// Every member but collective() and path() is called by all ranks, in the same order, with the same paths,
/// shapes, texts and attributes (checked: Error defect on all ranks). A rank that fails elsewhere and enters
/// parallel::agree on the same communicator takes the others out of their next call here (Agreed on all).
///
/// Paths are relative to the root ("curves/time/point"); groups on the way are made.
/// `axes` names the dimension scale of each dimension, or is empty. A name without "/" lies in the dataset's
/// own group; otherwise it is a path from the root. A dataset named there becomes a dimension scale; a name
/// that no dataset bears becomes a dimension without coordinates (as netCDF-4 has them). Attached by
/// commit().
///
/// T: float, double, std::int8_t, std::uint8_t, std::int32_t, std::int64_t, Half.
/// Errors: io when writing fails, naming the file (disk full, no permission); defect for misuse.
class Writer {
 public:
  Writer(const parallel::Communicator& comm, const std::filesystem::path& final_path, const Header& header);
  /// Without commit() the file is removed. Never throws.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// `object`: a dataset, or a group, which is made when missing; "" is the root. Texts up to 64 kB.
  void attribute(const std::string& object, const std::string& name, const Attribute& value);

  /// Makes a dataset from values that every rank holds in full (row-major; shape {} is one number); each rank
  /// writes its block of the first dimension.
  template <class T>
  void write(const std::string& path, const std::vector<std::int64_t>& shape, std::span<const T> all,
             const About& about, const std::vector<std::string>& axes = {});
  template <class T>
  void write(const std::string& path, const std::vector<std::int64_t>& shape, const std::vector<T>& all,
             const About& about, const std::vector<std::string>& axes = {}) {
    write(path, shape, std::span<const T>(all), about, axes);
  }
  /// One number.
  template <class T>
  void scalar(const std::string& path, T value, const About& about) {
    write(path, {}, std::span<const T>(&value, 1), about);
  }

  /// Makes a dataset to be filled by write_slab; commit() refuses when the numbers written do not fill it.
  template <class T>
  void create(const std::string& path, const std::vector<std::int64_t>& shape, const About& about,
              const std::vector<std::string>& axes = {});
  /// This rank's hyperslab, row-major; `count` may hold 0 (nothing from this rank). T is that of create.
  template <class T>
  void write_slab(const std::string& path, const std::vector<std::int64_t>& start,
                  const std::vector<std::int64_t>& count, std::span<const T> values);

  /// Texts (UTF-8, fixed length, padded with NUL; a NUL inside becomes U+2400). Every rank holds them all.
  void strings(const std::string& path, const std::vector<std::int64_t>& shape,
               const std::vector<std::string>& all, const About& about,
               const std::vector<std::string>& axes = {});

  /// Makes the 1-D dataset a dimension scale even if no other names it.
  void make_scale(const std::string& path);

  /// A time of this run, for the group `timing`; rank 0's counts.
  void timing(const std::string& name, double seconds);
  /// The hosts of all ranks that worked for the file, where fewer write it.
  void made_by(std::vector<std::string> hosts);

  /// Whether HDF5 performed every transfer so far on this rank as one contiguous collective operation.
  [[nodiscard]] bool collective() const;
  /// Why not, in words; empty when collective().
  [[nodiscard]] std::string why_not_collective() const;

  /// Largest number of bytes a rank passes to HDF5 at once; more is cut into rounds. Tests lower it.
  void set_transfer_limit(std::int64_t bytes);

  /// Attaches scales, writes `timing`, flushes, syncs, renames. After it no other member may be called.
  void commit();

  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit::store

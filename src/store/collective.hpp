#pragma once

#include <hdf5.h>

#include <cstdint>
#include <string>
#include <vector>

#include "store/handle.hpp"

namespace incipit::store {

/// How HDF5 really moved the data of one collective write.
struct Verdict {
  bool collective = true;
  std::string why;  ///< when not
};

/// A transfer list that asks for collective MPI-IO.
[[nodiscard]] Handle collective_transfer();

/// H5Dwrite and the library's own account of it. `what` names file and dataset for the Error io.
Verdict write_and_ask(hid_t dataset, hid_t memory_type, hid_t memory_space, hid_t file_space, hid_t transfer,
                      const void* data, const std::string& what);

/// A part of a hyperslab that lies contiguously in the memory of the whole.
struct Piece {
  std::vector<std::int64_t> start, count;  ///< in the dataset
  std::int64_t first;                      ///< element of the hyperslab's memory
};

/// Cuts a hyperslab into pieces of at most `most_elements` (at least one element each), in memory order; none
/// when it is empty. MPI counts bytes in 32 bits below HDF5 1.10, hence the limit on what is passed at once.
[[nodiscard]] std::vector<Piece> cut_slab(const std::vector<std::int64_t>& start,
                                          const std::vector<std::int64_t>& count, std::int64_t most_elements);

[[nodiscard]] std::int64_t elements_of(const std::vector<std::int64_t>& shape);

/// "[3, 0, 512]"
[[nodiscard]] std::string shape_text(const std::vector<std::int64_t>& shape);

}  // namespace incipit::store

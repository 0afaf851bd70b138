#include "store/collective.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>

#include "meters.hpp"

namespace incipit::store {

namespace {

struct Cause {
  std::uint32_t bit;
  const char* words;
};

constexpr Cause causes[] = {
    {H5D_MPIO_SET_INDEPENDENT, "independent transfer was asked for"},
    {H5D_MPIO_DATATYPE_CONVERSION, "types in memory and on file differ"},
    {H5D_MPIO_DATA_TRANSFORMS, "a data transform is set"},
    {H5D_MPIO_MPI_OPT_TYPES_ENV_VAR_DISABLED, "HDF5_MPI_OPT_TYPES switches MPI types off"},
    {H5D_MPIO_NOT_SIMPLE_OR_SCALAR_DATASPACES, "the dataspace is neither simple nor scalar"},
    {H5D_MPIO_NOT_CONTIGUOUS_OR_CHUNKED_DATASET, "the dataset is neither contiguous nor chunked"},
};

std::string words_of(std::uint32_t bits) {
  std::string text;
  for (const Cause& cause : causes) {
    if ((bits & cause.bit) != 0) text += (text.empty() ? "" : "; ") + std::string(cause.words);
  }
  return text.empty() ? "cause bits " + std::to_string(bits) : text;
}

}  // namespace

Handle collective_transfer() {
  Handle list(H5Pcreate(H5P_DATASET_XFER), H5Pclose, Exit::defect, "HDF5 transfer list");
  check_hdf5(H5Pset_dxpl_mpio(list.get(), H5FD_MPIO_COLLECTIVE), Exit::defect, "HDF5 collective transfer");
  return list;
}

Verdict write_and_ask(hid_t dataset, hid_t memory_type, hid_t memory_space, hid_t file_space, hid_t transfer,
                      const void* data, const std::string& what) {
  check_hdf5(H5Dwrite(dataset, memory_type, memory_space, file_space, transfer, data), Exit::io,
             "cannot write " + what);
  meters.bytes_written +=
      static_cast<std::uint64_t>(H5Sget_select_npoints(memory_space)) * H5Tget_size(memory_type);
  H5D_mpio_actual_io_mode_t mode = H5D_MPIO_NO_COLLECTIVE;
  check_hdf5(H5Pget_mpio_actual_io_mode(transfer, &mode), Exit::defect, "HDF5's account of " + what);
  if (mode == H5D_MPIO_CONTIGUOUS_COLLECTIVE) return {};
  std::uint32_t local = 0, global = 0;
  check_hdf5(H5Pget_mpio_no_collective_cause(transfer, &local, &global), Exit::defect,
             "HDF5's account of " + what);
  return {false, what + ": " + words_of(local | global)};
}

std::vector<Piece> cut_slab(const std::vector<std::int64_t>& start, const std::vector<std::int64_t>& count,
                            std::int64_t most_elements) {
  if (elements_of(count) == 0) return {};
  // Dimensions behind `cut` are taken whole, `cut` in steps, those before it one by one.
  std::size_t cut = count.size();
  std::int64_t inner = 1;
  while (cut > 0 && inner * count[cut - 1] <= most_elements) inner *= count[--cut];
  if (cut == 0) return {{start, count, 0}};
  const std::size_t axis = cut - 1;
  const std::int64_t step = std::max<std::int64_t>(1, most_elements / inner);

  std::vector<Piece> pieces;
  std::vector<std::int64_t> at(axis, 0);
  std::int64_t first = 0;
  for (bool more = true; more;) {
    for (std::int64_t done = 0; done < count[axis]; done += step) {
      Piece piece{start, count, first};
      for (std::size_t d = 0; d < axis; ++d) {
        piece.start[d] += at[d];
        piece.count[d] = 1;
      }
      piece.start[axis] += done;
      piece.count[axis] = std::min(step, count[axis] - done);
      first += piece.count[axis] * inner;
      pieces.push_back(std::move(piece));
    }
    more = false;
    for (std::size_t d = axis; d-- > 0 && !more;) {
      more = ++at[d] < count[d];
      if (!more) at[d] = 0;
    }
  }
  return pieces;
}

std::int64_t elements_of(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t d = 0; d < shape.size(); ++d) text += (d == 0 ? "" : ", ") + std::to_string(shape[d]);
  return text + "]";
}

}  // namespace incipit::store

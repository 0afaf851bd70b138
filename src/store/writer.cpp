#include "store/writer.hpp"

#include <fcntl.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <system_error>
#include <utility>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/collective.hpp"
#include "store/failing_disk.hpp"
#include "store/files.hpp"
#include "store/handle.hpp"
#include "store/hash.hpp"
#include "store/process.hpp"
#include "store/types.hpp"
#include "utc.hpp"
#include "version.hpp"

namespace incipit::store {

namespace {

constexpr std::size_t attribute_limit = 64000;  // object headers end at 64 KiB, and hold more than one text
// netCDF-4's mark of a dataset that only stands for a dimension; readers hide it.
constexpr const char* bare_dimension_mark = "This is a netCDF dimension but not a netCDF variable. %10lld";
// Bytes on disk beyond the datasets' own.
constexpr std::int64_t notes_margin = 64 << 10, notes_per_dataset = 4 << 10, reserve_ahead = 256 << 10;
constexpr std::int64_t default_transfer_limit = std::int64_t{512} << 20;

std::vector<hsize_t> extents(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

std::string axis_path(const std::string& dataset, const std::string& axis) {
  const std::string group = parent_of(dataset);
  return axis.find('/') != std::string::npos || group.empty() ? axis : group + "/" + axis;
}

/// HDF5 strings end at their first trailing NUL, so NULs are shown by the symbol made for that.
std::string without_nul(const std::string& text) {
  std::string shown;
  for (const char byte : text) {
    if (byte == '\0') {
      shown += "\xE2\x90\x80";
    } else {
      shown += byte;
    }
  }
  return shown;
}

std::vector<std::string> broadcast_texts(const parallel::Communicator& comm,
                                         const std::vector<std::string>& texts) {
  std::vector<std::int64_t> lengths;
  std::string joined;
  for (const std::string& text : texts) {
    lengths.push_back(static_cast<std::int64_t>(text.size()));
    joined += text;
  }
  comm.broadcast(lengths);
  joined = comm.broadcast(joined);
  std::vector<std::string> result;
  std::size_t at = 0;
  for (const std::int64_t length : lengths) {
    result.push_back(joined.substr(at, static_cast<std::size_t>(length)));
    at += static_cast<std::size_t>(length);
  }
  return result;
}

/// Rank 0's header: nodes may differ in their CPUs, one file says one thing.
Header from_root(const parallel::Communicator& comm, const Header& mine) {
  std::vector<std::string> texts{
      mine.kind,     mine.fingerprint,          mine.precision, mine.device, mine.cpu,
      mine.split,    std::to_string(mine.seed), mine.libraries, mine.deck,   mine.operational,
      mine.mpi_hints};
  for (const Header::Input& input : mine.inputs) {
    texts.push_back(input.path);
    texts.push_back(input.sha256);
  }
  texts = broadcast_texts(comm, texts);
  auto next = texts.begin();
  Header header;
  for (std::string* field :
       {&header.kind, &header.fingerprint, &header.precision, &header.device, &header.cpu, &header.split}) {
    *field = *next++;
  }
  header.seed = std::stoull(*next++);
  for (std::string* field : {&header.libraries, &header.deck, &header.operational, &header.mpi_hints}) {
    *field = *next++;
  }
  while (next != texts.end()) {
    std::string path = *next++;
    header.inputs.push_back({std::move(path), *next++});
  }
  return header;
}

/// "key=value;key=value" as an MPI_Info.
class Hints {
 public:
  explicit Hints(const std::string& text) {
    parallel::check_mpi(MPI_Info_create(&info_), "MPI_Info_create");
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find(';', at), text.size());
      const std::string hint = text.substr(at, end - at);
      const std::size_t equals = hint.find('=');
      if (equals == std::string::npos || equals == 0) {
        throw Error(Exit::usage, "run.mpi_hints: expected key=value;key=value, found \"" + hint + "\"");
      }
      parallel::check_mpi(
          MPI_Info_set(info_, hint.substr(0, equals).c_str(), hint.substr(equals + 1).c_str()),
          "MPI_Info_set");
      at = end + 1;
    }
  }
  ~Hints() { MPI_Info_free(&info_); }
  Hints(const Hints&) = delete;
  Hints& operator=(const Hints&) = delete;
  [[nodiscard]] MPI_Info get() const { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

Handle property_list(hid_t kind) {
  return {H5Pcreate(kind), H5Pclose, Exit::defect, "HDF5 property list"};
}

/// No times (equal runs make equal files), creation order kept, and attributes in the object's header however
/// many: HDF5 1.10 loses track when it moves ordered attributes to its other storage.
void as_our_object(hid_t creation) {
  check_hdf5(H5Pset_obj_track_times(creation, false), Exit::defect, "HDF5 object times");
  check_hdf5(H5Pset_attr_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
             Exit::defect, "HDF5 attribute order");
  check_hdf5(H5Pset_attr_phase_change(creation, 1000, 999), Exit::defect, "HDF5 attribute storage");
}

Handle group_list(hid_t kind) {
  Handle list = property_list(kind);
  as_our_object(list.get());
  check_hdf5(H5Pset_link_creation_order(list.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
             Exit::defect, "HDF5 link order");
  return list;
}

Handle dataset_list() {
  Handle list = property_list(H5P_DATASET_CREATE);
  as_our_object(list.get());
  check_hdf5(H5Pset_layout(list.get(), H5D_CONTIGUOUS), Exit::defect, "HDF5 layout");
  check_hdf5(H5Pset_alloc_time(list.get(), H5D_ALLOC_TIME_EARLY), Exit::defect, "HDF5 allocation time");
  check_hdf5(H5Pset_fill_time(list.get(), H5D_FILL_TIME_NEVER), Exit::defect, "HDF5 fill time");
  return list;
}

Handle access_list(MPI_Comm comm, MPI_Info info) {
  Handle list = property_list(H5P_FILE_ACCESS);
  check_hdf5(H5Pset_fapl_mpio(list.get(), comm, info), Exit::defect, "HDF5 MPI-IO driver");
  // Collective metadata is broken in HDF5 1.10.8.
  check_hdf5(H5Pset_coll_metadata_write(list.get(), false), Exit::defect, "HDF5 metadata writes");
  check_hdf5(H5Pset_all_coll_metadata_ops(list.get(), false), Exit::defect, "HDF5 metadata reads");
  check_hdf5(H5Pset_libver_bounds(list.get(), H5F_LIBVER_V18, H5F_LIBVER_V110), Exit::defect,
             "HDF5 format bounds");
  check_hdf5(H5Pset_fclose_degree(list.get(), H5F_CLOSE_STRONG), Exit::defect, "HDF5 closing");
  return list;
}

Handle space_of(const std::vector<std::int64_t>& shape) {
  if (shape.empty()) return {H5Screate(H5S_SCALAR), H5Sclose, Exit::defect, "HDF5 dataspace"};
  return {H5Screate_simple(static_cast<int>(shape.size()), extents(shape).data(), nullptr), H5Sclose,
          Exit::defect, "HDF5 dataspace of shape " + shape_text(shape)};
}

}  // namespace

struct Writer::Impl {
  struct Dataset {
    std::string path;
    std::vector<std::int64_t> shape;
    std::vector<std::string> axes;  // paths from the root
    hid_t element_class = 0;
    std::size_t element_bytes = 0;
    std::int64_t written = 0;  // elements, by this rank
  };

  const parallel::Communicator& comm;
  std::filesystem::path final_path, temporary;
  Handle file, transfer_list;
  std::vector<Dataset> datasets;
  std::map<std::string, std::size_t> dataset_at;
  std::vector<std::string> scales;  // in the order they were named
  std::vector<std::pair<std::string, double>> timings;
  std::vector<std::string> makers;  // hosts, where others than the writers worked for the file
  std::string operational;
  std::int64_t transfer_limit = default_transfer_limit;
  std::int64_t reserved_until = 0;  // bytes from the file's beginning
  std::string not_collective;
  bool all_collective = true;
  bool committed = false;

  Impl(const parallel::Communicator& c, const std::filesystem::path& p) : comm(c), final_path(p) {}

  [[nodiscard]] std::string in_file(const std::string& path) const {
    return final_path.string() + ": /" + path;
  }

  /// The start of every call: all ranks are here, none has failed, and they were called alike. Returns the
  /// largest `value` of the ranks.
  std::int64_t begin(const std::string& call, std::int64_t value = 0) const {
    const std::int64_t mark = std::stoll(sha256(call).substr(0, 15), nullptr, 16);
    return parallel::agree_alike(comm, final_path.string() + ": " + call, mark, value);
  }

  void open(const Header& header) {
    if (comm.root()) remove_abandoned(final_path);
    temporary = comm.broadcast(temporary_beside(final_path).string());
    parallel::together(comm, "", [&] {
      // HDF5's account of a file that cannot be made names no reason; the system's does.
      if (!comm.root()) return;
      make_empty();
      take_blocks(0, reserve_ahead, final_path.string());
    });
    reserved_until = reserve_ahead;
    parallel::together(comm, "", [&] {
      start_hdf5();
      writing(final_path.string());
      const Hints hints(header.mpi_hints);
      const Handle creation = group_list(H5P_FILE_CREATE);
      const Handle access = access_list(comm.handle(), hints.get());
      file = Handle(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
                    Exit::io, "cannot create " + temporary.string());
      transfer_list = collective_transfer();
    });
  }

  void make_empty() const {
    std::FILE* empty = std::fopen(temporary.c_str(), "wxe");
    if (empty == nullptr) {
      throw Error(Exit::io, "cannot create " + final_path.string() + ": " + std::strerror(errno));
    }
    std::fclose(empty);
  }

  [[nodiscard]] bool exists(const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (H5Lexists(file.get(), path.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return path.empty() || H5Lexists(file.get(), path.c_str(), H5P_DEFAULT) > 0;
  }

  /// HDF5's own creation of groups on the way would not keep their order.
  void ensure_group(const std::string& path) {
    if (path.empty() || exists(path)) return;
    ensure_group(parent_of(path));
    const Handle creation = group_list(H5P_GROUP_CREATE);
    const Handle group(H5Gcreate2(file.get(), path.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                       H5Gclose, Exit::io, "cannot make the group " + in_file(path));
  }

  void put_attribute(hid_t object, const std::string& where, const std::string& name, hid_t type,
                     const void* value) {
    const Handle space = space_of({});
    const Handle attribute(H5Acreate2(object, name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                           H5Aclose, Exit::io, "cannot make the attribute " + name + " of " + in_file(where));
    check_hdf5(H5Awrite(attribute.get(), type, value), Exit::io,
               "cannot write the attribute " + name + " of " + in_file(where));
  }

  void put_attribute(hid_t object, const std::string& where, const std::string& name,
                     const Attribute& value) {
    if (const auto* number = std::get_if<double>(&value)) {
      put_attribute(object, where, name, type_of<double>().get(), number);
    } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
      put_attribute(object, where, name, type_of<std::int64_t>().get(), integer);
    } else {
      std::string text = without_nul(std::get<std::string>(value));
      if (text.size() > attribute_limit) {
        throw Error(Exit::defect, in_file(where) + ": the attribute " + name + " has " +
                                      std::to_string(text.size()) +
                                      " bytes; HDF5 takes 64 kB. Make it a dataset");
      }
      if (text.empty()) text.resize(1);  // HDF5 has no strings of no bytes
      put_attribute(object, where, name, string_type(text.size()).get(), text.data());
    }
  }

  void write_root(const Header& header) {
    const Handle root(H5Gopen2(file.get(), "/", H5P_DEFAULT), H5Gclose, Exit::io,
                      "cannot open the root of a file");
    const auto put = [&](const char* name, const std::string& text) {
      put_attribute(root.get(), "", name, text);
    };
    put("format", "incipit/" + header.kind);
    put("format_version", std::to_string(format_major) + "." + std::to_string(format_minor));
    put("program_version", program_version);
    put("commit", incipit::commit);
    put("libraries", header.libraries);
    put("device", header.device);
    put("cpu", header.cpu);
    put("precision", header.precision);
    put_attribute(root.get(), "", "seed", type_of<std::uint64_t>().get(), &header.seed);
    put("split", header.split);
    put("fingerprint", header.fingerprint);
    put("created", comm.broadcast(utc_now()));
  }

  Dataset& dataset(const std::string& path) {
    const auto found = dataset_at.find(path);
    if (found == dataset_at.end()) throw Error(Exit::defect, in_file(path) + " was not created in this file");
    return datasets[found->second];
  }

  void check_creation(const std::string& path, const std::vector<std::int64_t>& shape, const About& about,
                      const std::vector<std::string>& axes) const {
    if (about.units.empty() || about.long_name.empty()) {
      throw Error(Exit::defect, in_file(path) + " needs units and a long name");
    }
    if (!axes.empty() && axes.size() != shape.size()) {
      throw Error(Exit::defect, in_file(path) + " of shape " + shape_text(shape) + " was given " +
                                    std::to_string(axes.size()) + " axes");
    }
    if (std::any_of(shape.begin(), shape.end(), [](std::int64_t n) { return n < 0; })) {
      throw Error(Exit::defect, in_file(path) + ": no shape: " + shape_text(shape));
    }
    if (dataset_at.contains(path)) throw Error(Exit::defect, in_file(path) + " is made twice");
  }

  void make(const std::string& path, const std::vector<std::int64_t>& shape, hid_t type, const About& about,
            const std::vector<std::string>& axes) {
    check_creation(path, shape, about, axes);
    ensure_group(parent_of(path));
    const Handle space = space_of(shape), creation = dataset_list();
    const Handle made(
        H5Dcreate2(file.get(), path.c_str(), type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
        H5Dclose, Exit::io, "cannot make " + in_file(path));
    reserve_dataset(made.get(), path, elements_of(shape) * static_cast<std::int64_t>(H5Tget_size(type)));
    put_attribute(made.get(), path, "units", about.units);
    put_attribute(made.get(), path, "long_name", about.long_name);
    // xarray decodes fixed-length texts by this.
    if (H5Tget_class(type) == H5T_STRING) put_attribute(made.get(), path, "_Encoding", std::string("utf-8"));

    Dataset entry{path, shape, {}, H5Tget_class(type), H5Tget_size(type), 0};
    for (const std::string& axis : axes) {
      entry.axes.push_back(axis_path(path, axis));
      name_scale(entry.axes.back());
    }
    dataset_at[path] = datasets.size();
    datasets.push_back(std::move(entry));
  }

  /// Takes the blocks on disk now. A disk that fills up in the midst of a collective write is worse: with
  /// Open MPI 4.1 all ranks then wait for each other for ever. File systems that cannot reserve are left
  /// alone. Rank 0 only.
  void take_blocks(std::int64_t offset, std::int64_t bytes, const std::string& what) const {
    const int descriptor = ::open(temporary.c_str(), O_WRONLY | O_CLOEXEC);
    const int status = descriptor < 0 ? -1 : ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, bytes);
    const int reason = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (status != 0 && (descriptor < 0 || reason == ENOSPC || reason == EDQUOT || reason == EFBIG)) {
      throw Error(Exit::io, "cannot write " + what + " (" + std::to_string(bytes) +
                                " bytes): " + std::strerror(reason));
    }
  }

  /// Room for `bytes` at `offset` and for HDF5's own notes behind them; some way ahead, since asking is
  /// collective.
  void reserve(std::int64_t offset, std::int64_t bytes, const std::string& what) {
    const std::int64_t needed = offset + bytes + notes_margin;
    if (needed <= reserved_until) return;
    const std::int64_t until = needed + reserve_ahead;
    parallel::together(comm, "", [&] {
      if (comm.root()) take_blocks(offset, until - offset, what);
    });
    reserved_until = until;
  }

  void reserve_dataset(hid_t made, const std::string& path, std::int64_t bytes) {
    const haddr_t offset = H5Dget_offset(made);
    if (bytes > 0 && offset != HADDR_UNDEF) reserve(static_cast<std::int64_t>(offset), bytes, in_file(path));
  }

  /// For what attaching scales adds to each dataset. HDF5 itself does not know the file's size between a
  /// collective write and the next flush.
  void reserve_scales() const {
    parallel::together(comm, "", [&] {
      if (!comm.root()) return;
      std::error_code unknown;
      const auto size = std::filesystem::file_size(temporary, unknown);
      take_blocks(unknown ? 0 : static_cast<std::int64_t>(size),
                  notes_margin + notes_per_dataset * static_cast<std::int64_t>(datasets.size()),
                  final_path.string());
    });
  }

  void name_scale(const std::string& path) {
    if (std::find(scales.begin(), scales.end(), path) == scales.end()) scales.push_back(path);
  }

  [[nodiscard]] std::vector<Piece> pieces_of(const Dataset& entry, const std::vector<std::int64_t>& start,
                                             const std::vector<std::int64_t>& count) const {
    return cut_slab(
        start, count,
        std::max<std::int64_t>(1, transfer_limit / static_cast<std::int64_t>(entry.element_bytes)));
  }

  /// `rounds`: the largest number of pieces any rank has.
  void transfer(Dataset& entry, const std::vector<Piece>& pieces, std::int64_t rounds, hid_t type,
                const void* values) {
    if (rounds == 0) return;
    const Handle open(H5Dopen2(file.get(), entry.path.c_str(), H5P_DEFAULT), H5Dclose, Exit::io,
                      "cannot open " + in_file(entry.path));
    for (std::int64_t round = 0; round < rounds; ++round) {
      const auto index = static_cast<std::size_t>(round);
      transfer_piece(entry, open.get(), index < pieces.size() ? &pieces[index] : nullptr, type, values);
    }
    for (const Piece& piece : pieces) entry.written += elements_of(piece.count);
  }

  /// Collective also for a rank that has no piece left.
  void transfer_piece(const Dataset& entry, hid_t open, const Piece* piece, hid_t type, const void* values) {
    const Handle file_space(H5Dget_space(open), H5Sclose, Exit::io,
                            "cannot ask for the shape of " + in_file(entry.path));
    const Handle memory_space = space_of({piece == nullptr ? 1 : elements_of(piece->count)});
    const char* data = static_cast<const char*>(values);
    char nothing = 0;
    if (piece == nullptr) {
      check_hdf5(H5Sselect_none(file_space.get()), Exit::defect, "HDF5 empty selection");
      check_hdf5(H5Sselect_none(memory_space.get()), Exit::defect, "HDF5 empty selection");
      data = &nothing;
    } else {
      if (!piece->count.empty()) {
        check_hdf5(H5Sselect_hyperslab(file_space.get(), H5S_SELECT_SET, extents(piece->start).data(),
                                       nullptr, extents(piece->count).data(), nullptr),
                   Exit::defect, "HDF5 hyperslab of " + in_file(entry.path));
      }
      data += piece->first * static_cast<std::int64_t>(entry.element_bytes);
    }
    const Verdict verdict = write_and_ask(open, type, memory_space.get(), file_space.get(),
                                          transfer_list.get(), data, in_file(entry.path));
    if (!verdict.collective && all_collective) {
      all_collective = false;
      not_collective = verdict.why;
    }
  }

  /// What a rank writes of a dataset that all ranks hold: its block of the first dimension; a single number
  /// is rank 0's.
  [[nodiscard]] std::vector<Piece> share_of(const Dataset& entry, int rank) const {
    if (entry.shape.empty()) return rank == 0 ? pieces_of(entry, {}, {}) : std::vector<Piece>{};
    const parallel::BlockRange block = parallel::block_of(entry.shape[0], comm.size(), rank);
    std::vector<std::int64_t> start(entry.shape.size(), 0), count = entry.shape;
    start[0] = block.begin;
    count[0] = block.size();
    std::vector<Piece> pieces = pieces_of(entry, start, count);
    const std::int64_t before = block.size() == 0 ? 0 : block.begin * (elements_of(count) / block.size());
    for (Piece& piece : pieces) piece.first += before;
    return pieces;
  }

  void write_all(const std::string& path, hid_t type, const void* values) {
    Dataset& entry = dataset(path);
    // Rank 0's block is never shorter than another's.
    const auto rounds = static_cast<std::int64_t>(share_of(entry, 0).size());
    transfer(entry, share_of(entry, comm.rank()), rounds, type, values);
  }

  void put_strings(const std::string& path, const std::vector<std::int64_t>& shape,
                   const std::vector<std::string>& all, const About& about,
                   const std::vector<std::string>& axes) {
    if (elements_of(shape) != static_cast<std::int64_t>(all.size())) {
      throw Error(Exit::defect, in_file(path) + " of shape " + shape_text(shape) + " was given " +
                                    std::to_string(all.size()) + " texts");
    }
    std::vector<std::string> shown;
    std::size_t longest = 1;
    for (const std::string& text : all) {
      shown.push_back(without_nul(text));
      longest = std::max(longest, shown.back().size());
    }
    std::vector<char> padded(longest * shown.size(), '\0');
    for (std::size_t i = 0; i < shown.size(); ++i) {
      std::copy(shown[i].begin(), shown[i].end(), padded.begin() + static_cast<std::ptrdiff_t>(i * longest));
    }
    const Handle type = string_type(longest);
    make(path, shape, type.get(), about, axes);
    write_all(path, type.get(), padded.data());
  }

  void check_filled() const {
    for (const Dataset& entry : datasets) {
      const std::int64_t written = comm.sum(entry.written);
      if (written != elements_of(entry.shape)) {
        throw Error(Exit::defect, in_file(entry.path) + " of shape " + shape_text(entry.shape) +
                                      " was given " + std::to_string(written) + " numbers");
      }
    }
  }

  [[nodiscard]] std::int64_t length_of_axis(const std::string& path) const {
    std::int64_t length = -1;
    for (const Dataset& entry : datasets) {
      for (std::size_t d = 0; d < entry.axes.size(); ++d) {
        if (entry.axes[d] != path) continue;
        if (length >= 0 && length != entry.shape[d]) {
          throw Error(Exit::defect, in_file(entry.path) + ": its axis " + path + " has length " +
                                        std::to_string(entry.shape[d]) + ", elsewhere " +
                                        std::to_string(length));
        }
        length = entry.shape[d];
      }
    }
    return length;
  }

  void make_scales() {
    for (std::size_t s = 0; s < scales.size(); ++s) {
      const std::string path = scales[s];
      const std::int64_t length = length_of_axis(path);
      std::string name = name_of(path);
      if (!dataset_at.contains(path)) {
        std::vector<std::int32_t> positions(static_cast<std::size_t>(length));
        for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = static_cast<std::int32_t>(i);
        const Handle type = type_of<std::int32_t>();
        make(path, {length}, type.get(), {"1", "position along " + name}, {});
        write_all(path, type.get(), positions.data());
        char mark[80];
        std::snprintf(mark, sizeof mark, bare_dimension_mark, static_cast<long long>(length));
        name = mark;
      }
      const Dataset& scale = dataset(path);
      if (scale.shape.size() != 1 || (length >= 0 && scale.shape[0] != length)) {
        throw Error(Exit::defect, in_file(path) + " of shape " + shape_text(scale.shape) +
                                      " cannot be an axis of length " + std::to_string(length));
      }
      const Handle open(H5Dopen2(file.get(), path.c_str(), H5P_DEFAULT), H5Dclose, Exit::io,
                        "cannot open " + in_file(path));
      check_hdf5(H5DSset_scale(open.get(), name.c_str()), Exit::io,
                 "cannot make a dimension scale of " + in_file(path));
    }
  }

  void attach_scales() {
    for (const Dataset& entry : datasets) {
      for (std::size_t d = 0; d < entry.axes.size(); ++d) {
        if (entry.axes[d] == entry.path) continue;  // a coordinate is its own axis
        const Handle open(H5Dopen2(file.get(), entry.path.c_str(), H5P_DEFAULT), H5Dclose, Exit::io,
                          "cannot open " + in_file(entry.path));
        const Handle scale(H5Dopen2(file.get(), entry.axes[d].c_str(), H5P_DEFAULT), H5Dclose, Exit::io,
                           "cannot open " + in_file(entry.axes[d]));
        check_hdf5(H5DSattach_scale(open.get(), scale.get(), static_cast<unsigned>(d)), Exit::io,
                   "cannot attach " + in_file(entry.axes[d]) + " to " + in_file(entry.path));
      }
    }
  }

  void write_timing() {
    std::vector<std::string> names, hosts = comm.all_gather(host_name());
    if (!makers.empty()) hosts = makers;
    std::vector<double> seconds;
    for (const auto& [name, time] : timings) {
      names.push_back(name);
      seconds.push_back(time);
    }
    names = broadcast_texts(comm, names);
    comm.broadcast(seconds);
    ensure_group("timing");
    const auto count = static_cast<std::int64_t>(names.size());
    const Handle group(H5Gopen2(file.get(), "timing", H5P_DEFAULT), H5Gclose, Exit::io,
                       "cannot open " + in_file("timing"));
    put_attribute(group.get(), "timing", "ranks", std::int64_t{std::ssize(hosts)});
    put_strings("timing/host", {std::ssize(hosts)}, hosts, {"1", "host of each rank"}, {"rank"});
    put_strings("timing/phase", {count}, names, {"1", "phase of the run"}, {"phase"});
    const Handle type = type_of<double>();
    make("timing/seconds", {count}, type.get(), {"s", "time of the phase on rank 0"}, {"phase"});
    write_all("timing/seconds", type.get(), seconds.data());
    put_strings("timing/operational", {}, {operational}, {"1", "deck keys that change no result"}, {});
  }

  void close() {
    check_hdf5(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), Exit::io, "cannot flush " + final_path.string());
    transfer_list = Handle();
    check_hdf5(file.close(), Exit::io, "cannot close " + final_path.string());
  }

  /// Gives back what was reserved beyond the end.
  void trim() const {
    std::error_code error;
    const auto size = std::filesystem::file_size(temporary, error);
    if (!error) std::filesystem::resize_file(temporary, size, error);
    if (error) throw Error(Exit::io, "cannot trim " + temporary.string() + ": " + error.message());
  }

  void abandon() noexcept {
    // Closing is collective, and a rank that unwinds cannot know whether the others do; with several ranks
    // the file stays open until MPI ends, without a name.
    if (comm.size() > 1) {
      file.release();
    } else {
      file.close();
    }
    if (!temporary.empty() && ::unlink(temporary.c_str()) != 0 && errno != ENOENT) {
      std::fprintf(stderr, "incipit: warning: cannot remove %s: %s\n", temporary.c_str(),
                   std::strerror(errno));
    }
  }
};

Writer::Writer(const parallel::Communicator& comm, const std::filesystem::path& final_path,
               const Header& header)
    : impl_(std::make_unique<Impl>(comm, final_path)) {
  try {
    const Header mine = from_root(comm, header);
    impl_->open(mine);
    impl_->operational = mine.operational;
    impl_->write_root(mine);
    strings("deck", {}, {mine.deck}, {"1", "resolved input deck"});
    std::vector<std::string> paths, hashes;
    for (const Header::Input& input : mine.inputs) {
      paths.push_back(input.path);
      hashes.push_back(input.sha256);
    }
    const auto count = static_cast<std::int64_t>(paths.size());
    strings("inputs/path", {count}, paths, {"1", "files read"}, {"input"});
    strings("inputs/sha256", {count}, hashes, {"1", "SHA-256 of each file"}, {"input"});
  } catch (...) {
    impl_->abandon();
    throw;
  }
}

Writer::~Writer() {
  writing_ended();
  if (!impl_->committed) impl_->abandon();
}

void Writer::attribute(const std::string& object, const std::string& name, const Attribute& value) {
  std::string call = "attribute " + object + " " + name + " ";
  std::visit(
      [&](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, std::string>) {
          call += v;
        } else {
          call += std::to_string(v);
        }
      },
      value);
  impl_->begin(call);
  if (!impl_->exists(object)) impl_->ensure_group(object);
  const Handle open(H5Oopen(impl_->file.get(), object.empty() ? "/" : object.c_str(), H5P_DEFAULT), H5Oclose,
                    Exit::io, "cannot open " + impl_->in_file(object));
  impl_->put_attribute(open.get(), object, name, value);
}

template <class T>
void Writer::create(const std::string& path, const std::vector<std::int64_t>& shape, const About& about,
                    const std::vector<std::string>& axes) {
  const Handle type = type_of<T>();
  std::string call = "dataset " + path + " " + shape_text(shape) + " " + type_name(type.get()) + " " +
                     about.units + " " + about.long_name;
  for (const std::string& axis : axes) call += " " + axis;
  impl_->begin(call);
  impl_->make(path, shape, type.get(), about, axes);
}

template <class T>
void Writer::write(const std::string& path, const std::vector<std::int64_t>& shape, std::span<const T> all,
                   const About& about, const std::vector<std::string>& axes) {
  if (elements_of(shape) != static_cast<std::int64_t>(all.size())) {
    throw Error(Exit::defect, impl_->in_file(path) + " of shape " + shape_text(shape) + " was given " +
                                  std::to_string(all.size()) + " numbers");
  }
  create<T>(path, shape, about, axes);
  impl_->write_all(path, type_of<T>().get(), all.data());
}

template <class T>
void Writer::write_slab(const std::string& path, const std::vector<std::int64_t>& start,
                        const std::vector<std::int64_t>& count, std::span<const T> values) {
  const Handle type = type_of<T>();
  Impl::Dataset& entry = impl_->dataset(path);
  if (entry.element_class != H5Tget_class(type.get()) || entry.element_bytes != H5Tget_size(type.get())) {
    throw Error(Exit::defect,
                impl_->in_file(path) + " was created with another type than " + type_name(type.get()));
  }
  bool fits = start.size() == entry.shape.size() && count.size() == entry.shape.size();
  const bool empty = fits && elements_of(count) == 0;
  for (std::size_t d = 0; fits && !empty && d < start.size(); ++d) {
    fits = start[d] >= 0 && count[d] > 0 && start[d] + count[d] <= entry.shape[d];
  }
  if (!fits || elements_of(count) != static_cast<std::int64_t>(values.size())) {
    throw Error(Exit::defect, impl_->in_file(path) + " of shape " + shape_text(entry.shape) +
                                  ": no hyperslab at " + shape_text(start) + " of " + shape_text(count) +
                                  " with " + std::to_string(values.size()) + " numbers");
  }
  const std::vector<Piece> pieces = impl_->pieces_of(entry, start, count);
  const std::int64_t rounds = impl_->begin("slab " + path, static_cast<std::int64_t>(pieces.size()));
  impl_->transfer(entry, pieces, rounds, type.get(), values.data());
}

void Writer::strings(const std::string& path, const std::vector<std::int64_t>& shape,
                     const std::vector<std::string>& all, const About& about,
                     const std::vector<std::string>& axes) {
  std::string call = "strings " + path + " " + shape_text(shape) + " " + about.units + " " + about.long_name;
  for (const std::string& axis : axes) call += " " + axis;
  // The longest text sets the type, so all must agree on all texts.
  Sha256 texts;
  for (const std::string& text : all) {
    texts.update(text);
    texts.update(std::string_view("\0", 1));
  }
  impl_->begin(call + " " + texts.hex());
  impl_->put_strings(path, shape, all, about, axes);
}

void Writer::make_scale(const std::string& path) {
  impl_->begin("scale " + path);
  static_cast<void>(impl_->dataset(path));
  impl_->name_scale(path);
}

void Writer::timing(const std::string& name, double seconds) {
  impl_->timings.emplace_back(name, seconds);
}
void Writer::made_by(std::vector<std::string> hosts) {
  impl_->makers = std::move(hosts);
}
bool Writer::collective() const {
  return impl_->all_collective;
}
std::string Writer::why_not_collective() const {
  return impl_->not_collective;
}
void Writer::set_transfer_limit(std::int64_t bytes) {
  impl_->transfer_limit = bytes;
}
const std::filesystem::path& Writer::path() const {
  return impl_->final_path;
}

void Writer::commit() {
  impl_->begin("commit");
  impl_->check_filled();
  impl_->reserve_scales();
  impl_->write_timing();
  impl_->make_scales();
  impl_->attach_scales();
  parallel::together(impl_->comm, "", [&] { impl_->close(); });
  parallel::together(impl_->comm, "", [&] {
    if (!impl_->comm.root()) return;
    impl_->trim();
    publish(impl_->temporary, impl_->final_path);
  });
  impl_->committed = true;
}

#define INCIPIT_WRITER_OF(T)                                                                               \
  template void Writer::write<T>(const std::string&, const std::vector<std::int64_t>&, std::span<const T>, \
                                 const About&, const std::vector<std::string>&);                           \
  template void Writer::create<T>(const std::string&, const std::vector<std::int64_t>&, const About&,      \
                                  const std::vector<std::string>&);                                        \
  template void Writer::write_slab<T>(const std::string&, const std::vector<std::int64_t>&,                \
                                      const std::vector<std::int64_t>&, std::span<const T>);
INCIPIT_WRITER_OF(float)
INCIPIT_WRITER_OF(double)
INCIPIT_WRITER_OF(std::int8_t)
INCIPIT_WRITER_OF(std::uint8_t)
INCIPIT_WRITER_OF(std::int32_t)
INCIPIT_WRITER_OF(std::int64_t)
INCIPIT_WRITER_OF(Half)
#undef INCIPIT_WRITER_OF

}  // namespace incipit::store

#include "store/reader.hpp"

#include <fcntl.h>
#include <hdf5.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "error.hpp"
#include "meters.hpp"
#include "store/collective.hpp"
#include "store/handle.hpp"
#include "store/types.hpp"

namespace incipit::store {

namespace {

std::string basename_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string group_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

void check_readable(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error(Exit::io, "cannot open " + path.string() + ": " + std::strerror(errno));
  ::close(descriptor);
}

Handle open_file(const std::filesystem::path& path) {
  start_hdf5();
  check_readable(path);
  if (H5Fis_hdf5(path.c_str()) <= 0) {
    throw Error(Exit::data,
                path.string() +
                    " is not an HDF5 file, or its beginning is damaged; if a stage made it, remove "
                    "it and let the stage make it again");
  }
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, Exit::defect, "HDF5 property list");
  // Finished files never change, and locks fail on many parallel file systems.
  check_hdf5(H5Pset_file_locking(access.get(), false, true), Exit::defect, "HDF5 file locking");
  return {H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose, Exit::data,
          path.string() + " is damaged, perhaps cut short; remove it and let its stage make it again"};
}

std::string unpadded(const char* text, std::size_t length) {
  return {text, strnlen(text, length)};
}

herr_t add_name(hid_t /*object*/, const char* name, const H5A_info_t* /*info*/, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

std::string path_of(hid_t object) {
  const ssize_t length = H5Iget_name(object, nullptr, 0);
  if (length <= 0) return "";
  std::string name(static_cast<std::size_t>(length), '\0');
  H5Iget_name(object, name.data(), name.size() + 1);
  return name.substr(1);
}

/// For the name of a scale HDF5 looks through the whole file, so each is asked for once.
struct ScalePaths {
  std::map<hobj_ref_t, std::string>& known;
  std::string found;
};

/// The path of the first scale attached to a dimension.
herr_t take_path(hid_t /*dataset*/, unsigned /*dimension*/, hid_t scale, void* paths) {
  auto& [known, found] = *static_cast<ScalePaths*>(paths);
  hobj_ref_t at = 0;
  if (H5Rcreate(&at, scale, ".", H5R_OBJECT, -1) < 0) return 1;
  const auto [entry, added] = known.try_emplace(at);
  if (added) entry->second = path_of(scale);
  found = entry->second;
  return 1;
}

}  // namespace

struct Reader::Impl {
  std::filesystem::path path;
  std::string kind;
  Handle file;
  std::map<hobj_ref_t, std::string> scale_paths;

  [[nodiscard]] std::string at(const std::string& object) const { return path.string() + ": /" + object; }

  [[nodiscard]] bool exists(const std::string& object) const {
    for (std::size_t slash = object.find('/'); slash != std::string::npos;
         slash = object.find('/', slash + 1)) {
      if (H5Lexists(file.get(), object.substr(0, slash).c_str(), H5P_DEFAULT) <= 0) return false;
    }
    return object.empty() || H5Lexists(file.get(), object.c_str(), H5P_DEFAULT) > 0;
  }

  [[nodiscard]] Handle object(const std::string& name) const {
    if (!exists(name)) throw Error(Exit::data, at(name) + " is missing");
    return {H5Oopen(file.get(), name.empty() ? "/" : name.c_str(), H5P_DEFAULT), H5Oclose, Exit::data,
            "cannot open " + at(name)};
  }

  [[nodiscard]] Handle dataset(const std::string& name) const {
    Handle opened = object(name);
    if (H5Iget_type(opened.get()) != H5I_DATASET)
      throw Error(Exit::data, at(name) + " is a group, not a dataset");
    return opened;
  }

  [[nodiscard]] Handle space(hid_t opened, const std::string& name) const {
    return {H5Dget_space(opened), H5Sclose, Exit::data, "cannot read the shape of " + at(name)};
  }

  [[nodiscard]] Handle stored_type(hid_t opened, const std::string& name) const {
    return {H5Dget_type(opened), H5Tclose, Exit::data, "cannot read the type of " + at(name)};
  }

  [[nodiscard]] std::vector<std::int64_t> shape(hid_t opened, const std::string& name) const {
    const Handle extent = space(opened, name);
    const int rank = check_hdf5(H5Sget_simple_extent_ndims(extent.get()), Exit::data,
                                "cannot read the shape of " + at(name));
    std::vector<hsize_t> sizes(static_cast<std::size_t>(rank));
    H5Sget_simple_extent_dims(extent.get(), sizes.data(), nullptr);
    return {sizes.begin(), sizes.end()};
  }

  /// HDF5 would clip or truncate silently where these do not fit.
  void check_conversion(hid_t opened, const std::string& name, hid_t wanted) const {
    const Handle found = stored_type(opened, name);
    const H5T_class_t kind_found = H5Tget_class(found.get()), kind_wanted = H5Tget_class(wanted);
    const bool integers = kind_wanted == H5T_INTEGER;
    const bool loses = integers && (H5Tget_sign(found.get()) == H5Tget_sign(wanted)
                                        ? H5Tget_size(found.get()) > H5Tget_size(wanted)
                                        : H5Tget_sign(wanted) == H5T_SGN_NONE ||
                                              H5Tget_size(found.get()) >= H5Tget_size(wanted));
    if (kind_found != kind_wanted || loses) {
      throw Error(Exit::data,
                  at(name) + ": expected " + type_name(wanted) + ", found " + type_name(found.get()));
    }
  }

  void read(hid_t opened, const std::string& name, hid_t type, hid_t memory, hid_t selection,
            void* values) const {
    check_hdf5(H5Dread(opened, type, memory, selection, H5P_DEFAULT, values), Exit::data,
               "cannot read " + at(name) + "; the file may be cut short");
    const Handle whole(H5Dget_space(opened), H5Sclose, Exit::data, at(name));
    const auto elements = H5Sget_select_npoints(selection == H5S_ALL ? whole.get() : selection);
    meters.bytes_read += static_cast<std::uint64_t>(elements) * H5Tget_size(type);
  }

  [[nodiscard]] Handle attribute(hid_t opened, const std::string& object_name,
                                 const std::string& name) const {
    if (H5Aexists(opened, name.c_str()) <= 0) {
      throw Error(Exit::data, at(object_name) + " has no attribute " + name);
    }
    return {H5Aopen(opened, name.c_str(), H5P_DEFAULT), H5Aclose, Exit::data,
            "cannot open the attribute " + name + " of " + at(object_name)};
  }

  template <class T>
  [[nodiscard]] T attribute_as(const std::string& object_name, const std::string& name) const {
    const Handle opened = object(object_name), found = attribute(opened.get(), object_name, name);
    const Handle wanted = type_of<T>();
    T value{};
    check_hdf5(H5Aread(found.get(), wanted.get(), &value), Exit::data,
               "the attribute " + name + " of " + at(object_name) + " is no number");
    return value;
  }

  [[nodiscard]] std::string attribute_text(const std::string& object_name, const std::string& name) const {
    const Handle opened = object(object_name), found = attribute(opened.get(), object_name, name);
    const Handle type(H5Aget_type(found.get()), H5Tclose, Exit::data, "cannot read the type of an attribute");
    if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0) {
      throw Error(Exit::data, "the attribute " + name + " of " + at(object_name) +
                                  ": expected a fixed-length string, found " + type_name(type.get()));
    }
    std::string text(H5Tget_size(type.get()), '\0');
    check_hdf5(H5Aread(found.get(), type.get(), text.data()), Exit::data,
               "cannot read the attribute " + name + " of " + at(object_name));
    return unpadded(text.data(), text.size());
  }

  void check_format(const std::string& expected) {
    const Handle root = object("");
    if (H5Aexists(root.get(), "format") <= 0 || H5Aexists(root.get(), "format_version") <= 0) {
      throw Error(Exit::data,
                  path.string() + " is an HDF5 file, but not one of Incipit's (no format attribute)");
    }
    const std::string format = attribute_text("", "format"), prefix = "incipit/";
    if (format.compare(0, prefix.size(), prefix) != 0 || (!expected.empty() && format != prefix + expected)) {
      throw Error(Exit::data, path.string() + ": expected format " + prefix +
                                  (expected.empty() ? "…" : expected) + ", found " + format);
    }
    kind = format.substr(prefix.size());
    const std::string version = attribute_text("", "format_version");
    if (version.substr(0, version.find('.')) != std::to_string(format_major)) {
      throw Error(Exit::data, path.string() + ": expected format version " + std::to_string(format_major) +
                                  ".x, found " + version + "; it was written by another version of Incipit");
    }
  }
};

Reader::Reader(const std::filesystem::path& path, const std::string& kind) : impl_(std::make_unique<Impl>()) {
  impl_->path = path;
  impl_->file = open_file(path);
  impl_->check_format(kind);
}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

const std::filesystem::path& Reader::path() const {
  return impl_->path;
}
const std::string& Reader::kind() const {
  return impl_->kind;
}
std::string Reader::fingerprint() const {
  return attribute_string("", "fingerprint");
}
std::string Reader::deck() const {
  return strings("deck").front();
}

std::vector<Header::Input> Reader::inputs() const {
  const std::vector<std::string> paths = strings("inputs/path"), hashes = strings("inputs/sha256");
  std::vector<Header::Input> all;
  for (std::size_t i = 0; i < std::min(paths.size(), hashes.size()); ++i)
    all.push_back({paths[i], hashes[i]});
  return all;
}

bool Reader::has(const std::string& path) const {
  return impl_->exists(path);
}

bool Reader::is_group(const std::string& path) const {
  return has(path) && H5Iget_type(impl_->object(path).get()) == H5I_GROUP;
}

std::vector<std::string> Reader::children(const std::string& group) const {
  const Handle opened = impl_->object(group);
  H5G_info_t info{};
  check_hdf5(H5Gget_info(opened.get(), &info), Exit::data, impl_->at(group) + " is not a group");
  std::vector<std::string> names;
  for (hsize_t i = 0; i < info.nlinks; ++i) {
    const auto name_at = [&](char* text, std::size_t size) {
      return H5Lget_name_by_idx(opened.get(), ".", H5_INDEX_CRT_ORDER, H5_ITER_INC, i, text, size,
                                H5P_DEFAULT);
    };
    const ssize_t length = check_hdf5(name_at(nullptr, 0), Exit::data, "cannot list " + impl_->at(group));
    std::string name(static_cast<std::size_t>(length), '\0');
    name_at(name.data(), name.size() + 1);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::int64_t> Reader::shape(const std::string& path) const {
  return impl_->shape(impl_->dataset(path).get(), path);
}

std::string Reader::type(const std::string& path) const {
  const Handle opened = impl_->dataset(path);
  return type_name(impl_->stored_type(opened.get(), path).get());
}

std::vector<std::string> Reader::axes(const std::string& path) const {
  const Handle opened = impl_->dataset(path);
  std::vector<std::string> names(impl_->shape(opened.get(), path).size());
  if (H5DSis_scale(opened.get()) > 0) return {basename_of(path)};
  for (std::size_t d = 0; d < names.size(); ++d) {
    ScalePaths scales{impl_->scale_paths, ""};
    if (H5DSget_num_scales(opened.get(), static_cast<unsigned>(d)) > 0) {
      H5DSiterate_scales(opened.get(), static_cast<unsigned>(d), nullptr, take_path, &scales);
    }
    names[d] = group_of(scales.found) == group_of(path) ? basename_of(scales.found) : scales.found;
  }
  return names;
}

bool Reader::is_bare_dimension(const std::string& path) const {
  const std::string mark = "This is a netCDF dimension but not a netCDF variable";
  return !is_group(path) && has_attribute(path, "NAME") && attribute_string(path, "NAME").rfind(mark, 0) == 0;
}

template <class T>
std::vector<T> Reader::read(const std::string& path) const {
  const Handle opened = impl_->dataset(path), type = type_of<T>();
  impl_->check_conversion(opened.get(), path, type.get());
  std::vector<T> values(static_cast<std::size_t>(elements_of(impl_->shape(opened.get(), path))));
  if (!values.empty()) impl_->read(opened.get(), path, type.get(), H5S_ALL, H5S_ALL, values.data());
  return values;
}

template <class T>
std::vector<T> Reader::read(const std::string& path, const std::vector<std::int64_t>& expected) const {
  const std::vector<std::int64_t> found = shape(path);
  bool fits = found.size() == expected.size();
  for (std::size_t d = 0; fits && d < found.size(); ++d) fits = expected[d] == -1 || expected[d] == found[d];
  if (!fits) {
    throw Error(Exit::data, impl_->at(path) + ": expected shape " + shape_text(expected) + ", found " +
                                shape_text(found));
  }
  return read<T>(path);
}

template <class T>
void Reader::read_slab(const std::string& path, const std::vector<std::int64_t>& start,
                       const std::vector<std::int64_t>& count, std::span<T> values) const {
  const Handle opened = impl_->dataset(path), type = type_of<T>();
  impl_->check_conversion(opened.get(), path, type.get());
  const std::vector<std::int64_t> whole = impl_->shape(opened.get(), path);
  bool fits = start.size() == whole.size() && count.size() == whole.size();
  for (std::size_t d = 0; fits && d < whole.size(); ++d) {
    fits = start[d] >= 0 && count[d] >= 0 && start[d] + count[d] <= whole[d];
  }
  if (!fits) {
    throw Error(Exit::data, impl_->at(path) + ": expected a hyperslab at " + shape_text(start) + " of " +
                                shape_text(count) + ", found shape " + shape_text(whole));
  }
  if (elements_of(count) != static_cast<std::int64_t>(values.size())) {
    throw Error(Exit::defect, impl_->at(path) + ": room for " + std::to_string(values.size()) +
                                  " numbers given to read " + shape_text(count));
  }
  if (values.empty()) return;
  const std::vector<hsize_t> from(start.begin(), start.end()), extent(count.begin(), count.end());
  const Handle selection = impl_->space(opened.get(), path);
  if (!extent.empty()) {
    check_hdf5(
        H5Sselect_hyperslab(selection.get(), H5S_SELECT_SET, from.data(), nullptr, extent.data(), nullptr),
        Exit::defect, "HDF5 hyperslab of " + impl_->at(path));
  }
  const hsize_t length = values.size();
  const Handle memory(H5Screate_simple(1, &length, nullptr), H5Sclose, Exit::defect, "HDF5 dataspace");
  impl_->read(opened.get(), path, type.get(), memory.get(), selection.get(), values.data());
}

std::vector<std::string> Reader::strings(const std::string& path) const {
  const Handle opened = impl_->dataset(path), type = impl_->stored_type(opened.get(), path);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Tis_variable_str(type.get()) > 0) {
    throw Error(Exit::data,
                impl_->at(path) + ": expected fixed-length strings, found " + type_name(type.get()));
  }
  const auto count = static_cast<std::size_t>(elements_of(impl_->shape(opened.get(), path)));
  const std::size_t length = H5Tget_size(type.get());
  std::vector<char> padded(count * length);
  if (count > 0) impl_->read(opened.get(), path, type.get(), H5S_ALL, H5S_ALL, padded.data());
  std::vector<std::string> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(unpadded(padded.data() + i * length, length));
  return all;
}

std::vector<std::string> Reader::attributes(const std::string& object) const {
  const Handle opened = impl_->object(object);
  std::vector<std::string> names;
  hsize_t next = 0;
  check_hdf5(H5Aiterate2(opened.get(), H5_INDEX_CRT_ORDER, H5_ITER_INC, &next, add_name, &names), Exit::data,
             "cannot list the attributes of " + impl_->at(object));
  return names;
}

bool Reader::has_attribute(const std::string& object, const std::string& name) const {
  return has(object) && H5Aexists(impl_->object(object).get(), name.c_str()) > 0;
}

std::string Reader::attribute_string(const std::string& object, const std::string& name) const {
  return impl_->attribute_text(object, name);
}
double Reader::attribute_number(const std::string& object, const std::string& name) const {
  return impl_->attribute_as<double>(object, name);
}
std::int64_t Reader::attribute_integer(const std::string& object, const std::string& name) const {
  return impl_->attribute_as<std::int64_t>(object, name);
}

#define INCIPIT_READER_OF(T)                                                                           \
  template std::vector<T> Reader::read<T>(const std::string&) const;                                   \
  template std::vector<T> Reader::read<T>(const std::string&, const std::vector<std::int64_t>&) const; \
  template void Reader::read_slab<T>(const std::string&, const std::vector<std::int64_t>&,             \
                                     const std::vector<std::int64_t>&, std::span<T>) const;
INCIPIT_READER_OF(float)
INCIPIT_READER_OF(double)
INCIPIT_READER_OF(std::int8_t)
INCIPIT_READER_OF(std::uint8_t)
INCIPIT_READER_OF(std::int32_t)
INCIPIT_READER_OF(std::int64_t)
INCIPIT_READER_OF(std::uint64_t)
INCIPIT_READER_OF(Half)
#undef INCIPIT_READER_OF

}  // namespace incipit::store

#include "store/handle.hpp"

namespace incipit::store {

namespace {

herr_t keep_deepest(unsigned /*depth*/, const H5E_error2_t* entry, void* text) {
  // Walked from the public call downwards, so the last one kept is where it went wrong.
  if (entry->desc != nullptr && *entry->desc != '\0') *static_cast<std::string*>(text) = entry->desc;
  return 0;
}

}  // namespace

std::string hdf5_message() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep_deepest, &text);
  return text.empty() ? "no reason given" : text;
}

void start_hdf5() {
  static const bool started = [] {
    check_hdf5(H5open(), Exit::defect, "HDF5 cannot be started");
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  static_cast<void>(started);
}

void hdf5_failed(Exit code, const std::string& what) {
  throw Error(code, what + " (HDF5: " + hdf5_message() + ")");
}

}  // namespace incipit::store

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "device/matmul.hpp"
#include "launch.cuh"

namespace incipit::device::cuda {

/// Dense products by cuBLASLt; on the host's shim by plain loops. The only code that knows the library.
class Products {
 public:
  Products();
  ~Products();
  Products(const Products&) = delete;
  Products& operator=(const Products&) = delete;

  void run(const MatrixProduct<float>& product, const Call& call);
  void run(const MatrixProduct<double>& product, const Call& call);
  void run(const MatrixProduct<Float16>& product, const Call& call);
  void run(const MatrixProduct<Float16, float>& product, const Call& call);
  void run(const MatrixProduct<BFloat16>& product, const Call& call);
  void run(const MatrixProduct<BFloat16, float>& product, const Call& call);
  [[nodiscard]] std::string version() const;
  /// A line for each problem so far: its sizes, types, strides and alignments, and the library's choice.
  [[nodiscard]] std::vector<std::string> choices() const;

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace incipit::device::cuda

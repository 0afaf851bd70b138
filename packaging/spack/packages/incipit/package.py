import pathlib

from spack.package import *

try:  # Spack 1.0 has these with the packages; before, they came with the line above.
    from spack_repo.builtin.build_systems.cmake import CMakePackage, generator
    from spack_repo.builtin.build_systems.cuda import CudaPackage
except ImportError:
    pass


class Incipit(CMakePackage, CudaPackage):
    """When, where and at what scale concepts are born inside a language model."""

    # The checkout that this file lies in.
    git = "file://" + str(pathlib.Path(__file__).resolve().parents[4])

    license("Apache-2.0")

    version("main", branch="main")

    variant("tests", default=False, description="Build the tests")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10.8:+mpi+hl")
    depends_on("boost@1.70:+program_options")
    depends_on("blas")
    depends_on("lapack")
    depends_on("icu4c")
    depends_on("openssl")
    depends_on("curl@7.85:")
    depends_on("zlib-api")
    depends_on("fmt@9:")
    depends_on("nlohmann-json@3.11:")
    depends_on("googletest@1.12:", when="+tests")
    depends_on("cuda@12.2:", when="+cuda")

    conflicts("%gcc@:11", msg="C++20")
    # kernels/ wants what Ampere brought.
    for old in CudaPackage.cuda_arch_values:
        if old.isdigit() and int(old) < 80:
            conflicts(f"cuda_arch={old}")

    generator("ninja")

    def cmake_args(self):
        args = [
            self.define_from_variant("INCIPIT_TESTS", "tests"),
            self.define_from_variant("INCIPIT_CUDA", "cuda"),
            # Spack's compiler wrapper says for which processor.
            self.define("INCIPIT_ARCH", ""),
        ]
        if self.spec.satisfies("+cuda") and "none" not in self.spec.variants["cuda_arch"].value:
            args.append(self.define("CMAKE_CUDA_ARCHITECTURES", list(self.spec.variants["cuda_arch"].value)))
        return args

#include "store/collective.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "fixture.hpp"
#include "store/types.hpp"

namespace incipit::store {
namespace {

TEST(CutSlab, CoversTheSlabInMemoryOrder) {
  const std::vector<std::int64_t> start{2, 0, 1}, count{3, 4, 5};
  for (const std::int64_t most : {1, 2, 4, 5, 7, 10, 19, 20, 39, 60, 1000}) {
    std::int64_t next = 0;
    for (const Piece& piece : cut_slab(start, count, most)) {
      EXPECT_EQ(piece.first, next);
      const std::int64_t size = elements_of(piece.count);
      EXPECT_LE(size, most);
      EXPECT_GE(size, 1);
      // The piece's first element in the slab's own row-major order is where its memory starts.
      const std::int64_t l = piece.start[0] - 2, p = piece.start[1], d = piece.start[2] - 1;
      EXPECT_EQ((l * 4 + p) * 5 + d, next);
      next += size;
    }
    EXPECT_EQ(next, 60) << most;
  }
}

TEST(CutSlab, OfNothingAndOfOneNumber) {
  EXPECT_TRUE(cut_slab({0, 0}, {0, 4}, 10).empty());
  ASSERT_EQ(cut_slab({}, {}, 10).size(), 1U);
}

/// A file with one dataset x of 8 floats, written to in whatever way a test wants.
class CollectiveTest : public FolderTest {
 protected:
  void SetUp() override {
    start_hdf5();
    const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, Exit::defect, "list");
    check_hdf5(H5Pset_fapl_mpio(access.get(), world_.handle(), MPI_INFO_NULL), Exit::defect, "driver");
    file_ = Handle(H5Fcreate((folder_ / "x.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), H5Fclose,
                   Exit::io, "file");
    const hsize_t length = 8;
    space_ = Handle(H5Screate_simple(1, &length, nullptr), H5Sclose, Exit::defect, "space");
    dataset_ = Handle(
        H5Dcreate2(file_.get(), "x", H5T_IEEE_F32LE, space_.get(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
        H5Dclose, Exit::io, "dataset");
    // Rank 0 writes everything, the others take part with nothing.
    if (!world_.root()) check_hdf5(H5Sselect_none(space_.get()), Exit::defect, "selection");
  }

  template <class T>
  Verdict write(hid_t transfer) {
    const std::vector<T> values(8, T{1});
    const Handle type = type_of<T>();
    return write_and_ask(dataset_.get(), type.get(), space_.get(), space_.get(), transfer, values.data(),
                         "x");
  }

  Handle file_, space_, dataset_;
};

TEST_F(CollectiveTest, ACollectiveWriteIsSeenAsOne) {
  const Verdict verdict = write<float>(collective_transfer().get());
  EXPECT_TRUE(verdict.collective) << verdict.why;
}

TEST_F(CollectiveTest, AnIndependentWriteIsFoundOut) {
  const Handle independent(H5Pcreate(H5P_DATASET_XFER), H5Pclose, Exit::defect, "list");
  const Verdict verdict = write<float>(independent.get());
  EXPECT_FALSE(verdict.collective);
  EXPECT_NE(verdict.why.find("independent"), std::string::npos) << verdict.why;
}

TEST_F(CollectiveTest, AConvertingWriteIsFoundOut) {
  const Verdict verdict = write<double>(collective_transfer().get());
  EXPECT_FALSE(verdict.collective);
  EXPECT_NE(verdict.why.find("types in memory and on file differ"), std::string::npos) << verdict.why;
}

}  // namespace
}  // namespace incipit::store

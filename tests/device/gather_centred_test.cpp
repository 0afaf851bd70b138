#include "device/gather_centred.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class GatherCentredOn : public OnEveryDevice {};

template <class T>
void check(Device& device, std::int64_t d, bool with_index) {
  const std::vector<T> rows = normals_of<T>(20 * d, 1);
  const std::vector<T> centre = normals_of<T>(d, 2);
  const std::vector<std::int32_t> index = {19, 0, 3, 3, 7};
  const Buffer<T> rows_on = on(device, rows);
  const Buffer<T> centre_on = on(device, centre);
  const Buffer<std::int32_t> index_on = on(device, index);
  Buffer<T> out(device, static_cast<std::size_t>(5 * d));
  device.gather_centred(GatherCentred<T>{.n = 5,
                                         .d = d,
                                         .rows = rows_on.data(),
                                         .index = with_index ? index_on.data() : nullptr,
                                         .centre = centre_on.data(),
                                         .out = out.data()});
  std::vector<T> expected;
  for (std::size_t i = 0; i < index.size(); ++i)
    for (std::int64_t c = 0; c < d; ++c)
      expected.push_back(rows[(with_index ? static_cast<std::size_t>(index[i]) : i) * d + c] - centre[c]);
  EXPECT_EQ(out.download(), expected);
}

TEST_P(GatherCentredOn, SubtractsTheCentreFromTheRowsAsked) {
  for (const std::int64_t d : {1, 7, 64, 1000}) {
    for (const bool with_index : {false, true}) {
      check<float>(*device_, d, with_index);
      check<double>(*device_, d, with_index);
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(GatherCentredOn);

}  // namespace
}  // namespace incipit::device

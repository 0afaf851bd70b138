#include "device/gather_centred.hpp"

#include "sae_checks.hpp"

namespace incipit::device {
namespace {

class GatherCentredOn : public OnEveryDevice {};

template <class T>
void check(Device& device, std::int64_t problems, std::int64_t d, bool with_index) {
  constexpr std::int64_t n = 5;
  const std::vector<T> rows = normals_of<T>(30 * d, 1);
  const std::vector<T> centre = normals_of<T>(problems * d, 2);
  Random random(4, Purpose::test, 0);
  std::vector<std::int32_t> index(static_cast<std::size_t>(problems * n));
  for (std::int32_t& row : index) row = static_cast<std::int32_t>(random.below(30));
  const Buffer<T> rows_on = on(device, rows);
  const Buffer<T> centre_on = on(device, centre);
  const Buffer<std::int32_t> index_on = on(device, index);
  Buffer<T> out(device, static_cast<std::size_t>(problems * n * d));
  device.gather_centred(GatherCentred<T>{.problems = problems,
                                         .n = n,
                                         .d = d,
                                         .rows = rows_on.data(),
                                         .index = with_index ? index_on.data() : nullptr,
                                         .centre = centre_on.data(),
                                         .out = out.data()});
  std::vector<T> expected;
  for (std::int64_t i = 0; i < problems * n; ++i)
    for (std::int64_t c = 0; c < d; ++c)
      expected.push_back(rows[(with_index ? index[i] : i) * d + c] - centre[i / n * d + c]);
  EXPECT_EQ(out.download(), expected);
}

TEST_P(GatherCentredOn, SubtractsTheCentreFromTheRowsAsked) {
  for (const std::int64_t problems : problem_counts) {
    for (const std::int64_t d : {1, 7, 64, 1000}) {
      for (const bool with_index : {false, true}) {
        check<float>(*device_, problems, d, with_index);
        check<double>(*device_, problems, d, with_index);
      }
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(GatherCentredOn);

}  // namespace
}  // namespace incipit::device

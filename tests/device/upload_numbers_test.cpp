#include "device/upload_numbers.hpp"

#include <cstring>
#include <limits>
#include <thread>

#include "numbers.hpp"

namespace incipit::device {
namespace {

template <class From>
std::vector<From> made_of(std::span<const float> values) {
  if constexpr (std::same_as<From, double>) {
    std::vector<double> numbers;
    // A tail that fp32 does not hold, so that rounding is seen.
    for (const float x : values) numbers.push_back(static_cast<double>(x) * (1 + 0x1p-30));
    return numbers;
  } else {
    return as_numbers<From>(values);
  }
}

template <class From>
float expected_float(From x) {
  if constexpr (std::same_as<From, double>) {
    return static_cast<float>(x);
  } else {
    return to_float(x);
  }
}

/// test.operator()<From, To>() for every pair.
template <class Test>
void for_every_pair(Test test) {
  for_every_number([&]<Number To>() {
    for_every_number([&]<Number From>() { test.template operator()<From, To>(); });
    test.template operator()<double, To>();
  });
}

class UploadNumbersTest : public OnEveryDevice {
 protected:
  template <class From, Number To>
  std::int64_t upload(const std::vector<From>& numbers, Buffer<To>& to) {
    // One byte off, as tensors in files may lie.
    std::vector<std::byte> bytes(numbers.size() * sizeof(From) + 1);
    std::memcpy(bytes.data() + 1, numbers.data(), numbers.size() * sizeof(From));
    return device_->upload_numbers({.count = static_cast<std::int64_t>(numbers.size()),
                                    .from = number_type<From>,
                                    .host = bytes.data() + 1,
                                    .to = number_type<To>,
                                    .device = to.data()});
  }
};

// Conversions are exact or rounded once: equal, not near.
TEST_P(UploadNumbersTest, ConvertsToTheNearest) {
  for_every_pair([&]<class From, Number To>() {
    for (const std::size_t n :
         {std::size_t{1}, std::size_t{2}, std::size_t{31}, std::size_t{257}, std::size_t{70001}}) {
      const auto numbers = made_of<From>(normals(n, n));
      Buffer<To> to(*device_, n);
      ASSERT_EQ(upload(numbers, to), static_cast<std::int64_t>(n));
      const std::vector<float> found = from_device(to);
      for (std::size_t i = 0; i < n; ++i)
        ASSERT_EQ(found[i], to_float(round_to<To>(expected_float(numbers[i])))) << i << " of " << n;
    }
  });
}

TEST_P(UploadNumbersTest, FindsTheFirstThatIsNotFinite) {
  for_every_pair([&]<class From, Number To>() {
    std::vector<float> values = normals(20000, 3);
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t first : {std::size_t{0}, std::size_t{4095}, std::size_t{17001}}) {
        std::vector<float> spoiled = values;
        spoiled[first] = spoiled[19999] = bad;
        Buffer<To> to(*device_, spoiled.size());
        ASSERT_EQ(upload(made_of<From>(spoiled), to), static_cast<std::int64_t>(first));
        const float found = from_device(to)[first];
        EXPECT_EQ(std::isnan(found), std::isnan(bad));
        EXPECT_FALSE(std::isfinite(found));
      }
    }
  });
}

TEST_P(UploadNumbersTest, FindsWhatTheArithmeticDoesNotHold) {
  Buffer<Float16> to(*device_, 3);
  EXPECT_EQ(upload(std::vector<float>{65504, 65519, 65520}, to), 2);
  EXPECT_EQ(upload(std::vector<double>{1, 1e300, 2}, to), 1);
  Buffer<BFloat16> wide(*device_, 3);
  EXPECT_EQ(upload(std::vector<float>{65504, 65519, 65520}, wide), 3);
}

// More than a pinned half, so that both are used in turn.
TEST_P(UploadNumbersTest, TakesMoreThanOnePart) {
  std::vector<float> values((std::size_t{5} << 20U) + 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 8191);
  const auto numbers = made_of<float>(values);
  Buffer<float> to(*device_, values.size());
  ASSERT_EQ(upload(numbers, to), static_cast<std::int64_t>(values.size()));
  EXPECT_EQ(to.download(), values);
}

TEST_P(UploadNumbersTest, MayComeFromASecondThread) {
  const auto numbers = made_of<Float16>(normals(5000, 9));
  Buffer<float> to(*device_, numbers.size());
  std::int64_t bad = 0;
  std::thread([&] { bad = upload(numbers, to); }).join();
  EXPECT_EQ(bad, 5000);
  const auto found = to.download();
  for (std::size_t i = 0; i < numbers.size(); ++i) ASSERT_EQ(found[i], to_float(numbers[i]));
}

TEST_P(UploadNumbersTest, NothingIsNothing) {
  EXPECT_EQ(device_->upload_numbers({}), 0);
}

INCIPIT_ON_EVERY_DEVICE(UploadNumbersTest);

}  // namespace
}  // namespace incipit::device

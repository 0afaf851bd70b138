#include "device/rotary_split.hpp"

#include <algorithm>
#include <cmath>

#include "error.hpp"
#include "numbers.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct RotaryCase {
  std::int64_t rows, heads, head_size, rotary_dims;
  bool bias = true;
  bool q = true, k = true, v = true;
};

struct RotaryProblem {
  explicit RotaryProblem(const RotaryCase& c_) : c(c_), sections(c_.q + c_.k + c_.v) {
    const auto width = static_cast<std::size_t>(sections * c.heads * c.head_size);
    in = normals(static_cast<std::size_t>(c.rows) * width, 10);
    bias = normals(width, 11);
    const std::int64_t half = c.rotary_dims / 2;
    for (int place = 0; place < 50; ++place) {
      for (std::int64_t j = 0; j < half; ++j) {
        const double angle = place * std::pow(10.0, -static_cast<double>(j) / static_cast<double>(half));
        cos.push_back(static_cast<float>(std::cos(angle)));
        sin.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    for (std::int64_t row = 0; row < c.rows; ++row)
      position.push_back(static_cast<std::int32_t>((row * 7) % 50));
  }
  RotaryCase c;
  std::int64_t sections;
  std::vector<float> in, bias, cos, sin;
  std::vector<std::int32_t> position;
};

/// The outputs that were asked for, one after the other.
template <Number T>
std::vector<float> run(Device& device, const RotaryProblem& problem) {
  const RotaryCase& c = problem.c;
  const Buffer<T> in = to_device<T>(device, problem.in);
  const Buffer<float> bias(device, std::span<const float>(problem.bias));
  const Buffer<float> cos(device, std::span<const float>(problem.cos));
  const Buffer<float> sin(device, std::span<const float>(problem.sin));
  const Buffer<std::int32_t> position(device, std::span<const std::int32_t>(problem.position));
  const std::int64_t size = c.rows * c.heads * c.head_size;
  Buffer<T> out(device, static_cast<std::size_t>(problem.sections * size));
  T* next = out.data();
  const auto place = [&](bool wanted) {
    T* here = wanted ? next : nullptr;
    if (wanted) next += size;
    return here;
  };
  RotarySplit<T> op{.rows = c.rows,
                    .heads = c.heads,
                    .head_size = c.head_size,
                    .rotary_dims = c.rotary_dims,
                    .in = in.data(),
                    .bias = c.bias ? bias.data() : nullptr,
                    .position = position.data(),
                    .cos = cos.data(),
                    .sin = sin.data()};
  op.q = place(c.q);
  op.k = place(c.k);
  op.v = place(c.v);
  device.rotary_split(op);
  return from_device(out);
}

std::vector<double> reference(const RotaryProblem& problem) {
  const RotaryCase& c = problem.c;
  const std::int64_t half = c.rotary_dims / 2;
  const std::int64_t width = problem.sections * c.heads * c.head_size;
  std::vector<bool> rotated;
  if (c.q) rotated.push_back(true);
  if (c.k) rotated.push_back(true);
  if (c.v) rotated.push_back(false);
  std::vector<double> out;
  for (std::int64_t s = 0; s < problem.sections; ++s) {
    for (std::int64_t h = 0; h < c.heads; ++h) {
      for (std::int64_t row = 0; row < c.rows; ++row) {
        const auto value = [&](std::int64_t j) {
          const std::int64_t column = (s * c.heads + h) * c.head_size + j;
          const double bias = c.bias ? problem.bias[static_cast<std::size_t>(column)] : 0.0;
          return bias + problem.in[static_cast<std::size_t>(row * width + column)];
        };
        for (std::int64_t j = 0; j < c.head_size; ++j) {
          if (!rotated[static_cast<std::size_t>(s)] || j >= c.rotary_dims) {
            out.push_back(value(j));
            continue;
          }
          const auto angle =
              static_cast<std::size_t>(problem.position[static_cast<std::size_t>(row)] * half + j % half);
          const double cos = problem.cos[angle];
          const double sin = problem.sin[angle];
          out.push_back(j < half ? value(j) * cos - value(j + half) * sin
                                 : value(j) * cos + value(j - half) * sin);
        }
      }
    }
  }
  return out;
}

class RotarySplitOn : public OnEveryDevice {};

TEST_P(RotarySplitOn, AgreesWithPlainLoops) {
  for (const RotaryCase& shape :
       {RotaryCase{1, 1, 1, 0}, RotaryCase{3, 2, 5, 4}, RotaryCase{17, 3, 7, 2}, RotaryCase{33, 4, 16, 4},
        RotaryCase{40, 12, 64, 16}, RotaryCase{9, 5, 80, 80}, RotaryCase{65, 1, 256, 64},
        RotaryCase{4, 3, 9, 0}}) {
    for (int outputs = 1; outputs < 8; ++outputs) {
      RotaryCase c = shape;
      c.q = (outputs & 1) != 0;
      c.k = (outputs & 2) != 0;
      c.v = (outputs & 4) != 0;
      c.bias = outputs % 3 != 0;
      SCOPED_TRACE(testing::Message() << c.rows << " " << c.heads << "x" << c.head_size << " " << outputs);
      for_every_number([&]<Number T>() {
        RotaryProblem problem(c);
        problem.in = held<T>(problem.in);
        expect_near(run<T>(*device_, problem), reference(problem), allowed<T>(1e-6));
      });
    }
  }
}

// As when a token is added to each of several texts whose keys and values stay.
TEST_P(RotarySplitOn, LaysKeysAndValuesWhereTheyAreWanted) {
  for (const RotaryCase& shape : {RotaryCase{5, 3, 16, 4}, RotaryCase{7, 2, 5, 2}}) {
    for_every_number([&]<Number T>() {
      RotaryProblem problem(shape);
      problem.in = held<T>(problem.in);
      const std::vector<float> in_order = run<T>(*device_, problem);
      const std::int64_t key_rows = 3 * shape.rows + 1;
      std::vector<std::int32_t> place;
      for (std::int64_t row = 0; row < shape.rows; ++row)
        place.push_back(static_cast<std::int32_t>(key_rows - 1 - 3 * row));

      const Buffer<T> in = to_device<T>(*device_, problem.in);
      const Buffer<float> bias(*device_, std::span<const float>(problem.bias));
      const Buffer<float> cos(*device_, std::span<const float>(problem.cos));
      const Buffer<float> sin(*device_, std::span<const float>(problem.sin));
      const Buffer<std::int32_t> position(*device_, std::span<const std::int32_t>(problem.position));
      const Buffer<std::int32_t> places(*device_, std::span<const std::int32_t>(place));
      const std::int64_t width = shape.heads * shape.head_size;
      const std::vector<float> nines(static_cast<std::size_t>(width * key_rows), 9.0F);
      Buffer<T> q(*device_, static_cast<std::size_t>(width * shape.rows));
      Buffer<T> k = to_device<T>(*device_, nines);
      Buffer<T> v = to_device<T>(*device_, nines);
      device_->rotary_split(RotarySplit<T>{.rows = shape.rows,
                                           .heads = shape.heads,
                                           .head_size = shape.head_size,
                                           .rotary_dims = shape.rotary_dims,
                                           .in = in.data(),
                                           .bias = bias.data(),
                                           .position = position.data(),
                                           .cos = cos.data(),
                                           .sin = sin.data(),
                                           .q = q.data(),
                                           .k = k.data(),
                                           .v = v.data(),
                                           .key_rows = key_rows,
                                           .place = places.data()});

      std::vector<float> expected_k = nines;
      std::vector<float> expected_v = nines;
      const auto at = [&](std::int64_t head, std::int64_t row, std::int64_t rows) {
        return (head * rows + row) * shape.head_size;
      };
      for (std::int64_t head = 0; head < shape.heads; ++head) {
        for (std::int64_t row = 0; row < shape.rows; ++row) {
          const auto from = in_order.begin() + shape.rows * width + at(head, row, shape.rows);
          const std::int64_t to = at(head, place[static_cast<std::size_t>(row)], key_rows);
          std::copy_n(from, shape.head_size, expected_k.begin() + to);
          std::copy_n(from + shape.rows * width, shape.head_size, expected_v.begin() + to);
        }
      }
      EXPECT_EQ(from_device(q), std::vector<float>(in_order.begin(), in_order.begin() + shape.rows * width));
      EXPECT_EQ(from_device(k), expected_k);
      EXPECT_EQ(from_device(v), expected_v);
    });
  }
}

TEST_P(RotarySplitOn, RoundsToTheNearestEven) {
  for_every_number([&]<Number T>() {
    // All that is between two neighbours of 16 bits: a bit more than either, halfway, a bit less; the
    // subnormal, the largest and infinity among them.
    std::vector<float> bias;
    for (std::uint32_t high = 0; high < 0x7f81; high += 3) {
      for (const std::uint32_t low :
           {0x0U, 0x1U, 0xfffU, 0x1000U, 0x1001U, 0x3000U, 0x7fffU, 0x8000U, 0x8001U}) {
        bias.push_back(std::bit_cast<float>(high << 16U | low));
        bias.push_back(-bias.back());
      }
    }
    RotaryProblem problem(RotaryCase{.rows = 1,
                                     .heads = 1,
                                     .head_size = static_cast<std::int64_t>(bias.size()),
                                     .rotary_dims = 0,
                                     .k = false,
                                     .v = false});
    problem.in.assign(bias.size(), 0.0F);
    problem.bias = bias;
    const std::vector<float> out = run<T>(*device_, problem);
    const std::vector<float> expected = held<T>(bias);
    for (std::size_t i = 0; i < bias.size(); ++i) {
      ASSERT_TRUE(std::isnan(bias[i]) ? std::isnan(out[i]) : out[i] == expected[i])
          << bias[i] << " became " << out[i] << ", expected " << expected[i];
    }
  });
}

TEST_P(RotarySplitOn, RefusesAnOddNumberOfRotaryDimensions) {
  try {
    device_->rotary_split(RotarySplit<float>{.heads = 1, .head_size = 8, .rotary_dims = 3});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::defect);
  }
}

INCIPIT_ON_EVERY_DEVICE(RotarySplitOn);

TEST(RotarySplit, SameBytesForAnyThreads) {
  const RotaryProblem problem(RotaryCase{301, 3, 20, 10});
  for_every_number([&]<Number T>() {
    expect_same_bytes_for_any_threads([&](Device& device) { return run<T>(device, problem); });
  });
}

}  // namespace
}  // namespace incipit::device

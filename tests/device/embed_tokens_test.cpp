#include "device/embed_tokens.hpp"

#include "every_device.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct EmbeddingProblem {
  EmbeddingProblem(std::int64_t rows_, std::int64_t d_) : rows(rows_), d(d_) {
    word = normals(static_cast<std::size_t>(words * d), 4);
    place = normals(static_cast<std::size_t>(places * d), 5);
    every = normals(static_cast<std::size_t>(d), 6);
    for (std::int64_t i = 0; i < rows; ++i) {
      token.push_back(static_cast<std::int32_t>((i * i + 12) % words));
      position.push_back(static_cast<std::int32_t>((i * 3 + 1) % places));
    }
  }
  static constexpr std::int64_t words = 13;
  static constexpr std::int64_t places = 7;
  std::int64_t rows, d;
  std::vector<float> word, place, every;
  std::vector<std::int32_t> token, position;
};

std::vector<float> run(Device& device, const EmbeddingProblem& problem, bool every_row) {
  const Buffer<float> word(device, std::span<const float>(problem.word));
  const Buffer<float> place(device, std::span<const float>(problem.place));
  const Buffer<float> every(device, std::span<const float>(problem.every));
  const Buffer<std::int32_t> token(device, std::span<const std::int32_t>(problem.token));
  const Buffer<std::int32_t> position(device, std::span<const std::int32_t>(problem.position));
  Buffer<float> out(device, static_cast<std::size_t>(problem.rows * problem.d));
  device.embed_tokens({.rows = problem.rows,
                       .d = problem.d,
                       .token = token.data(),
                       .position = position.data(),
                       .word = word.data(),
                       .place = place.data(),
                       .every = every_row ? every.data() : nullptr,
                       .out = out.data()});
  return out.download();
}

std::vector<double> reference(const EmbeddingProblem& problem, bool every_row) {
  std::vector<double> out;
  for (std::size_t i = 0; i < problem.token.size(); ++i) {
    for (std::int64_t j = 0; j < problem.d; ++j) {
      const auto of = [&](const std::vector<float>& table, std::int64_t row) {
        return static_cast<double>(table[static_cast<std::size_t>(row * problem.d + j)]);
      };
      out.push_back(of(problem.word, problem.token[i]) + of(problem.place, problem.position[i]) +
                    (every_row ? of(problem.every, 0) : 0));
    }
  }
  return out;
}

class EmbedTokensOn : public OnEveryDevice {};

TEST_P(EmbedTokensOn, AgreesWithPlainLoops) {
  for (const std::int64_t rows : {1, 2, 37, 300}) {
    for (const std::int64_t d : {1, 7, 64, 1000}) {
      for (const bool every_row : {true, false}) {
        SCOPED_TRACE(testing::Message() << rows << "x" << d << " " << every_row);
        const EmbeddingProblem problem(rows, d);
        expect_near(run(*device_, problem, every_row), reference(problem, every_row), 2e-7);
      }
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(EmbedTokensOn);

TEST(EmbedTokens, SameBytesForAnyThreads) {
  const EmbeddingProblem problem(301, 97);
  expect_same_bytes_for_any_threads([&](Device& device) { return run(device, problem, true); });
}

}  // namespace
}  // namespace incipit::device

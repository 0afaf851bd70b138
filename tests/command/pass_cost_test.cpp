#include "command/pass_cost.hpp"

#include <gtest/gtest.h>

namespace incipit::command {
namespace {

checkpoint::Config small_config() {
  checkpoint::Config config;
  config.d = 6;
  config.layers = 4;
  config.heads = 2;
  config.mlp = 20;
  return config;
}

/// Texts of 2, 5 and 1 tokens.
std::vector<corpus::Pack> two_packs() {
  return {{{0, 1}, {1, 2, 3, 4, 5, 6, 7}, {0, 2, 7}}, {{2}, {8}, {0, 1}}};
}

double product(double rows, double inner, double columns) {
  return 2 * rows * inner * columns;
}

/// What `queries` rows of a text do beyond keys and values, when they see `pairs` tokens altogether.
double of_queries(const checkpoint::Config& config, double queries, double pairs) {
  const auto d = static_cast<double>(config.d), mlp = static_cast<double>(config.mlp);
  const double attention = product(queries, d, d) + 2 * 2 * pairs * d + product(queries, d, d);
  return attention + product(queries, d, mlp) + product(queries, mlp, d);
}

double counted(const checkpoint::Config& config, std::span<const corpus::Pack> packs, int last) {
  double flops = 0;
  for (const auto& pack : packs)
    for (std::size_t text = 0; text + 1 < pack.starts.size(); ++text) {
      const auto tokens = static_cast<double>(pack.starts[text + 1] - pack.starts[text]);
      for (int layer = 1; layer <= last; ++layer) {
        flops += product(tokens, static_cast<double>(config.d), 2.0 * static_cast<double>(config.d));
        flops += layer < last ? of_queries(config, tokens, tokens * (tokens + 1) / 2)
                              : of_queries(config, 1, tokens);
      }
    }
  return flops;
}

TEST(PassCost, CountsTheLastBlockForLastTokensOnly) {
  const auto config = small_config();
  const auto packs = two_packs();
  for (int last = 0; last <= 4; ++last)
    EXPECT_DOUBLE_EQ(forward_flops(config, packs, last), counted(config, packs, last)) << "block " << last;
}

}  // namespace
}  // namespace incipit::command

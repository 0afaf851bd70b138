#include "checkpoint/safetensors.hpp"

#include "../support.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

/// Parses a header followed by `data` bytes.
std::vector<Tensor> parse(const std::string& header, uint64_t data) {
  return parse_safetensors_header(header, 8 + header.size() + data, "x.safetensors");
}

void refuses(const std::string& header, uint64_t data, std::vector<std::string> parts) {
  parts.emplace_back("x.safetensors");
  test::expect_error(Exit::data, parts, [&] { (void)parse(header, data); });
}

TEST(Safetensors, ReadsAHeader) {
  const std::string header = R"({"__metadata__": {"format": "pt"},
    "b": {"dtype": "BF16", "shape": [3], "data_offsets": [8, 14]},
    "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    "empty": {"dtype": "F64", "shape": [0, 7], "data_offsets": [8, 8]},
    "scalar": {"dtype": "I64", "shape": [], "data_offsets": [14, 22]}}   )";
  const std::vector<Tensor> tensors = parse(header, 22);
  ASSERT_EQ(tensors.size(), 4u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].offset, 8 + header.size());
  EXPECT_EQ(tensors[0].rows(), 2);
  EXPECT_EQ(tensors[0].row_size(), 1);
  EXPECT_EQ(tensors[1].name, "empty");
  EXPECT_EQ(tensors[1].size(), 0);
  EXPECT_EQ(tensors[2].dtype, Dtype::bf16);
  EXPECT_EQ(tensors[2].bytes, 6u);
  EXPECT_EQ(tensors[3].dtype, Dtype::other);
  EXPECT_EQ(tensors[3].size(), 1);
}

TEST(Safetensors, ChecksTheHeaderSize) {
  const auto size = [](uint64_t claimed, uint64_t file) {
    return safetensors_header_size(bytes_of<uint64_t>({claimed}), file, "x.safetensors");
  };
  EXPECT_EQ(size(10, 18), 10u);
  test::expect_error(Exit::data, {"x.safetensors", "truncated"}, [&] { (void)size(11, 18); });
  test::expect_error(Exit::data, {"limit"}, [&] { (void)size(100'000'001, 1ull << 40); });
  test::expect_error(Exit::data, {"limit"}, [&] { (void)size(~0ull, 1ull << 40); });
  test::expect_error(Exit::data, {"too short"},
                     [] { (void)safetensors_header_size("abc", 3, "x.safetensors"); });
}

TEST(Safetensors, RefusesMalformedHeaders) {
  refuses("", 0, {"JSON"});
  refuses("[]", 0, {"object"});
  refuses(R"({"a": 3})", 0, {"'a'", "object"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1]}})", 4, {"'a'", "data_offsets"});
  refuses(R"({"a": {"dtype": "Q4", "shape": [1], "data_offsets": [0, 4]}})", 4, {"'a'", "Q4"});
  refuses(R"({"a": {"dtype": 4, "shape": [1], "data_offsets": [0, 4]}})", 4, {"dtype"});
  refuses(R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})", 4, {"shape", "-1"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1.0], "data_offsets": [0, 4]}})", 4, {"shape"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4, 8]}})", 8, {"two numbers"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}})", 4, {"backwards"});
  refuses(R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}})", 4, {"need 8"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 3, {"truncated"});
  refuses(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})", 5, {"end at byte 4"});
  refuses("{\"a\xff\": 1}", 0, {"JSON"});
}

TEST(Safetensors, RefusesOverlapsAndGaps) {
  const auto two = [](int begin) {
    return R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
               "b": {"dtype": "F32", "shape": [1], "data_offsets": [)" +
           std::to_string(begin) + ", " + std::to_string(begin + 4) + "]}}";
  };
  EXPECT_EQ(parse(two(8), 12).size(), 2u);
  refuses(two(4), 12, {"'b'", "overlaps"});
  refuses(two(12), 16, {"'b'", "gap"});
}

TEST(Safetensors, RefusesDuplicateKeys) {
  refuses(R"({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
              "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}})",
          4, {"'a'", "twice"});
  refuses(R"({"a": {"dtype": "F32", "dtype": "F16", "shape": [1], "data_offsets": [0, 4]}})", 4, {"twice"});
}

TEST(Safetensors, RefusesAbsurdShapes) {
  for (const std::string shape :
       {"[4294967296, 4294967296]", "[4611686018427387904, 4]", "[18446744073709551615]",
        "[3000000000, 3000000000, 0]", "[9223372036854775808]"}) {
    refuses(R"({"a": {"dtype": "F32", "shape": )" + shape + R"(, "data_offsets": [0, 0]}})", 0, {"absurd"});
  }
}

TEST(Safetensors, RefusesDeepNesting) {
  refuses(std::string(100000, '['), 0, {"JSON"});
}

}  // namespace
}  // namespace incipit::checkpoint

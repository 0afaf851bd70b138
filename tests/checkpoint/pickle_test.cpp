#include "checkpoint/pickle.hpp"

#include "../support.hpp"
#include "torch_writer.hpp"

namespace incipit::checkpoint {
namespace {

using pickle::global;
using pickle::integer;
using pickle::text;

const std::string start = "\x80\x02";

void refuses(const std::string& bytes, const std::vector<std::string>& parts) {
  test::expect_error(Exit::data, parts, [&] { (void)read_state_dict(bytes, "w.bin: data.pkl"); });
}

PickledTensor some_tensor() {
  return {"a.weight", "HalfStorage", "7", 12, 2, {2, 3}, {4, 1}};
}

TEST(Pickle, ReadsAStateDict) {
  const std::vector<PickledTensor> read = read_state_dict(
      pickle::state_dict({some_tensor(), {"scalar", "FloatStorage", "1", 1, 0, {}, {}}}), "w.bin");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].name, "a.weight");
  EXPECT_EQ(read[0].storage_type, "HalfStorage");
  EXPECT_EQ(read[0].storage, "7");
  EXPECT_EQ(read[0].storage_size, 12);
  EXPECT_EQ(read[0].offset, 2);
  EXPECT_EQ(read[0].shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(read[0].stride, (std::vector<int64_t>{4, 1}));
  EXPECT_EQ(read[1].name, "scalar");
  EXPECT_TRUE(read[1].shape.empty());
}

/// A plain dict, a parameter, and one tensor under two names through the memo.
TEST(Pickle, ReadsParametersAndTheMemo) {
  const std::string tensor = pickle::tensor(some_tensor());
  const std::string parameter = global("torch._utils", "_rebuild_parameter") + "(" + tensor + "q\x05\x88" +
                                global("collections", "OrderedDict") + ")RtR";
  const std::string all = start + "}(" + text("p") + parameter + text("t") + "h\x05u.";
  const std::vector<PickledTensor> read = read_state_dict(all, "w.bin");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].name, "p");
  EXPECT_EQ(read[1].name, "t");
  EXPECT_EQ(read[1].storage, "7");
}

TEST(Pickle, ReadsNegativeAndSmallIntegers) {
  refuses(start + pickle::tensor({"", "HalfStorage", "0", 4, -1, {2}, {1}}), {"offset of a tensor", "-1"});
  // K, M and J in the shape and stride.
  const std::string sizes = "(K\x02M\x02" + std::string(1, '\0') + "t";
  std::string all = start + "}" + text("a") + global("torch._utils", "_rebuild_tensor_v2") + "((" +
                    text("storage") + global("torch", "FloatStorage") + text("0") + text("cpu") + "J" +
                    le<int32_t>(9) + "tQK" + std::string(1, '\0') + sizes + sizes + "\x89NtRs.";
  EXPECT_EQ(read_state_dict(all, "w.bin").at(0).shape, (std::vector<int64_t>{2, 2}));
}

TEST(Pickle, ExecutesNothing) {
  refuses(start + global("os", "system") + "(" + text("true") + "tR.",
          {"w.bin: data.pkl: byte 2", "os.system", "not executed"});
  refuses(start + global("builtins", "eval") + ".", {"builtins.eval"});
  refuses(start + global("torch", "load") + ".", {"torch.load"});
  refuses(start + global("torch", "HalfStorage\x01") + ".", {"asks for"});
  // A known name may not be called with anything but its own arguments.
  refuses(start + global("torch", "HalfStorage") + ")R.", {"torch.HalfStorage", "0 arguments"});
  refuses(start + global("collections", "OrderedDict") + "(" + text("x") + "tR.",
          {"OrderedDict", "1 arguments"});
}

TEST(Pickle, RefusesOtherOpcodesByNameAndOffset) {
  refuses(start + "}i", {"byte 3", "opcode 0x69 ('i')"});  // INST
  refuses(start + "\x93.", {"byte 2", "opcode 0x93"});     // STACK_GLOBAL
  refuses("\x80\x04.", {"byte 0", "protocol 4"});
  refuses(start + "\x8a\x09" + std::string(9, 'x'), {"an integer of 9 bytes"});
}

TEST(Pickle, RefusesNonsense) {
  refuses("", {"truncated"});
  refuses(start, {"byte 2", "truncated"});
  refuses(start + "X" + le<uint32_t>(0xffffffff) + "abc", {"truncated"});
  refuses(start + "cabc", {"a name without an end"});
  refuses(start + ".", {"stack is empty"});
  refuses(start + "(.", {"stack is empty"});
  refuses(start + "(N\x85.", {"expected a dict", "a tuple"});
  refuses(start + "N(\x85", {"stack is empty"});
  refuses(start + "t", {"no mark"});
  refuses(start + "h\x01", {"nothing was kept as 1"});
  refuses(start + "}(Nu", {"no value"});
  refuses(start + "]Na.", {"expected a dict", "a list"});
  refuses(start + "}NNs.", {"a key of the state dict", "None"});
  refuses(start + "}" + text("a") + integer(3) + "s.", {"'a'", "expected a tensor", "an integer"});
  refuses(start + "}" + text("a") + "G" + std::string(8, '\0') + "s.", {"'a'", "a number"});
  refuses(start + "NQ", {"a storage", "None"});
  refuses(start + ")Q", {"0 parts"});
}

TEST(Pickle, RefusesTensorsBeyondTheirStorage) {
  const auto with = [](const PickledTensor& t) { return pickle::state_dict({t}); };
  refuses(with({"a", "HalfStorage", "0", 11, 0, {3, 4}, {4, 1}}), {"beyond its storage '0' of 11"});
  refuses(with({"a", "HalfStorage", "0", 12, 1, {3, 4}, {4, 1}}), {"beyond"});
  refuses(with({"a", "HalfStorage", "0", 12, 0, {3, 4}, {4, -1}}), {"stride", "-1"});
  refuses(with({"a", "HalfStorage", "0", 12, 0, {3, 4}, {4}}), {"2 sizes and 1 strides"});
  refuses(with({"a", "HalfStorage", "0", 12, 0, {int64_t{1} << 40, int64_t{1} << 40}, {0, 0}}), {"absurd"});
  refuses(with({"a", "HalfStorage", "0", 12, 0, std::vector<int64_t>(9, 1), std::vector<int64_t>(9, 1)}),
          {"9 axes"});
  refuses(pickle::state_dict({some_tensor(), some_tensor()}), {"'a.weight' is there twice"});
  // Expanded and empty tensors are views like others.
  EXPECT_EQ(read_state_dict(with({"a", "HalfStorage", "0", 1, 0, {5}, {0}}), "w").size(), 1u);
  EXPECT_EQ(read_state_dict(with({"a", "HalfStorage", "0", 0, 0, {0, 4}, {4, 1}}), "w").size(), 1u);
}

}  // namespace
}  // namespace incipit::checkpoint

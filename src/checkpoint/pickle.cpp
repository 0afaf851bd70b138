#include "checkpoint/pickle.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>

#include "error.hpp"

namespace incipit::checkpoint {
namespace {

/// What can stand on the pickle machine's stack. Values are held in one list and referred to by their place
/// in it, so that a pickle may refer to one as often as it likes.
enum class Kind { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };

using Ref = uint32_t;

struct Value {
  Kind kind = Kind::none;
  int64_t integer = 0;          // boolean, integer; storage: elements; tensor: index among the tensors
  std::string text = {};        // text, global; storage: its key
  std::vector<Ref> items = {};  // tuple, list; dict: key, value, key, value, ...
};

const char* name_of(Kind kind) {
  constexpr std::array names{"None",   "a boolean", "an integer", "a number",  "a string", "a tuple",
                             "a list", "a dict",    "a name",     "a storage", "a tensor"};
  return names.at(static_cast<std::size_t>(kind));
}

constexpr const char* ordered_dict = "collections.OrderedDict";
constexpr const char* rebuild_tensor = "torch._utils._rebuild_tensor_v2";
constexpr const char* rebuild_parameter = "torch._utils._rebuild_parameter";
constexpr std::array storage_names{"HalfStorage", "BFloat16Storage", "FloatStorage", "DoubleStorage",
                                   "LongStorage", "IntStorage",      "ShortStorage", "CharStorage",
                                   "ByteStorage", "BoolStorage"};

bool is_storage_type(std::string_view name) {
  constexpr std::string_view prefix = "torch.";
  return name.starts_with(prefix) && std::find(storage_names.begin(), storage_names.end(),
                                               name.substr(prefix.size())) != storage_names.end();
}

class Machine {
 public:
  Machine(std::string_view pickle, const std::string& where) : pickle_(pickle), where_(where) {}

  std::vector<PickledTensor> run() {
    while (true) {
      at_ = next_;
      const auto opcode = static_cast<unsigned char>(take(1).front());
      if (opcode == '.') return collect(pop());
      step(opcode);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(Exit::data, where_ + ": byte " + std::to_string(at_) + ": " + what);
  }

  std::string_view take(uint64_t count) {
    if (count > pickle_.size() - next_) refuse("the pickle ends here: truncated?");
    const std::string_view taken = pickle_.substr(next_, count);
    next_ += count;
    return taken;
  }
  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view line() {
    const std::size_t end = pickle_.find('\n', next_);
    if (end == std::string_view::npos) refuse("a name without an end");
    const std::string_view text = take(end - next_);
    take(1);
    return text;
  }

  Ref make(Value value) {
    values_.push_back(std::move(value));
    return static_cast<Ref>(values_.size() - 1);
  }
  void push(Value value) { stack_.push_back(make(std::move(value))); }
  /// Nothing below the last mark is free to be taken.
  Ref pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("the stack is empty");
    const Ref top = stack_.back();
    stack_.pop_back();
    return top;
  }
  std::vector<Ref> pop_to_mark() {
    if (marks_.empty()) refuse("no mark to go back to");
    std::vector<Ref> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }
  Value& top(Kind kind, const char* what) {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("the stack is empty");
    return expect(stack_.back(), kind, what);
  }
  Value& expect(Ref ref, Kind kind, const std::string& what) {
    Value& value = values_[ref];
    if (value.kind != kind) refuse(what + ": expected " + name_of(kind) + ", found " + name_of(value.kind));
    return value;
  }

  void step(unsigned char opcode);
  void push_number(unsigned char opcode);
  void push_long();
  void push_global();
  void push_tuple(std::size_t count);
  void push_from_memo(uint32_t key);
  void persistent_id();
  void reduce();
  void append(const std::vector<Ref>& items);
  void set_items(const std::vector<Ref>& items);
  int64_t size_at(const std::vector<Ref>& items, std::size_t i, const char* what);
  std::vector<int64_t> sizes_of(Ref tuple, const char* what);
  Ref make_tensor(const std::vector<Ref>& arguments);
  void check_extent(const PickledTensor& tensor) const;
  std::vector<PickledTensor> collect(Ref root);

  std::string_view pickle_;
  const std::string& where_;
  std::size_t at_ = 0;    // of the opcode being done
  std::size_t next_ = 0;  // of the first byte not read
  std::vector<Value> values_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<uint32_t, Ref> memo_;
  std::vector<PickledTensor> tensors_;
};

void Machine::step(unsigned char opcode) {
  switch (opcode) {
    case 0x80: {  // PROTO
      const int protocol = static_cast<unsigned char>(take(1).front());
      if (protocol != 2) refuse("pickle protocol " + std::to_string(protocol) + "; torch.save writes 2");
      return;
    }
    case '(':
      return marks_.push_back(stack_.size());
    case '}':
      return push({.kind = Kind::dict});
    case ']':
      return push({.kind = Kind::list});
    case ')':
      return push({.kind = Kind::tuple});
    case 't':
      return push({.kind = Kind::tuple, .items = pop_to_mark()});
    case 0x85:  // TUPLE1, TUPLE2, TUPLE3
    case 0x86:
    case 0x87:
      return push_tuple(opcode - 0x84U);
    case 'X': {
      const auto bytes = number<uint32_t>();
      return push({.kind = Kind::text, .text = std::string(take(bytes))});
    }
    case 'c':
      return push_global();
    case 'q':  // BINPUT
    case 'r': {
      const uint32_t key = opcode == 'q' ? number<uint8_t>() : number<uint32_t>();
      const Ref kept = pop();
      stack_.push_back(kept);
      memo_[key] = kept;
      return;
    }
    case 'h':
      return push_from_memo(number<uint8_t>());
    case 'j':
      return push_from_memo(number<uint32_t>());
    case 'Q':
      return persistent_id();
    case 'R':
      return reduce();
    case 'a':
      return append({pop()});
    case 'e':
      return append(pop_to_mark());
    case 's': {
      const Ref value = pop(), key = pop();
      return set_items({key, value});
    }
    case 'u':
      return set_items(pop_to_mark());
    case 'b':
      // The attributes of an OrderedDict: `_metadata`, with the versions of modules.
      pop();
      top(Kind::dict, "BUILD");
      return;
    default:
      return push_number(opcode);
  }
}

void Machine::push_number(unsigned char opcode) {
  switch (opcode) {
    case 'N':
      return push({.kind = Kind::none});
    case 0x88:  // NEWTRUE
    case 0x89:
      return push({.kind = Kind::boolean, .integer = opcode == 0x88 ? 1 : 0});
    case 'J':
      return push({.kind = Kind::integer, .integer = number<int32_t>()});
    case 'K':
      return push({.kind = Kind::integer, .integer = number<uint8_t>()});
    case 'M':
      return push({.kind = Kind::integer, .integer = number<uint16_t>()});
    case 0x8a:
      return push_long();
    case 'G':  // its value is of no use here
      take(sizeof(double));
      return push({.kind = Kind::real});
    default:
      break;
  }
  constexpr const char* digits = "0123456789abcdef";
  refuse(std::string("opcode 0x") + digits[opcode >> 4U] + digits[opcode & 15U] +
         (opcode > ' ' && opcode < 0x7f ? std::string(" ('") + static_cast<char>(opcode) + "')" : "") +
         " is not known; the pickle of a state dict does without it");
}

/// LONG1: little-endian two's complement of the given length.
void Machine::push_long() {
  const auto bytes = number<uint8_t>();
  if (bytes > sizeof(int64_t)) refuse("an integer of " + std::to_string(bytes) + " bytes");
  const std::string_view text = take(bytes);
  uint64_t value = !text.empty() && (static_cast<unsigned char>(text.back()) & 0x80U) != 0 ? ~uint64_t{0} : 0;
  for (std::size_t i = text.size(); i-- > 0;) value = value << 8U | static_cast<unsigned char>(text[i]);
  push({.kind = Kind::integer, .integer = static_cast<int64_t>(value)});
}

void Machine::push_global() {
  std::string name(line());
  name += ".";
  name += line();
  if (name != ordered_dict && name != rebuild_tensor && name != rebuild_parameter && !is_storage_type(name)) {
    refuse("asks for " + name.substr(0, 100) +
           ", which the weights of a model do not need; it was not executed. Do not load this file elsewhere "
           "unless you trust it");
  }
  push({.kind = Kind::global, .text = std::move(name)});
}

void Machine::push_tuple(std::size_t count) {
  std::vector<Ref> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  push({.kind = Kind::tuple, .items = std::move(items)});
}

void Machine::push_from_memo(uint32_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) refuse("nothing was kept as " + std::to_string(key));
  stack_.push_back(found->second);
}

/// ('storage', torch.HalfStorage, key, location, elements)
void Machine::persistent_id() {
  const std::vector<Ref> items = expect(pop(), Kind::tuple, "a storage").items;
  if (items.size() != 5) refuse("a storage of " + std::to_string(items.size()) + " parts, expected 5");
  if (expect(items[0], Kind::text, "a storage").text != "storage")
    refuse("a persistent id that is no storage");
  const std::string& type = expect(items[1], Kind::global, "the type of a storage").text;
  if (!is_storage_type(type)) refuse("a storage of type " + type);
  Value storage{.kind = Kind::storage, .integer = size_at(items, 4, "the size of a storage")};
  storage.text = expect(items[2], Kind::text, "the key of a storage").text;
  storage.items = {items[1]};
  push(std::move(storage));
}

void Machine::reduce() {
  const std::vector<Ref> arguments = expect(pop(), Kind::tuple, "REDUCE").items;
  const std::string name = expect(pop(), Kind::global, "REDUCE").text;
  if (name == ordered_dict && arguments.empty()) return push({.kind = Kind::dict});
  if (name == rebuild_tensor) return stack_.push_back(make_tensor(arguments));
  if (name == rebuild_parameter && arguments.size() == 3) {  // (data, requires_grad, hooks)
    expect(arguments[0], Kind::tensor, "a parameter");
    return stack_.push_back(arguments[0]);
  }
  refuse(name + " with " + std::to_string(arguments.size()) + " arguments");
}

void Machine::append(const std::vector<Ref>& items) {
  std::vector<Ref>& list = top(Kind::list, "APPEND").items;
  list.insert(list.end(), items.begin(), items.end());
}

void Machine::set_items(const std::vector<Ref>& items) {
  if (items.size() % 2 != 0) refuse("a dict with a key that has no value");
  std::vector<Ref>& dict = top(Kind::dict, "SETITEMS").items;
  dict.insert(dict.end(), items.begin(), items.end());
}

int64_t Machine::size_at(const std::vector<Ref>& items, std::size_t i, const char* what) {
  const int64_t value = expect(items[i], Kind::integer, what).integer;
  constexpr int64_t most = int64_t{1} << 48U;
  if (value < 0 || value > most) refuse(std::string(what) + " is " + std::to_string(value));
  return value;
}

std::vector<int64_t> Machine::sizes_of(Ref tuple, const char* what) {
  const std::vector<Ref> items = expect(tuple, Kind::tuple, what).items;
  constexpr std::size_t most_axes = 8;
  if (items.size() > most_axes) refuse(std::string(what) + " has " + std::to_string(items.size()) + " axes");
  std::vector<int64_t> sizes(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) sizes[i] = size_at(items, i, what);
  return sizes;
}

/// (storage, offset, shape, stride, requires_grad, hooks[, metadata])
Ref Machine::make_tensor(const std::vector<Ref>& arguments) {
  if (arguments.size() != 6 && arguments.size() != 7)
    refuse("a tensor of " + std::to_string(arguments.size()) + " parts, expected 6 or 7");
  const Value& storage = expect(arguments[0], Kind::storage, "a tensor");
  PickledTensor tensor;
  tensor.storage_type = values_[storage.items[0]].text.substr(std::string_view("torch.").size());
  tensor.storage = storage.text;
  tensor.storage_size = storage.integer;
  tensor.offset = size_at(arguments, 1, "the offset of a tensor");
  tensor.shape = sizes_of(arguments[2], "the shape of a tensor");
  tensor.stride = sizes_of(arguments[3], "the stride of a tensor");
  check_extent(tensor);
  tensors_.push_back(std::move(tensor));
  return make({.kind = Kind::tensor, .integer = static_cast<int64_t>(tensors_.size()) - 1});
}

void Machine::check_extent(const PickledTensor& tensor) const {
  if (tensor.shape.size() != tensor.stride.size()) {
    refuse("a tensor with " + std::to_string(tensor.shape.size()) + " sizes and " +
           std::to_string(tensor.stride.size()) + " strides");
  }
  // No sum of eight products of two 48-bit numbers overflows 128 bits.
  __extension__ using Wide = unsigned __int128;
  Wide last = static_cast<Wide>(tensor.offset), count = 1;
  constexpr Wide most = static_cast<Wide>(1) << 60U;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const auto size = static_cast<Wide>(tensor.shape[i]);
    count *= size;
    if (count > most) refuse("a tensor of an absurd shape");
    if (size > 0) last += (size - 1) * static_cast<Wide>(tensor.stride[i]);
  }
  if (count > 0 && last >= static_cast<Wide>(tensor.storage_size)) {
    refuse("a tensor that reaches beyond its storage '" + tensor.storage + "' of " +
           std::to_string(tensor.storage_size) + " elements");
  }
}

std::vector<PickledTensor> Machine::collect(Ref root) {
  const std::vector<Ref> items = expect(root, Kind::dict, "the state dict").items;
  std::vector<PickledTensor> named;
  std::set<std::string> names;
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const std::string name = expect(items[i], Kind::text, "a key of the state dict").text;
    if (!names.insert(name).second) refuse("the tensor '" + name + "' is there twice");
    const Value& value = expect(items[i + 1], Kind::tensor, "'" + name + "' in the state dict");
    named.push_back(tensors_[static_cast<std::size_t>(value.integer)]);
    named.back().name = name;
  }
  return named;
}

}  // namespace

std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& where) {
  return Machine(pickle, where).run();
}

}  // namespace incipit::checkpoint

#pragma once

#include <functional>
#include <string>
#include <vector>

#include "arena.hpp"
#include "naive.hpp"
#include "report.hpp"

namespace incipit::device::bench {

/// An operation with its arguments, and the naive version with the same.
struct Instance {
  std::function<void()> run;
  std::function<void()> naive;  ///< empty: there is none
  /// How far what run() wrote is from what it must satisfy, in units of what is allowed; empty where the
  /// naive version says so.
  std::function<double()> error = {};
};

/// One operation at one shape. `make` fills an arena with arguments, again and again where inputs take turns.
struct Case {
  std::string operation;
  std::string type;
  std::string shape;
  double bytes = 0;  ///< each input read once, each output written once
  double flops = 0;  ///< of products; 0 where only memory counts
  Bound arithmetic = Bound::fp32;
  double items = 0;
  bool slow = false;  ///< seconds a call: few samples
  std::function<Instance(Arena&)> make;
};

/// An instance of one of Device's operations and of naive::run.
template <class Op>
Instance instance(Arena& arena, void (Device::*operation)(const Op&), const Op& op) {
  return {.run = [&device = arena.device(), operation, op] { (device.*operation)(op); },
          .naive = [call = arena.call("naive"), op] { naive::run(call, op); }};
}

/// "8192x5120".
std::string sizes(std::initializer_list<std::int64_t> numbers);

/// Every operation there is. A new one: a function like those beside it in the file of its stage, its line in
/// that file's list, and a naive version. Another stage: another such function, added to run_cases.
std::vector<Case> forward_cases(const Settings& settings);
std::vector<Case> sae_cases(const Settings& settings);
std::vector<Case> statistics_cases(const Settings& settings);
std::vector<Case> align_cases(const Settings& settings);

/// Checks each case against its naive version, times both, and adds a line. Only those whose operation's name
/// contains `only`.
void run_cases(CudaDevice& device, const Settings& settings, const std::string& only, Report& report);

}  // namespace incipit::device::bench

#include "report.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <fstream>

#include "error.hpp"

namespace incipit::device::bench {
namespace {

__attribute__((format(printf, 1, 2))) std::string print(const char* format, ...) {
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return text;
}

double bytes_per_second(const Line& line) {
  return line.bytes / line.time.median;
}
double flops_per_second(const Line& line) {
  return line.flops / line.time.median;
}

/// How long a line's work must take.
Floor floor_of(const Line& line, const Ceilings& ceilings) {
  return floor_of(ceilings, line.bytes, line.memory, line.flops, line.arithmetic);
}

/// Nothing where there is nothing to say.
std::string cell(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return value > 0 ? text : "";
}

}  // namespace

void Report::begin(const std::string& part) const {
  std::printf("\n%s\n%-18s %-5s %-28s %11s %9s %8s %8s %12s %12s %8s %10s\n", part.c_str(), "operation",
              "type", "shape", "µs", "± %", "GB/s", "TFLOP/s", "of ceiling", "items/s", "naive ×",
              "difference");
}

void Report::add(const Line& line) {
  lines_.push_back(line);
  if (!line.complaint.empty()) ++complaints_;
  const Floor floor = floor_of(line, ceilings_);
  const double share = floor.seconds / line.time.median;
  const std::string of = share > 0 ? print("%5.1f %% %s", 100 * share, name_of(floor.bound).c_str()) : "";
  const double spread = 50 * (line.time.high - line.time.low) / line.time.median;
  std::printf("%-18s %-5s %-28s %10.1f %9.1f %8s %8s %12s %12s %8s %10s%s%s\n", line.operation.c_str(),
              line.type.c_str(), line.shape.c_str(), 1e6 * line.time.median, spread,
              cell("%.0f", 1e-9 * bytes_per_second(line)).c_str(),
              cell("%.1f", 1e-12 * flops_per_second(line)).c_str(), of.c_str(),
              cell("%.3g", line.items / line.time.median).c_str(),
              line.naive ? cell("%.1f", line.naive->median / line.time.median).c_str() : "",
              line.naive || line.difference > 0 ? print("%.2f", line.difference).c_str() : "",
              line.complaint.empty() ? "" : "  WRONG: ", line.complaint.c_str());
  write();
}

void Report::complain(const std::string& what) {
  ++complaints_;
  std::printf("WRONG: %s\n", what.c_str());
}

void Report::write() const {
  if (path_.empty()) return;
  std::ofstream file(path_);
  for (const std::string& text : about_) file << "# " << text << "\n";
  file << print("# copy %.6g B/s, bus %.6g B/s, bf16 %.6g, fp32 %.6g, fp64 %.6g FLOP/s\n", ceilings_.copy,
                ceilings_.bus, ceilings_.bf16, ceilings_.fp32, ceilings_.fp64);
  file << "part,operation,type,shape,seconds,low,high,samples,bytes_per_second,flops_per_second,bound,share,"
          "items_per_second,naive_seconds,difference,complaint\n";
  for (const Line& line : lines_) {
    const Floor floor = floor_of(line, ceilings_);
    file << line.part << "," << line.operation << "," << line.type << "," << line.shape << ","
         << print("%.6g,%.6g,%.6g,%d,", line.time.median, line.time.low, line.time.high, line.time.samples)
         << print("%.6g,%.6g,%s,%.4f,", bytes_per_second(line), flops_per_second(line),
                  name_of(floor.bound).c_str(), floor.seconds / line.time.median)
         << print("%.6g,%.6g,%.4g,", line.items / line.time.median, line.naive ? line.naive->median : 0.0,
                  line.difference)
         << line.complaint << "\n";
  }
  file.close();
  if (!file) throw Error(Exit::io, path_ + " could not be written");
}

}  // namespace incipit::device::bench

#include "upload.hpp"

#include <string>

#include "case.hpp"
#include "random.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

/// As many random numbers as take `bytes`, the same few again and again.
std::vector<Float16> weights(std::int64_t bytes) {
  constexpr std::size_t drawn = 65521;
  Random random(5, Purpose::test, 0);
  std::vector<Float16> numbers(static_cast<std::size_t>(bytes) / sizeof(Float16));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = i < drawn ? round_to<Float16>(static_cast<float>(random.normal())) : numbers[i - drawn];
  return numbers;
}

/// How many have not arrived as the nearest.
template <Number To>
std::int64_t count_wrong(const std::vector<Float16>& from, const std::vector<To>& to) {
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < from.size(); ++i)
    // Written so that NaN counts.
    wrong += to_float(to[i]) == to_float(round_to<To>(to_float(from[i]))) ? 0 : 1;
  return wrong;
}

template <Number To>
void run_to(CudaDevice& device, const Settings& settings, const std::vector<Float16>& from, Report& report) {
  Buffer<To> to(device, from.size());
  const NumberUpload op{.count = std::ssize(from),
                        .from = NumberType::f16,
                        .host = from.data(),
                        .to = number_type<To>,
                        .device = to.data()};
  Line line{.part = "upload",
            .operation = "upload_numbers",
            .type = type_name<To>,
            .shape = sizes({op.count}) + " from fp16",
            .bytes = static_cast<double>(settings.upload_bytes),
            .memory = Bound::bus,
            .items = static_cast<double>(op.count)};
  std::int64_t finite = 0;
  line.time = Stopwatch(device).measure(settings.patience, 2,
                                        [&](std::size_t) { finite = device.upload_numbers(op); });
  const std::int64_t wrong = count_wrong(from, to.download());
  if (wrong > 0) line.complaint = std::to_string(wrong) + " numbers are not the nearest";
  if (finite != op.count) line.complaint = "finds number " + std::to_string(finite) + " not finite";
  report.add(line);
}

}  // namespace

void run_upload(CudaDevice& device, const Settings& settings, Report& report) {
  report.begin("numbers from the host, GB/s over the bus");
  const std::vector<Float16> from = weights(settings.upload_bytes);
  run_to<float>(device, settings, from, report);
  run_to<BFloat16>(device, settings, from, report);
}

}  // namespace incipit::device::bench

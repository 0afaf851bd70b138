#include "plan/rates.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "error.hpp"
#include "store/files.hpp"
#include "store/json.hpp"
#include "utc.hpp"

namespace incipit::plan {
namespace {

constexpr const char* format = "incipit/machine";
constexpr int version = 1;

nlohmann::json to_json(const Ladder& ladder) {
  return {{"width", ladder.width}, {"flops", ladder.rate}};
}

std::vector<double> positive_numbers(const store::JsonObject& json, const char* key) {
  std::vector<double> numbers;
  for (const auto& value : json.array(key)) {
    if (!value.is_number() || !(value.get<double>() > 0))
      throw Error(Exit::data, json.where() + ": key '" + key + "' holds " + store::JsonObject::shown(value) +
                                  "; expected numbers above 0");
    numbers.push_back(value.get<double>());
  }
  return numbers;
}

Ladder ladder_of(const store::JsonObject& json, const char* key) {
  const auto object = json.object(key);
  Ladder ladder{positive_numbers(object, "width"), positive_numbers(object, "flops")};
  if (ladder.width.empty() || ladder.width.size() != ladder.rate.size() ||
      !std::ranges::is_sorted(ladder.width, std::less_equal<>()))
    throw Error(Exit::data, object.where() + ": expected as many widths as rates, ascending");
  return ladder;
}

double positive(const store::JsonObject& json, const char* key) {
  const double number = json.number(key);
  if (!(number > 0)) throw Error(Exit::data, json.where() + ": key '" + key + "' must be above 0");
  return number;
}

void scale(Ladder& ladder, double by) {
  for (double& rate : ladder.rate) rate *= by;
}

}  // namespace

double Ladder::at(double width_wanted) const {
  if (width.empty()) throw Error(Exit::defect, "a rate was asked for that was neither measured nor assumed");
  const auto above = std::ranges::upper_bound(width, width_wanted);
  if (above == width.begin()) return rate.front();
  if (above == width.end()) return rate.back();
  const auto i = static_cast<std::size_t>(above - width.begin());
  const double share = std::log(width_wanted / width[i - 1]) / std::log(width[i] / width[i - 1]);
  return rate[i - 1] * std::pow(rate[i] / rate[i - 1], share);
}

double Rates::units_of(const std::string& phase) const {
  const auto found = units.find(phase);
  if (found == units.end()) throw Error(Exit::defect, "no rate is known of the phase " + phase);
  return found->second;
}

Rates assumed_rates(Kind kind, int threads) {
  Rates rates;
  rates.threads = threads;
  const double n = threads;
  rates.forward = {{16, 64, 256, 1024}, {1e9 * n, 6e9 * n, 25e9 * n, 50e9 * n}};
  rates.train = {{32, 512}, {2e9 * n, 10e9 * n}};
  rates.units = {{"audit", 4e8},     {"interpret", 5e8},     {"match", 20},
                 {"align", 5e9 * n}, {"attribute", 1e7 * n}, {"token baseline", 1e5},
                 {"track", 5e8 * n}, {"drift", 5e9 * n},     {"set up", 1e5}};
  if (kind == Kind::cuda) {
    rates.forward = {{64, 512, 4096}, {1e11, 5e12, 1e14}};
    rates.train = {{64, 1024}, {5e10, 5e12}};
    for (const char* phase : {"align", "drift"}) rates.units[phase] = 5e11;
    rates.units["track"] = 1e11;
  }
  rates.about = "nothing measured here yet: incipit calibrate does";
  return rates;
}

Rates read_rates(const std::filesystem::path& file, std::optional<int> threads) {
  const std::string where = file.string();
  const nlohmann::json parsed = store::parse_json(store::read_text(file), where);
  const store::JsonObject json(parsed, where);
  if (json.text("format") != format || json.integer("format_version") != version)
    throw Error(Exit::data, where + ": expected what `incipit calibrate` writes (" + format + ", version " +
                                std::to_string(version) + "), found '" + json.text("format") + "', version " +
                                std::to_string(json.integer("format_version")));
  Rates rates = assumed_rates(Kind::host, 1);
  rates.source = where;
  rates.about = json.text("about", "");
  rates.ranks = static_cast<int>(json.count("ranks", 1 << 20));
  rates.threads = static_cast<int>(json.count("threads", 1 << 20));
  rates.forward = ladder_of(json, "forward");
  rates.train = ladder_of(json, "train");
  rates.read = positive(json, "read");
  rates.read_all = positive(json, "read_all");
  rates.write_all = positive(json, "write_all");
  rates.file = positive(json, "file");
  const nlohmann::json& units = json.at("units");
  const store::JsonObject of_phases(units, where + ": key 'units'");
  for (const auto& [phase, unused] : units.items()) rates.units[phase] = positive(of_phases, phase.c_str());
  if (threads && *threads != rates.threads) {
    const double more = static_cast<double>(*threads) / rates.threads;
    scale(rates.forward, more);
    scale(rates.train, more);
    rates.threads = *threads;
  }
  return rates;
}

void write_rates(const std::filesystem::path& file, const Rates& rates) {
  const nlohmann::json json{{"format", format},
                            {"format_version", version},
                            {"created", utc_now()},
                            {"about", rates.about},
                            {"ranks", rates.ranks},
                            {"threads", rates.threads},
                            {"forward", to_json(rates.forward)},
                            {"train", to_json(rates.train)},
                            {"read", rates.read},
                            {"read_all", rates.read_all},
                            {"write_all", rates.write_all},
                            {"file", rates.file},
                            {"units", rates.units}};
  store::write_text_atomic(file, json.dump(2) + "\n");
}

}  // namespace incipit::plan

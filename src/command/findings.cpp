#include "command/findings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "console/table.hpp"

namespace incipit::command {
namespace {

using console::Table;
constexpr auto left_side = Table::Side::left;

/// Steps, parameters and layers are whole numbers; a NaN is a bracket's open end.
std::string place(double value) {
  return std::isnan(value) ? "" : fmt::format("{:.0f}", value);
}

std::string bracket(double low, double high) {
  return std::isnan(low) ? fmt::format("by {}", place(high))
                         : fmt::format("{} to {}", place(low), place(high));
}

/// What is called of one curve.
class Findings {
 public:
  explicit Findings(const CurveView& curve)
      : curve_(curve), present_(curve.file().read<std::int8_t>(curve.path("conclusions/present"))) {}

  [[nodiscard]] std::string text() const { return fmt::format("\n{}\n{}{}", risen(), order(), dips()); }

 private:
  [[nodiscard]] std::vector<double> all(const std::string& name) const {
    return curve_.file().read<double>(curve_.path("conclusions/" + name));
  }

  [[nodiscard]] std::string risen() const {
    const auto level = all("level"), low = all("level_low"), high = all("level_high"), q = all("q"),
               onset_low = all("onset_low"), onset_high = all("onset_high"), early = all("onset_early"),
               late = all("onset_late"), rank_low = all("rank_low"), rank_high = all("rank_high");
    const auto why = curve_.file().strings(curve_.path("conclusions/onset_rung"));
    const auto axis = curve_.file().attribute_string(curve_.path("conclusions"), "axis");
    Table table({{"rises for good", left_side},
                 {"level %"},
                 {"95 %"},
                 {"q"},
                 {"onset, " + axis},
                 {"95 %"},
                 {"rank, 95 %"},
                 {"before it", left_side}});
    std::vector<std::string> others;
    for (std::size_t c = 0; c < present_.size(); ++c) {
      if (present_[c] == 0) {
        others.push_back(curve_.subjects()[c]);
        continue;
      }
      const bool rises = !std::isnan(onset_high[c]);
      table.row({curve_.subjects()[c], percent(level[c]), interval(low[c], high[c], 100),
                 fmt::format("{:.3f}", q[c]), rises ? bracket(onset_low[c], onset_high[c]) : "-",
                 interval(early[c], late[c]), interval(rank_low[c], rank_high[c]), why[c]});
    }
    if (table.rows() == 0) return fmt::format("No subject rises for good along {}.", curve_.name());
    return table.text() + (others.empty() ? "" : fmt::format("\nNot called: {}.", fmt::join(others, ", ")));
  }

  [[nodiscard]] std::string order() const {
    const double p = all("order_p").front();
    if (std::isnan(p)) return "";
    return fmt::format("Order of the onsets: {}, p = {:.3f}.\n",
                       p <= 0.05 ? "some rise before others" : "none that could not be chance", p);
  }

  [[nodiscard]] std::string dips() const {
    const auto& file = curve_.file();
    const auto path = curve_.path("conclusions/dips/");
    const auto subject = file.read<std::int64_t>(path + "subject_number"),
               bottom = file.read<std::int64_t>(path + "at");
    if (subject.empty()) return "";
    const auto from = file.read<std::int64_t>(path + "from"), to = file.read<std::int64_t>(path + "to");
    const auto depth = file.read<double>(path + "depth"), p = file.read<double>(path + "p");
    const auto verdict = file.strings(path + "verdict"), erased = file.strings(path + "erased_by"),
               written = file.strings(path + "written_by");
    Table table({{"falls and returns", left_side},
                 {"at", left_side},
                 {"between", left_side},
                 {"by %"},
                 {"p"},
                 {"why", left_side}});
    const auto name = [&](std::int64_t point) {
      return curve_.point_names()[static_cast<std::size_t>(point)];
    };
    for (std::size_t d = 0; d < subject.size(); ++d)
      table.row({curve_.subjects()[static_cast<std::size_t>(subject[d])], name(bottom[d]),
                 name(from[d]) + " and " + name(to[d]), percent(depth[d]), fmt::format("{:.3f}", p[d]),
                 verdict[d]});
    std::string who;
    for (std::size_t d = 0; d < subject.size(); ++d)
      if (!erased[d].empty() || !written[d].empty())
        who += fmt::format("{}: erased by {}; written again by {}.\n",
                           curve_.subjects()[static_cast<std::size_t>(subject[d])],
                           erased[d].empty() ? "none" : erased[d], written[d].empty() ? "none" : written[d]);
    return "\n" + table.text() + "\n" + who;
  }

  const CurveView& curve_;
  std::vector<std::int8_t> present_;
};

}  // namespace

std::string findings(const CurveView& curve) {
  return curve.file().has(curve.path("conclusions")) ? Findings(curve).text() : "";
}

}  // namespace incipit::command

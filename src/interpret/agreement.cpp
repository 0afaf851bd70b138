#include "interpret/agreement.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "corpus/csv.hpp"
#include "index.hpp"
#include "interpret/kappa.hpp"
#include "interpret/scores.hpp"
#include "nan.hpp"
#include "quantile.hpp"
#include "random.hpp"
#include "refuse.hpp"

namespace incipit::interpret {
namespace {

/// An item with everybody's answer.
struct AnsweredItem {
  bool decoy, fires;
  Said teacher;
  std::vector<Reply> replies;  // [rater]
};

/// All items of a latent: what the bootstrap draws.
struct AskedLatent {
  std::string subject;
  std::vector<AnsweredItem> items;
};

std::vector<AskedLatent> by_latent(const Sheet& sheet, std::span<const Filled> filled) {
  std::map<int64_t, AskedLatent> found;
  for (std::size_t c = 0; c < sheet.cards.size(); ++c) {
    const Card& card = sheet.cards[c];
    AskedLatent& latent = found[card.latent];
    latent.subject = card.subject;
    for (std::size_t i = 0; i < card.items.size(); ++i) {
      AnsweredItem item{card.decoy(), card.items[i].fires, card.items[i].teacher, {}};
      for (const Filled& f : filled) item.replies.push_back(f.replies[c][i]);
      latent.items.push_back(std::move(item));
    }
  }
  std::vector<AskedLatent> latents;
  for (auto& [number, latent] : found) latents.push_back(std::move(latent));
  return latents;
}

bool decided(Reply reply) {
  return reply == Reply::yes || reply == Reply::no;
}
bool decided(Said said) {
  return said == Said::yes || said == Said::no;
}

/// What an item adds to a measure's sums; nothing if it does not count.
using Addend = std::function<Sums(const AnsweredItem&)>;

struct MeasureOfAgreement {
  std::string name, raters;
  Addend addend;
  double (*value)(const Sums&);
  const char* why;  ///< the value does not exist though there are items
};

double share_of(const Sums& sums) {
  return sums[1] > 0 ? sums[0] / sums[1] : nan;
}

double f1_of(const Sums& sums) {
  const auto count = [](double x) { return static_cast<int64_t>(std::llround(x)); };
  return f1({.true_yes = count(sums[0]),
             .false_yes = count(sums[1]),
             .true_no = count(sums[2]),
             .false_no = count(sums[3])});
}

/// One item of an F1: an answer that is neither yes nor no is wrong.
Sums f1_item(bool fires, bool yes, bool no) {
  const bool says_yes = yes || (!no && !fires);
  return {fires && says_yes ? 1.0 : 0.0, !fires && says_yes ? 1.0 : 0.0, !fires && !says_yes ? 1.0 : 0.0,
          fires && !says_yes ? 1.0 : 0.0};
}

Sums share_item(bool counts) {
  return {counts ? 1.0 : 0.0, 1, 0, 0};
}

constexpr const char* one_answer = "all answers are the same, so chance agrees as well";
constexpr const char* no_pairs = "no item with two answers, or all answers are the same";
constexpr const char* no_trials = "nothing fires and nothing was answered yes";

void add_rater(std::vector<MeasureOfAgreement>& all, std::size_t r, const std::string& name) {
  all.push_back({"cohen_kappa_teacher", name,
                 [r](const AnsweredItem& item) {
                   return !item.decoy && decided(item.replies[r]) && decided(item.teacher)
                              ? pair_item(item.replies[r] == Reply::yes, item.teacher == Said::yes)
                              : Sums{};
                 },
                 cohen_kappa, one_answer});
  all.push_back({"f1", name,
                 [r](const AnsweredItem& item) {
                   return !item.decoy && item.replies[r] != Reply::missing
                              ? f1_item(item.fires, item.replies[r] == Reply::yes,
                                        item.replies[r] == Reply::no)
                              : Sums{};
                 },
                 f1_of, no_trials});
  all.push_back({"f1_teacher", name,
                 [r](const AnsweredItem& item) {
                   return !item.decoy && item.replies[r] != Reply::missing
                              ? f1_item(item.fires, item.teacher == Said::yes, item.teacher == Said::no)
                              : Sums{};
                 },
                 f1_of, no_trials});
  all.push_back({"yes_silent", name,
                 [r](const AnsweredItem& item) {
                   return !item.decoy && !item.fires && decided(item.replies[r])
                              ? share_item(item.replies[r] == Reply::yes)
                              : Sums{};
                 },
                 share_of, ""});
  all.push_back({"yes_decoy", name,
                 [r](const AnsweredItem& item) {
                   return item.decoy && decided(item.replies[r]) ? share_item(item.replies[r] == Reply::yes)
                                                                 : Sums{};
                 },
                 share_of, ""});
  all.push_back({"cannot_say", name,
                 [r](const AnsweredItem& item) { return share_item(item.replies[r] == Reply::cannot_say); },
                 share_of, ""});
  all.push_back({"missing", name,
                 [r](const AnsweredItem& item) { return share_item(item.replies[r] == Reply::missing); },
                 share_of, ""});
}

Addend fleiss_addend(bool with_teacher) {
  return [with_teacher](const AnsweredItem& item) {
    if (item.decoy) return Sums{};
    int yes = 0, no = 0;
    for (const Reply reply : item.replies) (reply == Reply::yes ? yes : no) += decided(reply) ? 1 : 0;
    if (with_teacher && decided(item.teacher)) ++(item.teacher == Said::yes ? yes : no);
    return several_item(yes, no);
  };
}

std::vector<MeasureOfAgreement> measures_of(std::span<const Filled> filled) {
  std::vector<MeasureOfAgreement> all;
  for (std::size_t r = 0; r < filled.size(); ++r) add_rater(all, r, filled[r].rater);
  for (std::size_t a = 0; a < filled.size(); ++a) {
    for (std::size_t b = a + 1; b < filled.size(); ++b) {
      all.push_back({"cohen_kappa", filled[a].rater + " / " + filled[b].rater,
                     [a, b](const AnsweredItem& item) {
                       return !item.decoy && decided(item.replies[a]) && decided(item.replies[b])
                                  ? pair_item(item.replies[a] == Reply::yes, item.replies[b] == Reply::yes)
                                  : Sums{};
                     },
                     cohen_kappa, one_answer});
    }
  }
  if (filled.size() > 1) all.push_back({"fleiss_kappa", "all", fleiss_addend(false), fleiss_kappa, no_pairs});
  all.push_back({"fleiss_kappa_teacher", "all", fleiss_addend(true), fleiss_kappa, no_pairs});
  return all;
}

Sums& operator+=(Sums& a, const Sums& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}

/// For each resample the latents drawn, as many as there are.
using Drawn = std::vector<std::vector<std::size_t>>;

Drawn draw_resamples(std::size_t latents, int64_t resamples, uint64_t seed) {
  Drawn drawn(at(resamples));
  for (std::size_t b = 0; b < drawn.size(); ++b) {
    Random random(seed, Purpose::agreement, b);
    for (std::size_t i = 0; i < latents; ++i) drawn[b].push_back(random.below(latents));
  }
  return drawn;
}

void fill_interval(const std::vector<Sums>& per_latent, const MeasureOfAgreement& measure, const Drawn& drawn,
                   AgreementRow& row) {
  if (row.latents < 2) {
    row.why = "one latent: no interval";
    return;
  }
  std::vector<double> values;
  for (const auto& resample : drawn) {
    Sums sums{};
    for (const std::size_t latent : resample) sums += per_latent[latent];
    if (const double value = measure.value(sums); !std::isnan(value)) values.push_back(value);
  }
  if (values.empty()) {
    row.why = "no resample has such a number: no interval";
    return;
  }
  std::sort(values.begin(), values.end());
  row.low = sorted_quantile(values, 0.025);
  row.high = sorted_quantile(values, 0.975);
}

AgreementRow evaluate(const MeasureOfAgreement& measure, const std::string& subject,
                      const std::vector<const AskedLatent*>& latents, const Drawn& drawn) {
  AgreementRow row{measure.name, measure.raters, subject, nan, nan, nan, 0, 0, ""};
  std::vector<Sums> per_latent;
  Sums total{};
  for (const AskedLatent* latent : latents) {
    Sums sums{};
    int64_t items = 0;
    for (const AnsweredItem& item : latent->items) {
      const Sums one = measure.addend(item);
      items += one == Sums{} ? 0 : 1;
      sums += one;
    }
    row.items += items;
    row.latents += items > 0 ? 1 : 0;
    total += sums;
    per_latent.push_back(sums);
  }
  row.value = measure.value(total);
  if (row.items == 0) {
    row.why = "no item with the answers it needs";
  } else if (std::isnan(row.value)) {
    row.why = measure.why;
  } else {
    fill_interval(per_latent, measure, drawn, row);
  }
  return row;
}

void refuse_rater_twice(std::span<const Filled> filled) {
  for (std::size_t a = 0; a < filled.size(); ++a)
    for (std::size_t b = a + 1; b < filled.size(); ++b)
      if (filled[a].rater == filled[b].rater)
        refuse(filled[b].path,
               fmt::format("rater '{}' has filled {} too; give one file per person, or write another "
                           "name in the column 'rater'",
                           filled[b].rater, filled[a].path.string()));
}

std::string csv_number(double value) {
  return std::isnan(value) ? "NaN" : fmt::format("{:.6g}", value);
}

}  // namespace

std::vector<AgreementRow> agreement(const Sheet& sheet, std::span<const Filled> filled, int64_t resamples,
                                    uint64_t seed) {
  refuse_rater_twice(filled);
  const std::vector<AskedLatent> latents = by_latent(sheet, filled);
  std::map<std::string, std::vector<const AskedLatent*>> strata;
  std::vector<const AskedLatent*> all;
  for (const AskedLatent& latent : latents) {
    strata[latent.subject].push_back(&latent);
    all.push_back(&latent);
  }
  const std::vector<MeasureOfAgreement> measures = measures_of(filled);
  std::vector<AgreementRow> rows;
  const auto add_rows = [&](const std::string& subject, const std::vector<const AskedLatent*>& some) {
    const Drawn drawn = draw_resamples(some.size(), resamples, seed);
    for (const MeasureOfAgreement& measure : measures)
      rows.push_back(evaluate(measure, subject, some, drawn));
  };
  add_rows("all", all);
  for (const auto& [subject, some] : strata) add_rows(subject, some);
  return rows;
}

std::string agreement_csv(std::span<const AgreementRow> rows) {
  std::string out = "measure,raters,subject,value,low,high,items,latents,why\n";
  for (const AgreementRow& row : rows)
    out += fmt::format("{},{},{},{},{},{},{},{},{}\n", row.measure, corpus::csv_quoted(row.raters),
                       corpus::csv_quoted(row.subject), csv_number(row.value), csv_number(row.low),
                       csv_number(row.high), row.items, row.latents, corpus::csv_quoted(row.why));
  return out;
}

}  // namespace incipit::interpret

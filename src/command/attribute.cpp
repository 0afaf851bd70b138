#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "command/ablate.hpp"
#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/command.hpp"
#include "command/curve_view.hpp"
#include "command/deck_command.hpp"
#include "command/judged.hpp"
#include "command/option.hpp"
#include "command/stages.hpp"
#include "console/table.hpp"
#include "emergence/attribution.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

using console::Table;
using emergence::component_layer;
using emergence::component_name;
using emergence::components_at;

const std::string attribute_about =
    "usage: incipit attribute DECK [--anchor=NAME] [--ablate=attention:3,mlp:5 | --ablate=erasers] "
    "[--section.key=value ...]\n\n"
    "Who wrote a concept into the residual stream, layer by layer, and who erased it, for every anchor with "
    "a\n"
    "space curve (or the one named): attribution/ANCHOR.h5. Needs what `incipit match` needs, and "
    "activations\n"
    "extracted with extract.components = yes.\n"
    "--ablate runs the anchor's checkpoint again, once for each component named, with what that one adds at "
    "the\n"
    "last token replaced by its mean over probes, and says what becomes of the concepts:\n"
    "attribution/ANCHOR/mlp-5.h5. erasers: those that the attribution names where a subject falls most, and "
    "those\n"
    "of every dip along the layers that emergence.h5 calls, where it is there.\n\n";

/// What the command line asks for beside the deck.
struct Asked {
  std::optional<std::string> anchor;
  std::vector<std::string> ablate;  ///< words as given
  std::vector<std::string> others;
};

Asked asked_of(const std::vector<std::string>& words) {
  Asked asked;
  for (const auto& word : words) {
    if (const auto name = value_of(word, "--anchor=")) {
      asked.anchor = *name;
    } else if (const auto list = value_of(word, "--ablate=")) {
      asked.ablate = parts_of(*list);
    } else {
      asked.others.push_back(word);
    }
  }
  return asked;
}

[[noreturn]] void bad_component(const std::string& word) {
  throw Error(Exit::usage,
              fmt::format("--ablate: found '{}', expected attention:LAYER or mlp:LAYER, several between "
                          "commas, or erasers",
                          word));
}

/// "mlp:5" as a component of a checkpoint whose blocks the curve follows up to `last`.
std::int64_t component_of(const std::string& word, std::int64_t last) {
  const auto colon = word.find(':');
  const std::string kind = word.substr(0, colon);
  if (colon == std::string::npos || (kind != "attention" && kind != "mlp")) bad_component(word);
  std::int64_t layer = -1;
  const auto* const end = word.data() + word.size();
  const auto read = std::from_chars(word.data() + colon + 1, end, layer);
  if (read.ec != std::errc() || read.ptr != end) bad_component(word);
  if (layer < 1 || layer > last)
    throw Error(Exit::usage, fmt::format("--ablate={}: the space curve passes the blocks 1 to {}, found {}",
                                         word, last, layer));
  return components_at(layer - 1) + (kind == "attention" ? 0 : 1);
}

void require_components(const deck::Deck& deck) {
  if (deck.extract.components) return;
  throw Error(
      Exit::usage,
      "extract.components = no: what the blocks added was not kept, and attribute has nothing to read. Set "
      "extract.components = yes and run `incipit extract` with this deck; only the checkpoints of space "
      "curves are run again, and no dictionary is made anew");
}

/// The anchors that are asked for and have a space curve, as indices.
std::vector<std::size_t> chosen_anchors(const Session& session, const std::optional<std::string>& name) {
  std::vector<std::size_t> chosen;
  std::vector<std::string> there;
  for (std::size_t a = 0; a < session.study.anchors.size(); ++a) {
    if (!session.ledger->attributes(a)) continue;
    there.push_back(session.study.anchors[a].name);
    if (!name || there.back() == *name) chosen.push_back(a);
  }
  if (!chosen.empty()) return chosen;
  if (there.empty())
    throw Error(Exit::usage,
                "no anchor of the deck has a space curve, and layers are what attribute follows: set "
                "anchor.NAME.curves = space");
  throw Error(Exit::usage, fmt::format("--anchor={}: no such anchor with a space curve; there is {}", *name,
                                       fmt::join(there, ", ")));
}

std::int64_t last_layer(const Anchor& anchor) {
  return space_curve(anchor)->points.back().layer;
}

emergence::Attribution computed(Session& session, std::size_t index, const Judged& judged) {
  const auto& anchor = session.study.anchors[index];
  const auto total = static_cast<std::int64_t>(session.study.probes.all.size());
  std::optional<MatchedDictionary> dictionary;
  std::optional<Activations> file;
  parallel::together(session.world, "reading the anchor", [&] {
    dictionary.emplace(session, index);
    file.emplace(session.ledger->activations(anchor.site).path, total);
  });
  emergence::AttributionInput input;
  input.sae = &dictionary->sae;
  input.matched = dictionary->matched;
  for (const auto& point : space_curve(anchor)->points) input.layer.push_back(point.layer);
  input.subjects = session.study.probes.subjects;
  input.where = fmt::format("{} step {}", session.study.model(anchor.site).name, anchor.site.step);
  input.residual = [&](std::int64_t layer) { return file->rows(static_cast<int>(layer), judged.probes); };
  input.component = [&](std::int64_t component) {
    if (component == 0) return file->rows(0, judged.probes);
    return file->rows_of(emergence::is_attention(component) ? "attention_out" : "mlp_out",
                         static_cast<int>(component_layer(component)), judged.probes);
  };
  return emergence::attribute(session.world, input, judged.set, judged.resampling);
}

void write(Session& session, std::size_t index, const emergence::Attribution& attribution) {
  const auto timer = session.timing.phase("write");
  const auto& unit = session.ledger->attribution(index);
  const auto& site = session.study.anchors[index].site;
  parallel::together(session.world, "writing the attribution", [&] {
    const auto writing = session.timing.phase("write");
    store::Writer file(session.world, unit.path, session.header(unit));
    file.attribute("", "model", session.study.model(site).name);
    file.attribute("", "step", site.step);
    emergence::write_attribution(file, "", attribution);
    file.commit();
  });
}

/// Makes the files of these anchors that are not done.
void attribute_anchors(Session& session, bool again, const std::vector<std::size_t>& anchors) {
  const auto units = session.ledger->of(deck::Stage::attribute);
  const auto pending = session.pending(deck::Stage::attribute, again);
  std::optional<Judged> judged;
  for (const auto a : anchors) {
    const auto& unit = session.ledger->attribution(a);
    if (!pending[static_cast<std::size_t>(std::ranges::find(units, &unit) - units.begin())]) continue;
    const auto claimed = claim(session, session.world, unit);
    session.leave_if_asked();
    if (!claimed) continue;
    session.require({&session.ledger->activations(session.study.anchors[a].site), &session.ledger->sae(a),
                     &session.ledger->match(a)});
    std::optional<emergence::Attribution> found;
    {
      const auto timer = session.timing.phase("attribute");
      if (!judged) judged.emplace(session, resamples_alone(session.deck));
      found = computed(session, a, *judged);
    }
    write(session, a, *found);
    session.console.line("attribution {}: {} components over {} layers, their sums are the forward pass's",
                         session.study.anchors[a].name, found->components(), found->layer.size());
  }
}

std::string plain_number(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.3f}", value);
}

std::string signed_number(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:+.3f}", value);
}

std::string interval_text(const emergence::Estimate& one) {
  return std::isnan(one.low) ? "-" : fmt::format("{:+.3f} to {:+.3f}", one.low, one.high);
}

/// A subject's components, a block to a row.
std::string waterfall(const emergence::Attribution& found, std::int64_t subject) {
  Table table({{"layer"}, {"activation"}, {"gap"}, {"attention"}, {"95 %"}, {"MLP"}, {"95 %"}});
  const auto points = std::ssize(found.layer);
  for (std::int64_t layer = 0; layer <= found.layer.back(); ++layer) {
    const auto point = std::ranges::find(found.layer, layer) - found.layer.begin();
    std::vector<std::string> cells{std::to_string(layer)};
    cells.push_back(point < points ? plain_number(found.activation[found.at(point, subject)].value) : "");
    cells.push_back(point < points ? plain_number(found.gap[found.at(point, subject)].value) : "");
    for (auto k = components_at(layer - 1); layer > 0 && k < components_at(layer); ++k) {
      const auto& one = found.contribution[found.at(points - 1, k, subject)];
      cells.push_back(signed_number(one.value));
      cells.push_back(interval_text(one));
    }
    cells.resize(7);
    table.row(cells);
  }
  return table.text();
}

std::string named(const emergence::Attribution& found, std::int64_t point, std::int64_t subject,
                  const std::vector<std::int64_t>& components) {
  std::vector<std::string> names;
  for (const auto k : components) {
    const auto& one = found.contribution[found.at(point, k, subject)];
    names.push_back(
        fmt::format("{} {} ({})", component_name(k), signed_number(one.value), interval_text(one)));
  }
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

/// Who wrote most of each subject's concept, and who did most against it where it falls most.
std::string verdicts(const emergence::Attribution& found) {
  std::string text;
  const auto last = std::ssize(found.layer) - 1;
  const auto falls = emergence::deepest_falls(found);
  for (std::int64_t c = 0; c < std::ssize(found.subjects); ++c) {
    if (std::isnan(found.activation[found.at(last, c)].value)) {
      text += fmt::format("  {}: no matched latents\n", found.subjects[static_cast<std::size_t>(c)]);
      continue;
    }
    auto writers = emergence::writers_between(found, -1, last, c);
    writers.resize(std::min<std::size_t>(writers.size(), 3));
    text += fmt::format("  {}: written by {}", found.subjects[static_cast<std::size_t>(c)],
                        named(found, last, c, writers));
    const auto fall = std::ranges::find(falls, c, &emergence::Fall::subject);
    if (fall == falls.end()) {
      text += "; falls nowhere\n";
      continue;
    }
    text += fmt::format("; falls most from layer {} to {}, by {:.3f}, erased by {}\n",
                        found.layer[static_cast<std::size_t>(fall->from)],
                        found.layer[static_cast<std::size_t>(fall->to)], -fall->by,
                        named(found, fall->to, c, fall->erasers));
  }
  return text;
}

std::string attribution_text(const Session& session, std::size_t anchor,
                             const emergence::Attribution& found) {
  const auto& site = session.study.anchors[anchor].site;
  std::string text;
  for (std::int64_t c = 0; c < std::ssize(found.subjects); ++c) {
    if (std::isnan(found.activation[found.at(0, c)].value)) continue;
    text += fmt::format("\nAnchor {}, {}, embedding {}\n{}\n", session.study.anchors[anchor].name,
                        found.subjects[static_cast<std::size_t>(c)],
                        signed_number(found.contribution[found.at(0, 0, c)].value), waterfall(found, c));
  }
  return text +
         fmt::format(
             "\nAnchor {}, {} step {}: who wrote and who erased\n{}"
             "activation: mean pre-activation of the subject's latents on its judged probes, less that on "
             "all; the sum of\nthe embedding and all attention and MLP up to the layer. gap: what their "
             "leading latent has over what it must\nbeat to be kept.\n",
             session.study.anchors[anchor].name, session.study.model(site).name, site.step, verdicts(found));
}

/// Where a measure is higher without the component, beyond its interval.
std::string brought_back(const emergence::Ablation& found, const std::vector<emergence::Change>& changes) {
  std::vector<std::string> where;
  for (std::size_t c = 0; c < found.subjects.size(); ++c)
    for (std::size_t p = 0; p < found.layer.size(); ++p)
      if (changes[p * found.subjects.size() + c].difference.low > 0)
        where.push_back(fmt::format("{} at layer {}", found.subjects[c], found.layer[p]));
  return where.empty() ? "none" : fmt::format("{}", fmt::join(where, ", "));
}

/// Contrast and AUC of the subjects that have latents, a layer to a row.
std::string ablation_text(const std::string& anchor, const emergence::Ablation& found) {
  Table table({{"subject", Table::Side::left},
               {"layer"},
               {"contrast %"},
               {"without"},
               {"difference"},
               {"95 %"},
               {"AUC"},
               {"without"},
               {"difference"},
               {"95 %"}});
  const auto band = [](const emergence::Estimate& one) {
    return std::isnan(one.low) ? "-" : fmt::format("{:+.0f} to {:+.0f}", 100 * one.low, 100 * one.high);
  };
  for (std::size_t c = 0; c < found.subjects.size(); ++c)
    for (std::size_t p = 0; p < found.layer.size(); ++p) {
      const auto& contrast = found.contrast[p * found.subjects.size() + c];
      const auto& auc = found.auc[p * found.subjects.size() + c];
      if (std::isnan(auc.before.value)) continue;
      table.row({found.subjects[c], std::to_string(found.layer[p]), percent(contrast.before.value),
                 percent(contrast.after.value), fmt::format("{:+.0f}", 100 * contrast.difference.value),
                 band(contrast.difference), two_digits(auc.before.value), two_digits(auc.after.value),
                 fmt::format("{:+.2f}", auc.difference.value), interval_text(auc.difference)});
    }
  return fmt::format(
      "\nAnchor {} without {} (its mean over probes in its place)\n{}\nbrought back, each beyond its own 95 "
      "% interval, so that one in forty is chance\n  contrast: {}\n"
      "  AUC: {}\n",
      anchor, component_name(found.component), table.text(), brought_back(found, found.contrast),
      brought_back(found, found.auc));
}

/// Those who erased in the dips that the run calls along the layers, where emergence.h5 is there to tell.
std::vector<std::int64_t> erasers_of_dips(const Session& session, const Anchor& anchor,
                                          const emergence::Attribution& found) {
  std::vector<std::int64_t> components;
  const auto& unit = session.ledger->emergence();
  if (state_of(unit) != State::done) return components;
  const store::Reader file(unit.path, unit.kind);
  const auto dips = fmt::format("anchors/{}/curves/space/conclusions/dips/", anchor.name);
  const auto subject = file.read<std::int64_t>(dips + "subject_number"),
             from = file.read<std::int64_t>(dips + "from"), bottom = file.read<std::int64_t>(dips + "at");
  for (std::size_t d = 0; d < subject.size(); ++d)
    for (const auto component : emergence::writers_between(found, from[d], bottom[d], subject[d], true))
      components.push_back(component);
  return components;
}

/// The components asked for, each once, ascending.
std::vector<std::int64_t> to_ablate(const Session& session, const std::vector<std::string>& words,
                                    const Anchor& anchor, const emergence::Attribution& found) {
  std::vector<std::int64_t> components;
  for (const auto& word : words) {
    if (word == "erasers") {
      const auto of_dips = erasers_of_dips(session, anchor, found);
      components.insert(components.end(), of_dips.begin(), of_dips.end());
      for (const auto& fall : emergence::deepest_falls(found))
        components.insert(components.end(), fall.erasers.begin(), fall.erasers.end());
    } else {
      components.push_back(component_of(word, last_layer(anchor)));
    }
  }
  std::ranges::sort(components);
  components.erase(std::unique(components.begin(), components.end()), components.end());
  return components;
}

}  // namespace

void attribute(Session& session, bool again) {
  std::vector<std::size_t> all;
  for (std::size_t a = 0; a < session.study.anchors.size(); ++a)
    if (session.ledger->attributes(a)) all.push_back(a);
  if (!all.empty()) attribute_anchors(session, again, all);
}

void attribute_and_ablate(const parallel::Communicator& world, const std::vector<std::string>& words) {
  const auto asked = asked_of(words);
  const auto deck = read_deck(world, asked.others, attribute_about);
  if (!deck) return;
  parallel::together(world, "reading the deck", [&] { require_components(*deck); });
  const auto session = open_session(world, *deck, "attribute");
  std::vector<std::size_t> anchors;
  parallel::together(world, "choosing anchors", [&] {
    anchors = chosen_anchors(*session, asked.anchor);
    for (const auto a : anchors)  // a mistake shows before the work, not after
      for (const auto& word : asked.ablate)
        if (word != "erasers") static_cast<void>(component_of(word, last_layer(session->study.anchors[a])));
  });
  attribute_anchors(*session, true, anchors);
  std::optional<Judged> judged;
  for (const auto a : anchors) {
    emergence::Attribution found;
    parallel::together(world, "reading the attribution",
                       [&] { found = emergence::read_attribution(session->ledger->attribution(a).path); });
    session->console.block(attribution_text(*session, a, found));
    const auto& anchor = session->study.anchors[a];
    std::vector<std::int64_t> components;
    parallel::together(world, "reading the dips",
                       [&] { components = to_ablate(*session, asked.ablate, anchor, found); });
    if (!asked.ablate.empty() && components.empty())
      session->console.line("anchor {}: the attribution names no eraser, so none is removed", anchor.name);
    for (const auto component : components) {
      if (!judged) judged.emplace(*session, resamples_alone(session->deck));
      session->console.block(ablation_text(anchor.name, ablate(*session, a, *judged, component)));
    }
  }
  close_session(*session);
}

}  // namespace incipit::command

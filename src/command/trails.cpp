#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "command/study.hpp"
#include "emergence/curve.hpp"

namespace incipit::command {
namespace {

/// What the anchors and their controls take, put together anchor by anchor.
class Planner {
 public:
  Planner(Study& study, const deck::Deck& deck) : study_(study), deck_(deck) {}

  void plan() {
    for (const auto& anchor : study_.anchors) {
      add_anchor(anchor);
      study_.maps.push_back({anchor.name, anchor.name, anchor.site, sites_of(anchor)});
    }
    for (std::size_t a = 0; a < study_.anchors.size(); ++a) {
      add_curves(a);
      if (!deck_.controls.own_anchor.empty()) add_own(a);
      if (deck_.controls.random_weights != "none") add_random_weights(a);
      if (deck_.controls.first_step) add_first_step(a);
      if (deck_.controls.ceiling) add_ceiling(a);
    }
    // Behind all others: the file of an anchor's SAEs holds theirs.
    if (deck_.controls.seeds)
      for (std::size_t a = 0; a < study_.anchors.size(); ++a) add_seeds(a);
    std::ranges::stable_sort(study_.trails, {}, &Trail::anchor);
  }

  /// Along the only curve of the only anchor.
  void plan_everywhere() {
    const Curve& curve = anchor(0).curves.front();
    const auto sites = sites_of(anchor(0));
    add_anchor(anchor(0));
    for (const auto& site : sites) {
      study_.trails.push_back(along("everywhere", 0, curve, dictionary_at(0, site)));
      Trail& trail = study_.trails.back();
      trail.with_linear_probe = false;
      if (emergence::reading_rung(curve.name) != emergence::Rung::aligned) continue;
      const auto& name = study_.dictionaries[trail.readings.front().dictionary].name;
      trail.maps = add_maps(anchor(0), fmt::format("{}.over_{}", name, curve.name), site, sites);
    }
  }

 private:
  const Anchor& anchor(std::size_t a) const { return study_.anchors[a]; }

  void add_anchor(const Anchor& of) {
    add_dictionary(of, of.name, of.site);
    // Further seeds show the spread of the anchors' dictionaries; of others one is enough.
    study_.dictionaries.back().seeds = deck_.sae.seeds;
  }

  std::size_t add_dictionary(const Anchor& of, const std::string& name, const Site& site) {
    study_.dictionaries.push_back({name, of.name, site, study_.dictionaries.size()});
    return study_.dictionaries.size() - 1;
  }

  std::size_t add_maps(const Anchor& of, const std::string& name, const Site& home,
                       const std::vector<Site>& sites) {
    study_.maps.push_back({name, of.name, home, sites});
    return study_.maps.size() - 1;
  }

  /// A curve whose points are read where they lie, by one dictionary.
  static Trail along(const std::string& place, std::size_t a, const Curve& curve, std::size_t dictionary) {
    Trail trail{place, a, curve, {}};
    for (const auto& site : curve.points) trail.readings.push_back({dictionary, site});
    return trail;
  }

  void add_curves(std::size_t a) {
    for (const auto& curve : anchor(a).curves) {
      study_.trails.push_back(along("curves", a, curve, a));
      study_.trails.back().maps = a;
    }
  }

  /// The dictionary made where a point of a curve lies. At home it is the anchor's.
  std::size_t dictionary_at(std::size_t a, const Site& site) {
    if (site == anchor(a).site) return a;
    const auto name = fmt::format("{}.own.{}.step{}.layer{}", anchor(a).name, study_.model(site).name,
                                  site.step, site.layer);
    const auto made = std::ranges::find(study_.dictionaries, name, &Dictionary::name);
    if (made == study_.dictionaries.end()) return add_dictionary(anchor(a), name, site);
    return static_cast<std::size_t>(made - study_.dictionaries.begin());
  }

  void add_own(std::size_t a) {
    for (const auto& curve : anchor(a).curves) {
      if (std::ranges::find(deck_.controls.own_anchor, curve.name) == deck_.controls.own_anchor.end())
        continue;
      Trail trail = along("curves", a, {"own_" + curve.name, curve.points}, a);
      for (auto& [dictionary, site] : trail.readings)
        if (!anchor(a).is_left_out(site)) dictionary = dictionary_at(a, site);
      study_.trails.push_back(std::move(trail));
    }
  }

  /// A dictionary of its own at the anchor's place; and the floor: along each curve, what the anchor's
  /// dictionary reads where the model has not learned.
  void add_random_weights(std::size_t a) {
    const std::string name = anchor(a).name + ".random_weights", place = "controls/random_weights/curves";
    const Site home{anchor(a).site.model, random_weights, anchor(a).site.layer};
    add_checkpoint(home, anchor(a).site.step, true);
    const Curve own{"own", {home}};
    study_.trails.push_back(along(place, a, own, add_dictionary(anchor(a), name, home)));
    if (deck_.controls.random_weights != "curves") return;
    std::vector<Trail> floors;
    std::vector<Site> sites;
    for (const auto& curve : anchor(a).curves) {
      Curve floor{curve.name, {}};
      for (const auto& point : curve.points) {
        const Site site{point.model, random_weights, point.layer};
        if (std::ranges::find(floor.points, site) != floor.points.end()) continue;
        floor.points.push_back(site);
        if (std::ranges::find(sites, site) == sites.end()) sites.push_back(site);
        add_checkpoint(site, point.step, false);
      }
      floors.push_back(along(place, a, floor, a));
    }
    const auto maps = add_maps(anchor(a), name, anchor(a).site, sites);
    for (auto& floor : floors) {
      floor.maps = maps;
      study_.trails.push_back(std::move(floor));
    }
  }

  void add_first_step(std::size_t a) {
    const std::string name = anchor(a).name + ".first_step";
    for (const auto& curve : anchor(a).curves) {
      if (curve.name != "time") continue;
      const auto first =
          std::ranges::find_if(curve.points, [&](const Site& site) { return !anchor(a).is_left_out(site); });
      std::vector<Site> sites;
      for (const auto& site : curve.points)
        if (!anchor(a).is_left_out(site)) sites.push_back(site);
      if (first == curve.points.end() || *first == anchor(a).site) continue;
      study_.trails.push_back(
          along("controls/first_step/curves", a, curve, add_dictionary(anchor(a), name, *first)));
      study_.trails.back().maps = add_maps(anchor(a), name, *first, sites);
    }
  }

  void add_ceiling(std::size_t a) {
    for (const auto& curve : anchor(a).curves) {
      if (curve.name != "scale") continue;
      Trail trail = along("controls/ceiling/curves", a, curve, a);
      for (auto& [dictionary, site] : trail.readings) {
        const std::int64_t d = study_.model(site).config.d;
        site = anchor(a).site;
        if (d < study_.model(site).config.d) site.components = d;
      }
      study_.trails.push_back(std::move(trail));
    }
  }

  void add_seeds(std::size_t a) {
    for (std::int64_t seed = 1; seed < deck_.sae.seeds; ++seed) {
      const auto which = static_cast<std::size_t>(seed);
      study_.dictionaries.push_back({fmt::format("{}.seed{}", anchor(a).name, deck_.run.seed + which),
                                     anchor(a).name, anchor(a).site, a, which});
      for (const auto& curve : anchor(a).curves) {
        study_.trails.push_back(along("controls/seeds", a, curve, study_.dictionaries.size() - 1));
        study_.trails.back().maps = a;
        study_.trails.back().seed = which;
      }
    }
  }

  /// The model with random weights in the shape of the one at `step`, with this layer.
  void add_checkpoint(const Site& site, std::int64_t step, bool trains) {
    auto& all = study_.checkpoints;
    auto found =
        std::ranges::find_if(all, [&](const Checkpoint& c) { return c.random() && c.model == site.model; });
    if (found == all.end()) {
      const auto& steps = study_.model(site).steps;
      const auto shape = std::ranges::find(steps, step, &checkpoint::Step::step);
      found = all.insert(all.end(), {site.model, random_weights, shape->folder, {}, false});
    }
    found->anchor = found->anchor || trains;
    if (std::ranges::find(found->layers, site.layer) == found->layers.end())
      found->layers.insert(std::ranges::upper_bound(found->layers, site.layer), site.layer);
  }

  Study& study_;
  const deck::Deck& deck_;
};

}  // namespace

void plan_size_sweep(Study& study, const deck::Deck& deck, std::size_t anchor,
                     const std::vector<SaeSize>& sizes) {
  const Anchor& of = study.anchors[anchor];
  study.sweep = Sweep{"sweep", fmt::format("sweep/{}.h5", of.name), of.name};
  for (const auto& size : sizes)
    study.dictionaries.push_back({.name = fmt::format("{}.k{}.h{}", of.name, size.k, size.latents),
                                  .anchor = of.name,
                                  .site = of.site,
                                  .trained = study.dictionaries.size(),
                                  .seeds = deck.sae.seeds,
                                  .size = size});
  // Behind all others, as everywhere: the file of a size's SAEs holds theirs.
  for (std::size_t d = 0; d < sizes.size(); ++d)
    for (std::int64_t seed = 1; seed < deck.sae.seeds; ++seed) {
      Dictionary further = study.dictionaries[d];
      further.name += fmt::format(".seed{}", deck.run.seed + static_cast<std::uint64_t>(seed));
      further.seed = static_cast<std::size_t>(seed);
      study.dictionaries.push_back(std::move(further));
    }
  std::erase_if(study.checkpoints, [&](const Checkpoint& checkpoint) {
    return checkpoint.model != of.site.model || checkpoint.step != of.site.step;
  });
}

void plan_anchor_sweep(Study& study, const deck::Deck& deck, std::size_t anchor, const std::string& curve) {
  Anchor only = study.anchors[anchor];
  std::erase_if(only.curves, [&](const Curve& one) { return one.name != curve; });
  study.anchors = {std::move(only)};
  const Anchor& of = study.anchors.front();
  study.sweep = Sweep{"anchor_sweep", fmt::format("sweep/{}.over_{}.h5", of.name, curve), of.name};
  Planner(study, deck).plan_everywhere();
  auto sites = sites_of(of);
  sites.push_back(of.site);
  std::erase_if(study.checkpoints, [&](const Checkpoint& checkpoint) {
    return std::ranges::none_of(sites, [&](const Site& site) {
      return site.model == checkpoint.model && site.step == checkpoint.step;
    });
  });
}

sae::SaeOptions sae_options(const deck::Deck& deck, const Dictionary& dictionary) {
  sae::SaeOptions options = deck.sae;
  if (dictionary.size) {
    options.k = dictionary.size->k;
    options.latents = dictionary.size->latents;
  }
  return options;
}

void plan_trails(Study& study, const deck::Deck& deck) {
  Planner(study, deck).plan();
}

}  // namespace incipit::command

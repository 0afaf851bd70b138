#include "emergence/size_sweep.hpp"

#include "emergence/axes.hpp"
#include "emergence/joined_rows.hpp"

namespace incipit::emergence {

void write_size_sweep(store::Writer& writer, const SizeSweep& sweep) {
  const auto sizes = std::ssize(sweep.k), seeds = std::ssize(sweep.seed),
             subjects = std::ssize(sweep.subjects);
  writer.attribute("", "model", sweep.model);
  writer.attribute("", "step", sweep.step);
  writer.attribute("", "layer", sweep.layer);
  writer.write("k", {sizes}, sweep.k, {"1", "latents kept per probe"}, {"size"});
  writer.write("latents", {sizes}, sweep.latents, {"1", "latents of the dictionary"}, {"size"});
  writer.write("seed", {seeds}, sweep.seed, {"1", "seed of the dictionary"}, {"seed"});
  write_subject_axis(writer, "", sweep.subjects);
  for (const SizedColumn& column : sized_columns)
    writer.write(column.name, {sizes, seeds},
                 of_each<double>(
                     sweep.of, [&](const SizedDictionary& d, auto& out) { out.push_back(column.value(d)); }),
                 {"1", column.meaning}, {"size", "seed"});
  for (std::size_t s = 0; s < std::size(sized_counts); ++s)
    writer.write(sized_counts[s].name, {sizes, seeds},
                 of_each<std::int64_t>(
                     sweep.of, [&](const SizedDictionary& d, auto& out) { out.push_back(d.status.at(s)); }),
                 {"1", sized_counts[s].meaning}, {"size", "seed"});
  const std::vector<std::int64_t> shape{sizes, seeds, subjects};
  const std::vector<std::string> dims{"size", "seed", "subject"};
  writer.write("matched", shape, joined_rows(sweep.of, &SizedDictionary::matched),
               {"1", "number of matched latents"}, dims);
  writer.write("probe_activation", shape, joined_rows(sweep.of, &SizedDictionary::probe_activation),
               {"1", "share of the subject's judge probes on which a matched latent fires"}, dims);
  writer.write("contrast", shape, joined_rows(sweep.of, &SizedDictionary::contrast),
               {"1", "probe_activation less the mean over the other subjects"}, dims);
}

}  // namespace incipit::emergence

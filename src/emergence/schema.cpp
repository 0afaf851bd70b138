#include "emergence/schema.hpp"

#include <array>

#include "emergence/ablation.hpp"
#include "emergence/anchor_sweep.hpp"
#include "emergence/attribution.hpp"
#include "emergence/conclusion_columns.hpp"
#include "emergence/curve.hpp"
#include "emergence/drift_columns.hpp"
#include "emergence/estimate_parts.hpp"
#include "emergence/size_sweep.hpp"

namespace incipit::emergence {
namespace {

using Dims = std::vector<std::string>;
using Entries = std::vector<SchemaEntry>;

const std::string always = "always", optional_ = "optional";

/// Entries that share a group and when it must be there.
class Group {
 public:
  Group(Entries& entries, const std::string& path, std::string required)
      : entries_(entries), path_(path.empty() ? "" : path + "/"), required_(std::move(required)) {}

  void real(const std::string& name, const Dims& dims, const std::string& meaning) {
    add(name, dims, "float64", "1", meaning);
  }
  void real32(const std::string& name, const Dims& dims, const std::string& meaning) {
    add(name, dims, "float32", "1", meaning);
  }
  void count(const std::string& name, const Dims& dims, const std::string& meaning,
             const std::string& units = "1") {
    add(name, dims, "int64", units, meaning);
  }
  void code(const std::string& name, const Dims& dims, const std::string& meaning) {
    add(name, dims, "int8", "1", meaning);
  }
  void text(const std::string& name, const Dims& dims, const std::string& meaning) {
    add(name, dims, "string", "1", meaning);
  }
  void add(const std::string& name, const Dims& dims, const std::string& type, const std::string& units,
           const std::string& meaning) {
    entries_.push_back({path_ + name, dims, type, units, meaning, required_});
  }

 private:
  Entries& entries_;
  std::string path_, required_;
};

/// A measure and all that stands beside it.
void add_estimates(Group& group, const std::string& name, const Dims& dims, const std::string& meaning) {
  for (const EstimatePart& part : estimate_parts)
    group.real(name + part.suffix, dims, meaning + part.meaning);
}

Dims without_point(const Dims& dims) {
  Dims out;
  for (const auto& dim : dims)
    if (dim != "point") out.push_back(dim);
  return out;
}

void add_curve_estimates(Group& group, const std::string& name, const Dims& dims,
                         const std::string& meaning) {
  add_estimates(group, name, dims, meaning);
  group.real(name + "_null_max", without_point(dims), meaning + null_max_meaning);
}

void add_alignment(Group& group, const std::string& prefix, const std::string& dim) {
  group.real(prefix + "residual", {dim},
             "residual of the map to the anchor on the judge part, by the anchor's spread");
  group.real(
      prefix + "residual_floor", {dim},
      "residual of the anchor on its own top principal components, as many as the site has dimensions");
  group.real(prefix + "residual_shuffled", {dim},
             "5th percentile of the residual over 100 shuffled correspondences");
  group.real(prefix + "outside", {dim}, "share of the site's variance outside the map's span");
  group.real(prefix + "retrieval", {dim}, "share of probes mapped nearest to their own vector at the anchor");
  group.real(prefix + "cka", {dim}, "linear CKA with the anchor, unbiased HSIC");
  group.real(prefix + "cka_biased", {dim}, "linear CKA with the anchor, biased HSIC");
  group.real(prefix + "cosine_correlation", {dim}, "correlation of pairwise cosines between site and anchor");
  group.real(prefix + "effective_rank", {dim}, "effective rank of the cross-covariance with the anchor");
  group.code(prefix + "reliable", {dim}, "1 where the map passes the signatures of failure");
}

/// anchors/{anchor}/curves/{curve} and what has the same names.
void add_curve(Entries& entries, const std::string& path, const std::string& required) {
  Group group(entries, path, required);
  const Dims cell = {"rung", "point", "subject"};
  group.text("rung", {"rung"}, "input of the anchor's SAE: raw, rescaled, aligned");
  group.text("subject", {"subject"}, "subject");
  group.count("point", {"point"}, "number of the point on the curve");
  group.text("model", {"point"}, "model");
  group.count("params", {"point"}, "parameters of the model");
  group.count("params_non_embedding", {"point"}, "parameters of the model without its embeddings");
  group.count("step", {"point"}, "training step", "step");
  group.count("layer", {"point"}, "layer; 0 is the embedding output");
  group.real("depth", {"point"}, "layer by number of blocks");
  for (size_t m = 0; m < measure_names.size(); ++m)
    add_curve_estimates(group, std::string(measure_names[m]), cell, measure_meanings[m]);
  add_curve_estimates(group, "probe_auc", {"point", "subject"}, probe_auc_meaning);
  group.code("status", cell, status_meaning);
  group.count("distinct", {"point"}, "bitwise distinct vectors among the judge probes");
  group.real("norm", {"point"}, "mean norm of the residuals");
  group.real("perplexity", {"point"}, "usage perplexity of the latents, on the first rung the site has");
  group.real("silent", {"point"}, "share of probes on which no latent fires, on the first rung the site has");
  group.count("alignment_rank", {"point"}, "rank of the map to the anchor; 0 without one");
  group.real("alignment_scale", {"point"}, "scale of the map to the anchor");
  group.code("alignment_projected", {"point"}, "1 where the site has more dimensions than the anchor");
  add_alignment(group, "alignment_", "point");
}

void add_intervals(Group& group, const std::string& name, const Dims& dims, const std::string& meaning) {
  for (const EstimatePart& part : interval_parts)
    group.real(name + part.suffix, dims, meaning + part.meaning);
}

/// What Attribution holds.
void add_attribution(Entries& entries, const std::string& path, const std::string& required) {
  Group group(entries, path, required);
  group.text("component", {"component"}, "embedding, attention or MLP of a block");
  group.text("subject", {"subject"}, "subject");
  group.count("point", {"point"}, "number of the point on the curve");
  group.count("layer", {"point"}, "layer; 0 is the embedding output");
  add_intervals(group, "contribution", {"point", "component", "subject"}, contribution_meaning);
  add_intervals(group, "margin", {"point", "component", "subject"}, margin_meaning);
  add_intervals(group, "activation", {"point", "subject"}, activation_meaning);
  add_intervals(group, "gap", {"point", "subject"}, gap_meaning);
}

/// What a curve may have beside it: asked for, or of later stages.
void add_curve_extras(Entries& entries, const std::string& path) {
  Group curve(entries, path, optional_);
  curve.count("winner", {"point", "probe"}, "latent with the largest pre-activation");
  curve.real("margin", {"point", "probe"}, "its pre-activation less the next");
  curve.count("matched", {"point", "subject"}, "number of latents matched at the point, of an own_CURVE");
  curve.add("loss", {"point"}, "float64", "nat", loss_meaning);
  curve.count("latent", {"latent"}, "latent of the anchor's SAE");
  curve.real32("fire_rate", {"rung", "point", "latent"},
               "share of the judge probes on which the latent fires");
  add_attribution(entries, path + "/attribution", path + "/attribution");
}

/// Against the point before. Not in files of the first versions; a file that has one has all but the loss,
/// which is asked for.
void add_drift(Entries& entries, const std::string& path) {
  Group drift(entries, path, path);
  drift.count("point", {"point"}, "number of the point on the curve");
  for (const DriftColumn& column : drift_columns) drift.real(column.name, {"point"}, column.meaning);
  Group(entries, path, optional_).add("loss", {"point"}, "float64", "nat", loss_drift_meaning);
}

/// What verdicts are made from.
void add_evidence(Group& group, const std::string& dim) {
  group.real("contrast", {dim, "rung"}, "contrast where the subject is missing");
  for (const EvidenceColumn& column : evidence_columns) group.real(column.name, {dim}, column.meaning);
}

/// What a curve says: onsets, thresholds, dips. Not in files of the first versions; a file that has one has
/// all.
void add_conclusions(Entries& entries, const std::string& path) {
  Group group(entries, path, path);
  group.text("subject", {"subject"}, "subject");
  for (const ConclusionColumn& column : conclusion_columns)
    group.real(column.name, {"subject"}, column.meaning);
  group.code("present", {"subject"}, present_meaning);
  for (const ThresholdColumn& column : threshold_columns)
    group.real(column.name, {"subject"}, column.meaning);
  group.real("earlier", {"subject", "later"}, earlier_meaning);
  group.real("order_p", {}, order_meaning);
  group.text("dip_rung", {"subject"}, dip_rung_meaning);
  group.text("onset_rung", {"subject"}, onset_rung_meaning);
  Group before(entries, path + "/before", path);
  add_evidence(before, "subject");
  Group dips(entries, path + "/dips", path);
  dips.count("subject_number", {"dip"}, "subject that falls and returns");
  dips.count("from", {"dip"},
             "point of the shoulder before; the anchor's own, where the return alone counts");
  dips.count("at", {"dip"}, "point of the bottom");
  dips.count("to", {"dip"}, "point of the shoulder behind");
  dips.real("depth", {"dip"}, "contrast of the lower shoulder less that of the bottom");
  dips.real("p", {"dip"}, "p of the depth against the best curve without falls");
  dips.text("verdict", {"dip"}, "why it is not read at the bottom");
  dips.text("erased_by", {"dip"}, erased_by_meaning);
  dips.text("written_by", {"dip"}, written_by_meaning);
  add_evidence(dips, "dip");
}

/// Not in files of the first versions; a file that has one has all.
void add_nearest(Entries& entries, const std::string& path) {
  Group nearest(entries, path, path);
  nearest.count("latent", {"near"}, "latent that the probe is near");
  nearest.count("probe", {"near"}, "verify probe, by its place in the deck's order");
  nearest.code("side", {"near"},
               "0 fires most strongly, 1 fires by the least margin, 2 silent, but nearly fires");
  nearest.real("activation", {"near"}, "activation; 0 where silent");
  nearest.real("margin", {"near"}, "pre-activation less what it would take to fire");
  Group texts(entries, path + "/texts", path);
  texts.count("probe", {"probe"}, "verify probe that some latent is near, each once");
  texts.text("text", {"probe"}, "text of the probe");
}

/// latents/, with examples and judgements, below a group.
void add_labels(Entries& entries, const std::string& path, const std::string& required) {
  Group latents(entries, path + "latents", required);
  latents.count("latent", {"latent"}, "latent of the SAE");
  latents.text("subject", {"subject"}, "subject");
  latents.text("label", {"latent"}, "label; empty for a dead latent");
  latents.code("status", {"latent"}, "0 interpretable, 1 uninterpretable, 2 unsupported, 3 dead");
  const std::array<std::pair<const char*, const char*>, 9> reals = {{
      {"f1", "F1 of the label on verify probes, half of them firing; NaN: not judged"},
      {"f1_low", "one-sided lower 95 % bound of F1"},
      {"precision", "precision on the judged verify probes"},
      {"precision_at_rate", "precision at the true firing rate"},
      {"recall", "recall on the judged verify probes"},
      {"balanced_accuracy", "balanced accuracy on the judged verify probes"},
      {"f1_always_yes", "F1 of a teacher that always says yes, same probes"},
      {"f1_coin", "expected F1 of a teacher that tosses a coin, same probes"},
      {"fire_rate", "share of fit probes on which the latent fires"},
  }};
  for (const auto& [name, meaning] : reals) latents.real(name, {"latent"}, meaning);
  latents.count("support", {"latent"}, "verify probes on which the latent fires");
  latents.count("groups", {"latent"}, "groups among them");
  latents.count("unparsed", {"latent"}, "answers that could not be read, counted as wrong");
  latents.real("fire_rate_by_subject", {"latent", "subject"},
               "share of the subject's fit probes on which it fires");
  Group examples(entries, path + "latents/examples", required);
  examples.count("latent", {"example"}, "latent whose example this is");
  examples.count("probe", {"example"}, "fit probe shown to the teacher, by its place in the deck's order");
  examples.real("activation", {"example"}, "activation; 0 for a negative");
  examples.text("text", {"example"}, "text of the probe");
  Group judgements(entries, path + "latents/judgements", required);
  judgements.count("latent", {"judgement"}, "latent whose label was judged");
  judgements.count("probe", {"judgement"}, "verify probe judged, by its place in the deck's order");
  judgements.code("fires", {"judgement"}, "1 if the latent fires on the probe");
  judgements.code("near", {"judgement"}, "1 if the latent is silent and a nearest latent fires");
  judgements.code("answer", {"judgement"}, "0 no, 1 yes, 2 unparsed");
  judgements.real("score", {"judgement"}, "the teacher's score; its scale is the teacher's own");
  // Not in files of the first version; a file that has it has both.
  Group judged(entries, path + "latents/judged", path + "latents/judged");
  judged.count("probe", {"probe"}, "verify probe that a label was judged on, each once");
  judged.text("text", {"probe"}, "text of the probe");
  add_nearest(entries, path + "latents/nearest");
}

void add_matches(Entries& entries, const std::string& path, const std::string& required) {
  Group latents(entries, path + "latents", required);
  latents.real32("similarity", {"latent", "subject"}, "cosine of label and subject, over its phrases");
  latents.code("matched", {"latent", "subject"}, "1 if interpretable and similarity reaches tau");
  Group tau(entries, path + "tau", required == always ? required : path + "tau");
  tau.real("tau", {"tau"}, "matching threshold");
  tau.real("decoy_rate", {"tau"}, "share of (label, decoy phrase) pairs that match");
  tau.count("matched", {"tau", "subject"}, "number of matched latents");
}

std::vector<Schema::Attribute> label_attributes(const std::string& path) {
  return {{path + "latents", "teacher", "who labelled and judged: kind, version, model"},
          {path + "latents", "model", "model of a teacher that reads; empty for others"},
          {path + "latents", "server", "where it ran; empty where there was none"}};
}

std::vector<Schema::Attribute> match_attributes(const std::string& path) {
  return {
      {path + "latents", "phrases", "max: the nearest phrase counts; mean: the mean of the phrases' vectors"},
      {path + "latents", "tau", "threshold used"},
      {path + "latents", "tau_auto", "1 if it was set by the decoys"},
      {path + "latents", "decoy_rate", "share of decoy phrases that match at it"},
      {path + "latents", "decoy_pairs", "number of (label, decoy phrase) pairs"}};
}

Schema activations() {
  Schema out{"activations", "extract", "one checkpoint's residuals at the last token of every probe", {}, {}};
  Group root(out.entries, "", always);
  root.add("layer", {"layer"}, "int32", "1", "0 the embedding output, l the residual stream after block l");
  root.text("probe_id", {"probe_id"}, "probes in the deck's order");
  root.add("tokens", {"probe_id"}, "int32", "token", "length of the probe");
  root.add("residual", {"layer", "probe_id", "d"}, "float32|float16", "1",
           "residual stream at the last token");
  Group more(out.entries, "", optional_);
  more.add("attention_out", {"layer", "probe_id", "d"}, "float32|float16", "1",
           "what the block's attention added; row 0 is zero");
  more.add("mlp_out", {"layer", "probe_id", "d"}, "float32|float16", "1",
           "what the block's MLP added; row 0 is zero");
  out.attributes = {{"", "model", "model"}, {"", "step", "training step; -1: random weights"}};
  return out;
}

Schema sweep() {
  Schema out{"sweep", "sweep", "what hangs on the size of an anchor's dictionary, at its own site", {}, {}};
  Group root(out.entries, "", always);
  root.count("k", {"size"}, "latents kept per probe");
  root.count("latents", {"size"}, "latents of the dictionary");
  root.count("seed", {"seed"}, "seed of the dictionary");
  root.text("subject", {"subject"}, "subject");
  for (const SizedColumn& column : sized_columns) root.real(column.name, {"size", "seed"}, column.meaning);
  for (const SizedCount& count : sized_counts) root.count(count.name, {"size", "seed"}, count.meaning);
  root.count("matched", {"size", "seed", "subject"}, "number of matched latents");
  root.real("probe_activation", {"size", "seed", "subject"},
            "share of the subject's judge probes on which a matched latent fires");
  root.real("contrast", {"size", "seed", "subject"},
            "probe_activation less the mean over the other subjects");
  out.attributes = {{"", "model", "model of the anchor"},
                    {"", "step", "training step of the anchor"},
                    {"", "layer", "layer of the anchor"}};
  return out;
}

Schema anchor_sweep() {
  Schema out{"anchor_sweep",
             "sweep",
             "what dictionaries made at each point of a curve read along it, on the rung on which it is read",
             {},
             {}};
  const Dims cell{"dictionary", "point", "subject"};
  Group root(out.entries, "", always);
  root.count("point", {"point"}, "number of the point on the curve");
  root.text("model", {"point"}, "model");
  root.count("params", {"point"}, "parameters of the model");
  root.count("step", {"point"}, "training step", "step");
  root.count("layer", {"point"}, "layer; 0 is the embedding output");
  root.text("subject", {"subject"}, "subject");
  root.count("dictionary", {"dictionary"}, "the point at which the dictionary was made");
  root.count("interpretable", {"dictionary"}, "latents whose label holds");
  root.count("matched", {"dictionary", "subject"}, "number of matched latents");
  for (const PlacedColumn& column : placed_columns) root.real(column.name, cell, column.meaning);
  root.code("status", cell, status_meaning);
  for (const ConclusionColumn& column : conclusion_columns)
    root.real(std::string("conclusions/") + column.name, {"dictionary", "subject"}, column.meaning);
  root.code("conclusions/present", {"dictionary", "subject"}, present_meaning);
  root.count("dictionaries_matched", {"subject"}, matched_by_meaning);
  root.count("dictionaries_present", {"subject"}, present_by_meaning);
  for (const AgreementColumn& column : agreement_columns) root.real(column.name, {"subject"}, column.meaning);
  out.attributes = {{"", "curve", "time, space or scale"}, {"", "rung", "the rung on which it is read"}};
  return out;
}

Schema loss() {
  Schema out{"loss", "loss", "one checkpoint's next-token losses of the probes", {}, {}};
  Group root(out.entries, "", always);
  root.text("probe_id", {"probe_id"}, "probes in the deck's order");
  root.add("tokens", {"probe_id"}, "int32", "token", "length of the probe");
  root.add("predicted", {"probe_id"}, "int32", "token", "tokens predicted: all but the first");
  root.add("loss_sum", {"probe_id"}, "float64", "nat", "sum of their losses");
  root.add("loss", {}, "float64", "nat", "mean over the predicted tokens of all probes");
  out.attributes = {{"", "model", "model"}, {"", "step", "training step"}};
  return out;
}

void add_sae(Entries& entries, const std::string& path, const std::string& required) {
  Group sae(entries, path, required);
  sae.real32("encoder", {"latent", "d"}, "encoder rows");
  sae.real32("encoder_bias", {"latent"}, "encoder bias");
  sae.real32("decoder", {"latent", "d"}, "decoder rows, of unit norm");
  sae.real32("pre_bias", {"d"}, "taken from the input, added to the output");
  sae.real32("mean", {"d"}, "mean residual of the fit part");
  sae.real32("scale", {}, "root mean square deviation from the mean, per dimension");
  Group history(entries, path.empty() ? "history" : path + "/history", required);
  history.count("step", {"step"}, "optimizer steps done");
  history.real("loss", {"step"}, "loss");
  history.real("fvu", {"step"}, "fraction of variance unexplained with k latents");
  history.real("fvu_multi", {"step"}, "the same with min(4k, h) latents");
  history.real("auxk", {"step"}, "share of the residual that dead latents leave");
  history.real("dead", {"step"}, "share of dead latents");
}

Schema sae() {
  Schema out{"sae", "train", "one anchor's sparse autoencoders, one per seed", {}, {}};
  add_sae(out.entries, "", always);
  add_sae(out.entries, "seeds/{seed}", "seeds/{seed}");
  out.attributes = {{"", "k", "latents kept"},
                    {"", "sae_seed", "seed of this SAE"},
                    {"", "verify_fvu", "fraction of variance unexplained of the verify part"},
                    {"", "unconverged", "1 if that still moved at the end"}};
  return out;
}

Schema labels() {
  Schema out{"labels", "interpret", "one anchor's labels and how they were verified", {}, {}};
  add_labels(out.entries, "", always);
  out.attributes = label_attributes("");
  return out;
}

Schema match() {
  Schema out{"match", "match", "one anchor's latents against the subjects", {}, match_attributes("")};
  Group root(out.entries, "", always);
  root.text("subject", {"subject"}, "subject");
  root.text("phrases", {"subject", "phrase"}, "phrases a label is compared with; empty ones fill up");
  root.code("read", {"subject"}, "1 for subjects that the family was trained on");
  root.text("decoys", {"decoy"}, "phrases of no subject");
  Group latents(out.entries, "latents", always);
  latents.count("latent", {"latent"}, "latent of the SAE");
  latents.text("subject", {"subject"}, "subject");
  latents.text("label", {"latent"}, "label; empty for a dead latent");
  latents.code("interpretable", {"latent"}, "1 if the label was verified and may be matched");
  add_matches(out.entries, "", always);
  out.attributes.push_back({"", "encoder", "sentence encoder"});
  return out;
}

Schema alignment() {
  Schema out{"align", "align", "the maps from the sites of one anchor's curves into its space", {}, {}};
  Group root(out.entries, "", always);
  root.count("site", {"site"}, "number of the site; its map is maps/SITE");
  root.text("model", {"site"}, "model of the site");
  root.count("step", {"site"}, "training step of the site", "step");
  root.count("layer", {"site"}, "layer of the site");
  root.count("d_site", {"site"}, "dimensions at the site");
  root.count("d_reference", {"site"}, "dimensions at the anchor");
  root.count("rank", {"site"}, "rank of the map; 0 where there is none");
  root.real("scale", {"site"}, "scale c of the map");
  root.code("projected", {"site"}, "1 where the site has more dimensions than the anchor");
  add_alignment(root, "", "site");
  Group map(out.entries, "maps/{site}", "maps/{site}");
  map.real32("left", {"d_site", "component"}, "left factor of the map W = left * transpose(right)");
  map.real32("right", {"d_reference", "component"}, "right factor of the map W = left * transpose(right)");
  map.real("mean_site", {"d_site"}, "mean of the fit part at the site");
  return out;
}

Schema attribution() {
  Schema out{"attribution",
             "attribute",
             "who wrote a subject's latents, who erased them, along one anchor's layers",
             {},
             {}};
  add_attribution(out.entries, "", always);
  out.attributes = {{"", "model", "model of the anchor"}, {"", "step", "training step of the anchor"}};
  return out;
}

Schema ablation() {
  Schema out{"ablation",
             "attribute --ablate",
             "what an anchor's concepts become without one component, along the layers from its own on",
             {},
             {}};
  Group root(out.entries, "", always);
  root.count("layer", {"layer"}, "layer");
  root.text("subject", {"subject"}, "subject");
  for (const char* measure : {"contrast", "auc"}) {
    add_intervals(root, std::string(measure) + "_before", {"layer", "subject"},
                  std::string(measure) + before_meaning);
    add_intervals(root, std::string(measure) + "_after", {"layer", "subject"},
                  std::string(measure) + after_meaning);
    add_intervals(root, std::string(measure) + "_difference", {"layer", "subject"},
                  std::string(measure) + difference_meaning);
  }
  out.attributes = {{"", "component", "attention or MLP of a block"},
                    {"", "model", "model of the anchor"},
                    {"", "step", "training step of the anchor"}};
  return out;
}

Schema audit() {
  Schema out{"audit", "audit", "whether every checkpoint is what its name says", {}, {}};
  Group root(out.entries, "", always);
  root.text("model", {"checkpoint"}, "model");
  root.count("step", {"checkpoint"}, "training step", "step");
  root.text("status", {"checkpoint"}, "ok, or what is wrong");
  root.text("reason", {"checkpoint"}, "evidence; empty when ok");
  root.real("norm", {"checkpoint"}, "norm of all weights; NaN: unreadable");
  root.real("cosine_first", {"checkpoint"}, "cosine with the first step of the model's ladder");
  root.real("cosine_before", {"checkpoint"}, "cosine with the step before");
  root.real("cosine_after", {"checkpoint"}, "cosine with the step after");
  root.count("nonfinite", {"checkpoint"}, "weights that are NaN or infinite");
  Group files(out.entries, "files", "files");
  files.count("checkpoint", {"file"}, "number of the checkpoint whose file this is");
  files.text("name", {"file"}, "name in the checkpoint's folder");
  files.text("sha256", {"file"}, "hash of the file");
  files.count("bytes", {"file"}, "size of the file", "byte");
  Group tensors(out.entries, "tensors", "tensors");
  tensors.count("checkpoint", {"tensor"}, "number of the checkpoint whose tensor this is");
  tensors.count("file", {"tensor"}, "file of the checkpoint that holds it, from 0");
  tensors.text("name", {"tensor"}, "name of the tensor");
  tensors.text("sha256", {"tensor"}, "hash of its bytes in the file");
  tensors.real("norm", {"tensor"}, "norm of its finite elements; 0 for buffers");
  tensors.count("nonfinite", {"tensor"}, "elements that are NaN or infinite; 0 for buffers");
  Group missing(out.entries, "missing", "missing");
  missing.text("model", {"gap"}, "model");
  missing.count("step", {"gap"}, "training step that is not there", "step");
  missing.text("reason", {"gap"}, "why it is expected");
  return out;
}

void add_token_baseline(Entries& entries, const std::string& anchor) {
  const std::string path = anchor + "/controls/token_baseline";
  Group group(entries, path, path);
  group.text("baseline", {"baseline"}, "what the classifier sees of the text: last_word, bag_of_words");
  group.text("subject", {"subject"}, "subject");
  add_estimates(group, "contrast", {"baseline", "subject"},
                "share of the subject's probes that are given to it, less the mean over the other subjects");
  add_estimates(group, "auc", {"baseline", "subject"}, "area under the ROC curve of the subject's log odds");
  group.real("accuracy", {"baseline"}, "share of probes given to their subject, mean over subjects");
}

void add_random_latents(Entries& entries, const std::string& path) {
  Group group(entries, path, path);
  group.text("subject", {"subject"}, "subject");
  group.real("fire_rate_matched", {"subject"},
             "firing rates of the matched latents on the fit part, added up");
  group.real("fire_rate", {"subject"}, "the same of the random latents, mean over draws");
  const std::string curve = path + "/bands/{curve}";
  Group bands(entries, curve, curve);
  bands.text("rung", {"rung"}, "input of the anchor's SAE: raw, rescaled, aligned");
  bands.count("point", {"point"}, "number of the point on the curve");
  bands.text("subject", {"subject"}, "subject");
  const std::array<std::pair<const char*, const char*>, 3> parts = {
      {{"_mean", ", mean over draws of random latents"},
       {"_low", ", lower end of the 95 % band over draws of random latents"},
       {"_high", ", upper end of the 95 % band over draws of random latents"}}};
  for (size_t m = 0; m < 2; ++m)
    for (const auto& [suffix, meaning] : parts)
      bands.real(std::string(measure_names[m]) + suffix, {"rung", "point", "subject"},
                 measure_meanings[m] + std::string(meaning));
}

void add_seeds(Entries& entries, const std::string& path) {
  Group group(entries, path, path);
  group.count("seed", {"seed"}, "seed of the SAE; the anchor's own first");
  group.text("rung", {"rung"}, "input of the SAE: raw, rescaled, aligned");
  group.count("point", {"point"}, "number of the point on the curve");
  group.text("subject", {"subject"}, "subject");
  group.count("matched", {"seed", "subject"}, "number of matched latents");
  for (size_t m = 0; m < measure_names.size(); ++m) {
    const std::string name(measure_names[m]), meaning = measure_meanings[m];
    group.real(name, {"seed", "rung", "point", "subject"}, meaning + ", of each seed");
    group.real(name + "_mean", {"rung", "point", "subject"}, meaning + ", mean over seeds");
    group.real(name + "_min", {"rung", "point", "subject"}, meaning + ", least over seeds");
    group.real(name + "_max", {"rung", "point", "subject"}, meaning + ", most over seeds");
  }
}

Schema emergence() {
  Schema out{"emergence", "track", "the run's result; complete in itself", {}, {}};
  Group root(out.entries, "", always);
  root.text("subject", {"subject"}, "subject");
  root.text("phrases", {"subject", "phrase"}, "phrases a label is compared with; empty ones fill up");
  root.code("read", {"subject"}, "1 for subjects that the family was trained on");
  Group probes(out.entries, "probes", always);
  probes.text("id", {"probe"}, "name of the probe");
  probes.add("subject", {"probe"}, "int32", "1", "number of the probe's subject");
  probes.text("group", {"probe"}, "group; its probes are never split");
  probes.code("part", {"probe"}, "0 fit, 1 verify, 2 judge; -1 all three (split none)");
  probes.add("tokens", {"probe"}, "int32", "token", "length");
  probes.text("last_token", {"probe"}, "last token, where the residual is taken");
  Group audit(out.entries, "audit", "audit");
  audit.text("model", {"checkpoint"}, "model");
  audit.count("step", {"checkpoint"}, "training step", "step");
  audit.text("status", {"checkpoint"}, "ok, or what is wrong");
  audit.text("reason", {"checkpoint"}, "evidence");

  const std::string anchor = "anchors/{anchor}";
  add_labels(out.entries, anchor + "/", anchor);
  add_matches(out.entries, anchor + "/", anchor);
  const std::string curve = anchor + "/curves/{curve}";
  add_curve(out.entries, curve, curve);
  add_curve_extras(out.entries, curve);
  add_drift(out.entries, curve + "/drift");
  add_conclusions(out.entries, curve + "/conclusions");
  const std::string sweep = anchor + "/tau/{curve}";
  Group tau(out.entries, sweep, sweep);
  tau.real("tau", {"tau"}, "matching threshold");
  tau.count("point", {"point"}, "number of the point on the curve");
  tau.text("subject", {"subject"}, "subject");
  tau.real("probe_activation", {"tau", "point", "subject"},
           std::string(measure_meanings[0]) + ", on the first rung the site has");
  add_token_baseline(out.entries, anchor);
  // random_weights, first_step
  const std::string control = anchor + "/controls/{control}";
  add_labels(out.entries, control + "/", control + "/latents");
  add_matches(out.entries, control + "/", control + "/latents");
  // random_weights, first_step, ceiling: each curve by its name
  const std::string control_curve = control + "/curves/{curve}";
  add_curve(out.entries, control_curve, control_curve);
  Group(out.entries, control_curve, control_curve)
      .count("matched", {"point", "subject"}, "number of matched latents");
  add_random_latents(out.entries, anchor + "/controls/random_latents");
  add_seeds(out.entries, anchor + "/controls/seeds/spread/{curve}");

  out.attributes = match_attributes(anchor + "/");
  out.attributes.push_back({anchor, "model", "model of the anchor"});
  out.attributes.push_back({anchor, "step", "training step of the anchor"});
  out.attributes.push_back({anchor, "layer", "layer of the anchor"});
  for (const auto& attribute : label_attributes(anchor + "/")) out.attributes.push_back(attribute);
  for (const auto& attributes : {label_attributes(control + "/"), match_attributes(control + "/")})
    out.attributes.insert(out.attributes.end(), attributes.begin(), attributes.end());
  return out;
}

Schema sheet() {
  Schema out{"sheet", "sheet", "what raters of a sheet must not see", {}, {}};
  Group cards(out.entries, "cards", always);
  cards.count("card", {"card"}, "number of the card, from 1");
  cards.count("latent", {"card"}, "latent whose texts the card shows");
  cards.count("label_latent", {"card"}, "latent whose label it shows; another one on a decoy");
  cards.text("label", {"card"}, "label shown");
  cards.text("subject", {"card"}, "subject that the texts' latent matches best; none if it matches none");
  Group items(out.entries, "items", always);
  items.count("card", {"item"}, "number of the item's card");
  items.count("number", {"item"}, "number of the item on its card, from 1");
  items.count("probe", {"item"}, "verify probe shown, by its place in the deck's order");
  items.code("fires", {"item"}, "1 if the texts' latent fires on the probe");
  items.code("teacher", {"item"}, "the teacher's answer: 0 no, 1 yes, 2 unparsed, 3 not asked (decoys)");
  items.text("text", {"item"}, "text shown");
  out.attributes = {{"", "sheet", "the sheet's id, which every filled sheet bears"},
                    {"", "anchor", "anchor whose latents it asks about"},
                    {"", "teacher", "who labelled and judged"}};
  return out;
}

Schema truth() {
  Schema out{"truth", "phantom", "what was planted in a family", {}, {}};
  Group root(out.entries, "", always);
  const Dims subject = {"subject"}, model = {"model"}, site = {"model", "step", "layer", "subject"};
  root.text("subject", subject, "subject");
  root.code("exists", subject, "1 where the subject was planted at all");
  root.code("sudden", subject, "1 where all its terms were born at one step");
  root.count("first_step", subject, "first step that knows any of its terms; -1: none", "step");
  root.count("onset_low", subject, "last step that knows less than half of what the end knows; -1: none",
             "step");
  root.count("onset_high", subject, "first step that knows at least half of what the end knows; -1: none",
             "step");
  root.count("first_layer", subject, "layer of the reference from which on it is written; -1: none");
  root.text("first_model", subject, "smallest model that knows it; empty: none");
  root.real("threshold_low", subject,
            "parameters of the largest model that does not know it; 0 where all do; NaN: none does");
  root.real("threshold_high", subject, "parameters of the smallest model that knows it; NaN: none does");
  root.text("model", model, "model, the reference last");
  root.count("params", model, "parameters");
  root.count("layers", model, "blocks");
  root.count("step", {"step"}, "training step; the reference has all, others the last", "step");
  root.count("layer", {"layer"}, "layer; 0 is the embedding output");
  root.count("known", {"model", "step", "subject"}, "terms of the subject that the weights know");
  root.real("share", site,
            "share of the subject's terms on which its latent is to win as at the anchor, which is what "
            "contrast and "
            "probe_activation are on the raw rung; NaN: no such layer");
  root.code("state", site,
            "what its known terms hold: 0 nothing, 1 it, 2 rescaled, 3 turned, 4 outvoted, -1 no such layer");
  Group dips(out.entries, "dips", always);
  dips.text("axis", {"dip"}, "time (of the reference, from the layer on where it is written) or space");
  dips.count("subject", {"dip"}, "place of the subject among subjects");
  dips.text("verdict", {"dip"}, "rescaled, turned, outvoted or lost");
  dips.count("first", {"dip"}, "first step, or layer of the reference, in the dip");
  dips.count("last", {"dip"}, "last step, or layer of the reference, in the dip");
  Group terms(out.entries, "terms", always);
  terms.text("term", {"term"}, "term, which is a group of probes");
  terms.count("subject", {"term"}, "place of its subject among subjects");
  terms.count("rank", {"term"}, "it is known where known exceeds this");
  terms.count("nuisance", {"term"}, "nuisance direction that it carries");
  Group directions(out.entries, "directions", always);
  directions.real("concept", {"subject", "d"}, "unit vector of the subject in the reference; NaN: none");
  directions.real("turned", {"subject", "d"}, "where it turns to; NaN: it never does");
  directions.real("nuisances", {"nuisance", "d"}, "unit vector of the nuisance in the reference");
  out.attributes = {{"", "reference", "the largest model, which has all steps"},
                    {"", "amplitude", "of a subject's direction on its known terms"}};
  return out;
}

Schema common() {
  Schema out{"common", "every stage", "what every file has", {}, {}};
  Group root(out.entries, "", always);
  root.text("deck", {}, "the resolved deck without its operational keys");
  root.text("inputs/path", {"input"}, "weight, tokenizer and probe files read");
  root.text("inputs/sha256", {"input"}, "their hashes");
  const std::array<std::pair<const char*, const char*>, 12> names = {{
      {"format", "incipit/KIND"},
      {"format_version", "major.minor"},
      {"program_version", "version of the program"},
      {"commit", "its commit"},
      {"libraries", "libraries that decide the last bits"},
      {"device", "processor that computed"},
      {"cpu", "type of CPU core"},
      {"precision", "precision of the forward pass"},
      {"seed", "run.seed"},
      {"split", "probes.split"},
      {"fingerprint", "of the deck keys and files this file comes from"},
      {"created", "UTC"},
  }};
  for (const auto& [name, meaning] : names) out.attributes.push_back({"", name, meaning});
  return out;
}

std::string joined(const Dims& dims) {
  std::string out;
  for (const auto& dim : dims) out += (out.empty() ? "" : ", ") + dim;
  return out.empty() ? "one value" : out;
}

/// A bar would end a cell of a table.
std::string alternatives(const std::string& type) {
  std::string out = type;
  if (const auto bar = out.find('|'); bar != std::string::npos) out.replace(bar, 1, " or ");
  return out;
}

}  // namespace

const std::vector<Schema>& schemas() {
  static const std::vector<Schema> all = {audit(),        activations(), sae(),      labels(),    match(),
                                          alignment(),    attribution(), ablation(), emergence(), sweep(),
                                          anchor_sweep(), loss(),        truth(),    sheet()};
  return all;
}

const Schema& common_schema() {
  static const Schema schema = common();
  return schema;
}

std::string schema_tables(const Schema& schema) {
  std::string out =
      "| dataset | dimensions | type | units | meaning | required |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const SchemaEntry& e : schema.entries) {
    const std::string with =
        e.required == always || e.required == optional_ ? e.required : "with `" + e.required + "`";
    out += "| `" + e.path + "` | " + joined(e.dims) + " | " + alternatives(e.type) + " | " + e.units + " | " +
           e.meaning + " | " + with + " |\n";
  }
  if (schema.attributes.empty()) return out;
  out += "\n| attribute of | name | meaning |\n| --- | --- | --- |\n";
  for (const auto& a : schema.attributes)
    out += "| " + (a.object.empty() ? "the file" : "`" + a.object + "`") + " | `" + a.name + "` | " +
           a.meaning + " |\n";
  return out;
}

}  // namespace incipit::emergence

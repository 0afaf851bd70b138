#include "align/file.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <span>

#include "error.hpp"
#include "nan.hpp"
#include "parallel/communicator.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::align {
namespace {

/// A quantity of the table: its dataset, and where it lies in an alignment.
struct Column {
  const char* name;
  const char* long_name;
  double Judgement::*value;
};

constexpr std::array<Column, 9> judgement_columns = {{
    {"residual", "residual on the judge part, relative to the anchor's spread", &Judgement::residual},
    {"residual_floor",
     "residual of the anchor on its own top principal components, as many as the site has dimensions",
     &Judgement::residual_floor},
    {"residual_shuffled", "5th percentile of the residual over shuffled correspondences",
     &Judgement::residual_shuffled},
    {"outside", "share of the site's variance outside the map's span", &Judgement::outside},
    {"retrieval", "share of probes mapped nearest to their own vector at the anchor", &Judgement::retrieval},
    {"cka", "linear CKA, unbiased HSIC", &Judgement::cka},
    {"cka_biased", "linear CKA, biased HSIC", &Judgement::cka_biased},
    {"cosine_correlation", "correlation of pairwise cosines between site and anchor",
     &Judgement::cosine_correlation},
    {"effective_rank", "effective rank of the cross-covariance", &Judgement::effective_rank},
}};

/// One site as ranks exchange it.
struct Row {
  int64_t site, d_site, d_reference, rank, projected, reliable;
  double scale;
  std::array<double, judgement_columns.size()> values;
};

Row to_row(int64_t site, const Alignment& a) {
  Row row{site,    a.d_site, a.d_reference, a.rank, a.projected ? 1 : 0, a.judgement.reliable ? 1 : 0,
          a.scale, {}};
  for (size_t i = 0; i < judgement_columns.size(); ++i)
    row.values[i] = a.judgement.*judgement_columns[i].value;
  return row;
}

/// The table in full, on every rank.
std::vector<Row> gather(const parallel::Communicator& comm, size_t sites,
                        const std::vector<std::pair<int64_t, Alignment>>& mine) {
  std::vector<Row> sent;
  sent.reserve(mine.size());
  for (const auto& [site, alignment] : mine) sent.push_back(to_row(site, alignment));
  std::vector<Row> rows(sites, Row{-1, 0, 0, 0, 0, 0, nan, {}});
  for (Row& row : rows) row.values.fill(nan);
  for (const Row& row : comm.all_gather(sent)) {
    if (row.site < 0 || row.site >= static_cast<int64_t>(sites) ||
        rows[static_cast<size_t>(row.site)].site >= 0)
      throw Error(Exit::defect, fmt::format("alignment of site {} came twice or is out of range", row.site));
    rows[static_cast<size_t>(row.site)] = row;
  }
  return rows;
}

std::string folder(int64_t site) {
  return fmt::format("maps/{}/", site);
}

template <class T>
void write_column(store::Writer& writer, const char* name, const std::vector<T>& values,
                  const store::About& about) {
  writer.write(name, {static_cast<int64_t>(values.size())}, std::span<const T>(values), about, {"site"});
}

void write_table(store::Writer& writer, const std::vector<SiteName>& sites, const std::vector<Row>& rows) {
  std::vector<int64_t> number, step, layer, d_site, d_reference, rank;
  std::vector<int8_t> projected, reliable;
  std::vector<std::string> model;
  std::vector<double> scale;
  for (size_t i = 0; i < sites.size(); ++i) {
    number.push_back(static_cast<int64_t>(i));
    model.push_back(sites[i].model);
    step.push_back(sites[i].step);
    layer.push_back(sites[i].layer);
    d_site.push_back(rows[i].d_site);
    d_reference.push_back(rows[i].d_reference);
    rank.push_back(rows[i].rank);
    projected.push_back(static_cast<int8_t>(rows[i].projected));
    reliable.push_back(static_cast<int8_t>(rows[i].reliable));
    scale.push_back(rows[i].scale);
  }
  write_column(writer, "site", number, {"1", "number of the site; its map is maps/SITE"});
  writer.strings("model", {static_cast<int64_t>(model.size())}, model, {"1", "model of the site"}, {"site"});
  write_column(writer, "step", step, {"step", "training step of the site"});
  write_column(writer, "layer", layer, {"1", "layer of the site"});
  write_column(writer, "d_site", d_site, {"1", "dimensions at the site"});
  write_column(writer, "d_reference", d_reference, {"1", "dimensions at the anchor"});
  write_column(writer, "rank", rank, {"1", "rank of the map; 0 where there is none"});
  write_column(writer, "scale", scale, {"1", "scale c of the map"});
  write_column(writer, "projected", projected, {"1", "1 where the site has more dimensions than the anchor"});
  for (size_t c = 0; c < judgement_columns.size(); ++c) {
    std::vector<double> values;
    for (const Row& row : rows) values.push_back(row.values[c]);
    write_column(writer, judgement_columns[c].name, values, {"1", judgement_columns[c].long_name});
  }
  write_column(writer, "reliable", reliable, {"1", "1 where the map passes the signatures of failure"});
}

/// A matrix that one rank has, written by that rank; the others take part without rows.
template <class T>
void write_matrix(store::Writer& writer, const std::string& path, const std::vector<int64_t>& shape,
                  const std::vector<T>* values, const store::About& about,
                  const std::vector<std::string>& axes) {
  writer.create<T>(path, shape, about, axes);
  const std::vector<int64_t> start(shape.size(), 0), none(shape.size(), 0);
  if (values != nullptr)
    writer.write_slab<T>(path, start, shape, std::span<const T>(*values));
  else
    writer.write_slab<T>(path, start, none, std::span<const T>());
}

void write_map(store::Writer& writer, const Row& row, const Alignment* map) {
  const std::string at = folder(row.site);
  write_matrix<float>(writer, at + "left", {row.d_site, row.rank}, map ? &map->left : nullptr,
                      {"1", "left factor of the map W = left * transpose(right)"}, {"d_site", "component"});
  write_matrix<float>(writer, at + "right", {row.d_reference, row.rank}, map ? &map->right : nullptr,
                      {"1", "right factor of the map W = left * transpose(right)"},
                      {"d_reference", "component"});
  write_matrix<double>(writer, at + "mean_site", {row.d_site}, map ? &map->mean_site : nullptr,
                       {"1", "mean of the fit part at the site"}, {"d_site"});
}

}  // namespace

void write_alignments(const parallel::Communicator& comm, store::Writer& writer,
                      const std::vector<SiteName>& sites,
                      const std::vector<std::pair<int64_t, Alignment>>& mine) {
  const auto rows = gather(comm, sites.size(), mine);
  write_table(writer, sites, rows);
  for (const Row& row : rows) {
    if (row.rank == 0) continue;
    const Alignment* map = nullptr;
    for (const auto& [site, alignment] : mine)
      if (site == row.site) map = &alignment;
    write_map(writer, row, map);
  }
}

std::vector<SiteName> read_sites(const store::Reader& reader) {
  const auto model = reader.strings("model");
  const auto count = static_cast<int64_t>(model.size());
  const auto step = reader.read<int64_t>("step", {count}), layer = reader.read<int64_t>("layer", {count});
  std::vector<SiteName> sites;
  for (size_t i = 0; i < model.size(); ++i) sites.push_back({model[i], step[i], layer[i]});
  return sites;
}

Alignment read_alignment(const store::Reader& reader, int64_t site) {
  const auto at = static_cast<size_t>(site);
  const auto pick = [&](const char* name) { return reader.read<int64_t>(name).at(at); };
  Alignment out;
  out.rank = pick("rank");
  out.d_site = pick("d_site");
  out.d_reference = pick("d_reference");
  out.scale = reader.read<double>("scale").at(at);
  out.projected = reader.read<int8_t>("projected").at(at) != 0;
  for (const Column& column : judgement_columns)
    out.judgement.*column.value = reader.read<double>(column.name).at(at);
  out.judgement.reliable = reader.read<int8_t>("reliable").at(at) != 0;
  if (out.rank == 0) return out;
  out.left = reader.read<float>(folder(site) + "left", {out.d_site, out.rank});
  out.right = reader.read<float>(folder(site) + "right", {out.d_reference, out.rank});
  out.mean_site = reader.read<double>(folder(site) + "mean_site", {out.d_site});
  return out;
}

}  // namespace incipit::align

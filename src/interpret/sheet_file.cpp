#include "interpret/sheet_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "corpus/csv.hpp"
#include "error.hpp"
#include "index.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/file.hpp"
#include "interpret/sheet_page.hpp"
#include "refuse.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::interpret {
namespace {

/// The subject of the largest similarity among those a latent matches.
std::string best_match(const std::vector<std::string>& subjects, const double* similarity,
                       const int8_t* matched) {
  std::size_t best = subjects.size();
  for (std::size_t c = 0; c < subjects.size(); ++c)
    if (matched[c] != 0 && (best == subjects.size() || similarity[c] > similarity[best])) best = c;
  return best == subjects.size() ? no_subject : subjects[best];
}

std::vector<Candidate> read_latents(const store::Reader& file, const std::string& group) {
  const auto subjects = file.strings(group + "subject");
  const auto labels = file.strings(group + "label");
  const auto h = static_cast<int64_t>(labels.size()), c = static_cast<int64_t>(subjects.size());
  const auto latent = file.read<int64_t>(group + "latent", {h});
  const auto status = file.read<int8_t>(group + "status", {h});
  const auto similarity = file.read<double>(group + "similarity", {h, c});
  const auto matched = file.read<int8_t>(group + "matched", {h, c});
  std::vector<Candidate> found;
  for (std::size_t j = 0; j < labels.size(); ++j) {
    if (status[j] != static_cast<int8_t>(Status::interpretable)) continue;
    const double* row = similarity.data() + j * subjects.size();
    found.push_back({latent[j],
                     labels[j],
                     best_match(subjects, row, matched.data() + j * subjects.size()),
                     {row, row + subjects.size()},
                     {}});
  }
  return found;
}

/// Texts of the judged probes, by probe.
std::unordered_map<int64_t, std::string> read_judged(const store::Reader& file, const std::string& group) {
  if (!file.has(group + "judged/text"))
    refuse(file.path(),
           fmt::format("no {}judged/text: the file was written before the texts of judgements were kept. "
                       "Move it away and give the command that made it again (incipit run DECK); what else "
                       "is in its folder is used again",
                       group));
  auto texts = file.strings(group + "judged/text");
  const auto probe = file.read<int64_t>(group + "judged/probe", {static_cast<int64_t>(texts.size())});
  std::unordered_map<int64_t, std::string> by_probe;
  for (std::size_t i = 0; i < texts.size(); ++i) by_probe.emplace(probe[i], std::move(texts[i]));
  return by_probe;
}

void read_candidate_judgements(const store::Reader& file, const std::string& group,
                               std::vector<Candidate>& candidates) {
  const auto texts = read_judged(file, group);
  std::unordered_map<int64_t, Candidate*> by_latent;
  for (Candidate& c : candidates) by_latent.emplace(c.latent, &c);
  const auto latent = file.read<int64_t>(group + "judgements/latent");
  const auto n = static_cast<int64_t>(latent.size());
  const auto probe = file.read<int64_t>(group + "judgements/probe", {n});
  const auto fires = file.read<int8_t>(group + "judgements/fires", {n});
  const auto answer = file.read<int8_t>(group + "judgements/answer", {n});
  for (std::size_t i = 0; i < latent.size(); ++i) {
    const auto candidate = by_latent.find(latent[i]);
    if (candidate == by_latent.end()) continue;
    const auto text = texts.find(probe[i]);
    if (text == texts.end() || answer[i] < 0 || answer[i] > static_cast<int8_t>(Said::unparsed))
      refuse(file.path(),
             fmt::format("{}judgements: row {} names a probe without text or an answer there is none of; "
                         "the file is damaged",
                         group, i));
    candidate->second->judged.push_back(
        {probe[i], text->second, fires[i] != 0, static_cast<Said>(answer[i])});
  }
}

/// A field that no spreadsheet takes for a formula.
std::string csv_plain(const std::string& field) {
  const bool formula = !field.empty() && std::string("=+-@\t\r").find(field.front()) != std::string::npos;
  return corpus::csv_quoted(formula ? "'" + field : field);
}

void replace_once(std::string& text, const std::string& what, const std::string& with) {
  const auto at_ = text.find(what);
  if (at_ == std::string::npos || text.find(what, at_ + 1) != std::string::npos)
    throw Error(Exit::defect, "sheet.html: '" + what + "' should stand there once");
  text.replace(at_, what.size(), with);
}

/// JSON that may stand inside a script element: no text can end the element or begin a comment.
std::string script_json(const nlohmann::ordered_json& value) {
  std::string out;
  for (const char c : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

SheetSource read_sheet_source(const std::filesystem::path& emergence, const std::string& anchor) {
  const store::Reader file(emergence, "emergence");
  require_anchor(file, anchor);
  const std::string group = "anchors/" + anchor + "/latents/";
  SheetSource source{file.attribute_string("anchors/" + anchor + "/latents", "teacher"), file.fingerprint(),
                     read_latents(file, group)};
  read_candidate_judgements(file, group, source.candidates);
  return source;
}

std::string sheet_csv(const Sheet& sheet) {
  std::string out = "\xEF\xBB\xBFsheet,card,item,label,text,answer\r\n";
  for (std::size_t c = 0; c < sheet.cards.size(); ++c) {
    const Card& card = sheet.cards[c];
    for (std::size_t i = 0; i < card.items.size(); ++i)
      out += fmt::format("{},{},{},{},{},\r\n", sheet.id, c + 1, i + 1, csv_plain(card.label),
                         csv_plain(card.items[i].text));
  }
  return out;
}

std::string sheet_html(const Sheet& sheet) {
  nlohmann::ordered_json data{{"sheet", sheet.id}, {"cards", nlohmann::ordered_json::array()}};
  for (const Card& card : sheet.cards) {
    nlohmann::ordered_json texts = nlohmann::ordered_json::array();
    for (const JudgedText& item : card.items) texts.push_back(item.text);
    data["cards"].push_back({{"label", card.label}, {"texts", texts}});
  }
  std::string page = sheet_page;
  replace_once(page, "SHEET_DATA", script_json(data));
  return page;
}

void write_key(const parallel::Communicator& comm, const std::filesystem::path& path,
               const store::Header& header, const Sheet& sheet) {
  store::Header own = header;
  own.kind = "sheet";
  std::vector<int64_t> number, latent, label_latent, card_of, place, probe;
  std::vector<std::string> label, subject, text;
  std::vector<int8_t> fires, teacher;
  for (const Card& card : sheet.cards) {
    number.push_back(static_cast<int64_t>(number.size()) + 1);
    latent.push_back(card.latent);
    label_latent.push_back(card.label_latent);
    label.push_back(card.label);
    subject.push_back(card.subject);
    for (std::size_t i = 0; i < card.items.size(); ++i) {
      card_of.push_back(number.back());
      place.push_back(static_cast<int64_t>(i) + 1);
      probe.push_back(card.items[i].probe);
      fires.push_back(card.items[i].fires ? 1 : 0);
      teacher.push_back(static_cast<int8_t>(card.items[i].teacher));
      text.push_back(card.items[i].text);
    }
  }
  store::Writer writer(comm, path, own);
  writer.attribute("", "sheet", sheet.id);
  writer.attribute("", "anchor", sheet.anchor);
  writer.attribute("", "teacher", sheet.teacher);
  const std::vector<int64_t> cards = {static_cast<int64_t>(number.size())},
                             items = {static_cast<int64_t>(place.size())};
  writer.write("cards/card", cards, number, {"1", "number of the card, from 1"}, {"card"});
  writer.write("cards/latent", cards, latent, {"1", "latent whose texts the card shows"}, {"card"});
  writer.write("cards/label_latent", cards, label_latent,
               {"1", "latent whose label it shows; another one on a decoy"}, {"card"});
  writer.strings("cards/label", cards, label, {"1", "label shown"}, {"card"});
  writer.strings("cards/subject", cards, subject,
                 {"1", "subject that the texts' latent matches best, or none"}, {"card"});
  writer.write("items/card", items, card_of, {"1", "number of the item's card"}, {"item"});
  writer.write("items/number", items, place, {"1", "number of the item on its card, from 1"}, {"item"});
  writer.write("items/probe", items, probe, {"1", "verify probe shown, by its place in the deck's order"},
               {"item"});
  writer.write("items/fires", items, fires, {"1", "1 if the texts' latent fires on the probe"}, {"item"});
  writer.write("items/teacher", items, teacher,
               {"1", "the teacher's answer: 0 no, 1 yes, 2 unparsed, 3 not asked"}, {"item"});
  writer.strings("items/text", items, text, {"1", "text shown"}, {"item"});
  writer.commit();
}

Sheet read_key(const std::filesystem::path& path) {
  const store::Reader file(path, "sheet");
  Sheet sheet{file.attribute_string("", "sheet"),
              file.attribute_string("", "anchor"),
              file.attribute_string("", "teacher"),
              {}};
  const auto labels = file.strings("cards/label"), subjects = file.strings("cards/subject");
  const auto cards = static_cast<int64_t>(labels.size());
  const auto latent = file.read<int64_t>("cards/latent", {cards});
  const auto label_latent = file.read<int64_t>("cards/label_latent", {cards});
  if (subjects.size() != labels.size())
    refuse(path, "cards/subject and cards/label differ in length; make the sheet again");
  for (std::size_t c = 0; c < labels.size(); ++c)
    sheet.cards.push_back({latent[c], label_latent[c], labels[c], subjects[c], {}});
  const auto texts = file.strings("items/text");
  const auto items = static_cast<int64_t>(texts.size());
  const auto card = file.read<int64_t>("items/card", {items});
  const auto number = file.read<int64_t>("items/number", {items});
  const auto probe = file.read<int64_t>("items/probe", {items});
  const auto fires = file.read<int8_t>("items/fires", {items});
  const auto teacher = file.read<int8_t>("items/teacher", {items});
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool known = card[i] >= 1 && card[i] <= cards && teacher[i] >= 0 &&
                       teacher[i] <= static_cast<int8_t>(Said::not_asked);
    if (!known || number[i] != static_cast<int64_t>(sheet.cards[at(card[i] - 1)].items.size()) + 1)
      refuse(path, fmt::format(
                       "items: row {} does not fit the cards; the file is damaged, make the sheet again", i));
    sheet.cards[at(card[i] - 1)].items.push_back(
        {probe[i], texts[i], fires[i] != 0, static_cast<Said>(teacher[i])});
  }
  return sheet;
}

}  // namespace incipit::interpret

#include "interpret/sheet.hpp"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "command/command.hpp"
#include "command/machine.hpp"
#include "command/option.hpp"
#include "error.hpp"
#include "interpret/sheet_file.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

constexpr const char* sheet_usage =
    "usage: incipit sheet EMERGENCE.h5 [--anchor=time] [--latents=30] [--texts=10] [--decoys=1] [--seed=1]\n"
    "                     [--output=FOLDER]\n\n"
    "Asks people whether labels fit texts, as the teacher was asked: for each of --latents interpretable "
    "latents of the\n"
    "anchor, drawn at random from all subjects in turn, a card with its label and --texts texts, half of "
    "them firing, and\n"
    "--decoys cards with the label of another latent. Writes into FOLDER (default: sheet) for the people "
    "sheet.html, a\n"
    "page that needs no network, and sheet.csv, the same for a spreadsheet; and key.h5, which they must not "
    "see.\n"
    "`incipit agree FOLDER/key.h5 FILLED.csv ...` reads what comes back.\n";

struct SheetWords {
  fs::path emergence, output = "sheet";
  interpret::SheetOptions options;
  bool help = false;
};

template <class Number>
bool take_whole(const std::string& word, const char* name, Number& number) {
  const auto text = value_of(word, fmt::format("--{}=", name));
  if (!text) return false;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size())
    throw Error(Exit::usage, fmt::format("--{}={}; expected a whole number", name, *text));
  return true;
}

SheetWords read_sheet_words(const std::vector<std::string>& words) {
  SheetWords found;
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      found.help = true;
    } else if (const auto anchor = value_of(word, "--anchor=")) {
      found.options.anchor = *anchor;
    } else if (const auto output = value_of(word, "--output="); output && !output->empty()) {
      found.output = *output;
    } else if (take_whole(word, "latents", found.options.latents) ||
               take_whole(word, "texts", found.options.texts) ||
               take_whole(word, "decoys", found.options.decoys) ||
               take_whole(word, "seed", found.options.seed)) {
      continue;
    } else if (word.starts_with("-")) {
      throw Error(Exit::usage, fmt::format("sheet: no option '{}'\n{}", word, sheet_usage));
    } else if (!found.emergence.empty()) {
      throw Error(Exit::usage,
                  fmt::format("sheet: one file at a time; found {} and {}", found.emergence.string(), word));
    } else {
      found.emergence = word;
    }
  }
  if (!found.help && found.emergence.empty())
    throw Error(Exit::usage, fmt::format("sheet: name the emergence.h5 of a run\n{}", sheet_usage));
  return found;
}

store::Header key_header(const SheetWords& asked, const interpret::Sheet& sheet) {
  const store::Reader file(asked.emergence, "emergence");
  store::Header header;
  header.kind = "sheet";
  header.fingerprint = store::sha256("incipit sheet " + sheet.id);
  for (auto [field, name] : {std::pair{&header.precision, "precision"},
                             {&header.device, "device"},
                             {&header.cpu, "cpu"},
                             {&header.split, "split"}})
    *field = file.attribute_string("", name);
  header.libraries = library_versions();
  header.seed = asked.options.seed;
  header.deck = file.deck();
  header.inputs = {{asked.emergence.string(), store::sha256_file(asked.emergence)}};
  return header;
}

/// A sheet that people may have filled in already is never written over.
void refuse_other_content(const fs::path& path, const std::string& content) {
  if (!fs::exists(path) || store::read_text(path) == content) return;
  throw Error(Exit::usage,
              fmt::format("{} is there and holds something else: another sheet, or answers. Choose another "
                          "--output, or move it away",
                          path.string()));
}

bool has_this_key(const fs::path& path, const std::string& fingerprint) {
  if (!fs::exists(path)) return false;
  if (store::Reader(path, "sheet").fingerprint() == fingerprint) return true;
  throw Error(
      Exit::usage,
      fmt::format("{} is the key of another sheet. Choose another --output, or move it away", path.string()));
}

void write_sheet(const SheetWords& asked, const interpret::Sheet& sheet) {
  const fs::path csv = asked.output / "sheet.csv", html = asked.output / "sheet.html",
                 key = asked.output / "key.h5";
  const std::string csv_text = sheet_csv(sheet), html_text = sheet_html(sheet);
  refuse_other_content(csv, csv_text);
  refuse_other_content(html, html_text);
  const store::Header header = key_header(asked, sheet);
  const bool done = has_this_key(key, header.fingerprint);
  store::ensure_folder(asked.output);
  // The key first: a sheet without one could not be read.
  if (!done) interpret::write_key(parallel::Communicator::self(), key, header, sheet);
  store::write_text_atomic(csv, csv_text);
  store::write_text_atomic(html, html_text);
}

void print_sheet(const SheetWords& asked, const interpret::Sheet& sheet) {
  std::size_t decoys = 0, texts = 0;
  for (const auto& card : sheet.cards) {
    decoys += card.decoy() ? 1 : 0;
    texts += card.items.size();
  }
  const auto latents = static_cast<std::int64_t>(sheet.cards.size() - decoys);
  if (latents < asked.options.latents)
    fmt::print("only {} latents of anchor {} can be asked about, not {}\n", latents, asked.options.anchor,
               asked.options.latents);
  fmt::print("sheet {}: {} cards ({} latents, {} decoys), {} texts\n", sheet.id, sheet.cards.size(), latents,
             decoys, texts);
  fmt::print("for raters:   {}  or  {}\n", (asked.output / "sheet.html").string(),
             (asked.output / "sheet.csv").string());
  fmt::print("keep to you:  {}\n", (asked.output / "key.h5").string());
}

}  // namespace

void sheet(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (!world.root()) return;  // one small file is one rank's work
  const SheetWords asked = read_sheet_words(words);
  if (asked.help) {
    fmt::print("{}", sheet_usage);
    return;
  }
  const auto source = interpret::read_sheet_source(asked.emergence, asked.options.anchor);
  interpret::Sheet drawn = interpret::draw_sheet(source.candidates, asked.options, source.fingerprint);
  drawn.teacher = source.teacher;
  write_sheet(asked, drawn);
  print_sheet(asked, drawn);
}

}  // namespace incipit::command

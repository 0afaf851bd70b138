#include "interpret/sheet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "../support.hpp"
#include "interpret/agreement.hpp"
#include "interpret/answers.hpp"
#include "interpret/sheet_file.hpp"
#include "random.hpp"
#include "store/files.hpp"

namespace incipit::interpret {
namespace {

/// `count` latents in three subjects (the last also in none), each judged on 2·half texts of its own.
std::vector<Candidate> make_candidates(int64_t count, int64_t half = 12) {
  const std::vector<std::string> subjects = {"physics", "law", "art", no_subject};
  std::vector<Candidate> all;
  for (int64_t j = 0; j < count; ++j) {
    const auto subject = static_cast<std::size_t>(j) % subjects.size();
    Candidate c{10 + j, "label " + std::to_string(j), subjects[subject], std::vector<double>(3, 0.1), {}};
    if (subject < 3) c.similarity[subject] = 0.9;
    for (int64_t i = 0; i < 2 * half; ++i) {
      const bool fires = i < half;
      c.judged.push_back({100 * j + i, "text " + std::to_string(100 * j + i), fires,
                          i % 7 == 6 ? Said::unparsed : (fires != (i % 5 == 0) ? Said::yes : Said::no)});
    }
    all.push_back(std::move(c));
  }
  return all;
}

/// The filled sheet of somebody who answers as `answer(card, item)` says.
template <class F>
Filled fill(const Sheet& sheet, const std::string& rater, F&& answer) {
  Filled filled{rater, rater + ".csv", {}};
  for (const Card& card : sheet.cards) {
    filled.replies.emplace_back();
    for (const JudgedText& item : card.items) filled.replies.back().push_back(answer(card, item));
  }
  return filled;
}

Reply as_teacher(const Card& card, const JudgedText& item) {
  if (card.decoy()) return Reply::no;
  return item.teacher == Said::yes ? Reply::yes : item.teacher == Said::no ? Reply::no : Reply::cannot_say;
}

const AgreementRow& find(const std::vector<AgreementRow>& rows, const std::string& measure,
                         const std::string& raters, const std::string& subject = "all") {
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const AgreementRow& row) {
    return row.measure == measure && row.raters == raters && row.subject == subject;
  });
  if (at == rows.end()) throw std::runtime_error("no row " + measure + " of " + raters + " for " + subject);
  return *at;
}

std::string tail_of(const Sheet& sheet) {
  return sheet_csv(sheet) + sheet_html(sheet);
}

TEST(Sheet, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const auto candidates = make_candidates(12);
  const Sheet once = draw_sheet(candidates, {.latents = 6}, "f"),
              again = draw_sheet(candidates, {.latents = 6}, "f");
  EXPECT_EQ(tail_of(once), tail_of(again));
  const Sheet other = draw_sheet(candidates, {.latents = 6, .seed = 2}, "f");
  EXPECT_NE(other.id, once.id);
  EXPECT_NE(sheet_csv(other), sheet_csv(once));
  EXPECT_NE(draw_sheet(candidates, {.latents = 6}, "g").id, once.id);
}

TEST(Sheet, TakesLatentsFromAllSubjectsInTurn) {
  auto candidates = make_candidates(40);
  for (std::size_t j = 12; j < candidates.size(); ++j) candidates[j].subject = no_subject;  // 3 + 3 + 3 + 31
  const Sheet sheet = draw_sheet(candidates, {.latents = 12, .decoys = 0}, "f");
  std::map<std::string, int> count;
  for (const Card& card : sheet.cards) ++count[card.subject];
  EXPECT_EQ(count, (std::map<std::string, int>{{"physics", 3}, {"law", 3}, {"art", 3}, {"none", 3}}));
  EXPECT_EQ(draw_sheet(candidates, {.latents = 99, .decoys = 0}, "f").cards.size(), 40u);
}

TEST(Sheet, HalfOfEveryCardFiresAndDecoysShowOtherTextsUnderAFarLabel) {
  const auto candidates = make_candidates(16);
  const Sheet sheet = draw_sheet(candidates, {.latents = 16, .texts = 8, .decoys = 2}, "f");
  ASSERT_EQ(sheet.cards.size(), 48u);
  std::map<int64_t, std::set<int64_t>> shown;
  int decoys = 0;
  for (const Card& card : sheet.cards) {
    ASSERT_EQ(card.items.size(), 8u);
    EXPECT_EQ(
        std::count_if(card.items.begin(), card.items.end(), [](const JudgedText& t) { return t.fires; }), 4);
    for (const JudgedText& item : card.items) {
      EXPECT_TRUE(shown[card.latent].insert(item.probe).second) << "a latent's cards share a text";
      EXPECT_EQ(item.probe / 100, card.latent - 10) << "a text of another latent";
      EXPECT_EQ(item.teacher == Said::not_asked, card.decoy());
    }
    EXPECT_EQ(card.label, candidates[static_cast<std::size_t>(card.label_latent - 10)].label);
    if (!card.decoy()) continue;
    ++decoys;
    EXPECT_NE(candidates[static_cast<std::size_t>(card.label_latent - 10)].subject, card.subject);
  }
  EXPECT_EQ(decoys, 32);
}

TEST(Sheet, DecoysAvoidTextsOnWhichTheirLabelsLatentFires) {
  auto candidates = make_candidates(2);
  // The second latent fires on eight of the first one's twelve firing texts.
  for (std::size_t i = 0; i < 8; ++i) candidates[1].judged[i] = candidates[0].judged[i];
  const Sheet sheet = draw_sheet(candidates, {.latents = 2, .texts = 8}, "f");
  for (const Card& card : sheet.cards) {
    if (card.latent != 10 || !card.decoy()) continue;
    for (const JudgedText& item : card.items) EXPECT_GE(item.probe, 8);
  }
}

TEST(Sheet, ShowsRatersNothingOfTheKey) {
  const auto candidates = make_candidates(12);
  Sheet sheet = draw_sheet(candidates, {.latents = 12}, "f");
  const std::string csv = sheet_csv(sheet), html = sheet_html(sheet);
  // Another truth behind the same cards: what people get stays the same.
  Sheet lie = sheet;
  for (Card& card : lie.cards) {
    card.latent = card.label_latent = 7;
    card.subject = "secret";
    for (JudgedText& item : card.items) {
      item.fires = !item.fires;
      item.teacher = Said::unparsed;
      item.probe = 123456789;
    }
  }
  EXPECT_EQ(sheet_csv(lie), csv);
  EXPECT_EQ(sheet_html(lie), html);
  EXPECT_EQ(sheet_csv(lie).find("secret"), std::string::npos);
}

TEST(Sheet, TrueCardsAndDecoysComeInNoOrder) {
  const Sheet sheet = draw_sheet(make_candidates(40), {.latents = 40, .texts = 2}, "f");
  int changes = 0, firing_first = 0;
  for (std::size_t c = 0; c < sheet.cards.size(); ++c) {
    changes += c > 0 && sheet.cards[c].decoy() != sheet.cards[c - 1].decoy() ? 1 : 0;
    firing_first += sheet.cards[c].items.front().fires ? 1 : 0;
  }
  // 80 cards: 40 ± 4.5 of either; five standard deviations.
  EXPECT_NEAR(changes, 40, 22);
  EXPECT_NEAR(firing_first, 40, 22);
}

TEST(Sheet, AnyTextIsSafeInBothForms) {
  auto candidates = make_candidates(2, 1);
  candidates[0].judged[0].text = "</script><script>alert(1)</script><!-- & \"so\" ";
  candidates[0].judged[1].text = "=1+1";
  candidates[0].label = "a, \"b\"\nc";
  const Sheet sheet = draw_sheet(candidates, {.latents = 2, .texts = 2, .decoys = 0}, "f");
  const std::string html = sheet_html(sheet), csv = sheet_csv(sheet);
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_NE(html.find("\\u003c/script\\u003e\\u003cscript\\u003ealert(1)"), std::string::npos);
  EXPECT_NE(csv.find("\"'=1+1\""), std::string::npos);
  EXPECT_NE(csv.find("\"a, \"\"b\"\"\nc\""), std::string::npos);
  EXPECT_EQ(html.find("http"), html.find("http-equiv")) << "the page names an address";
}

TEST(Sheet, RefusesWhatCannotBeAsked) {
  const auto candidates = make_candidates(4, 3);
  const auto draw = [](const std::vector<Candidate>& from, const SheetOptions& options) {
    (void)draw_sheet(from, options, "f");
  };
  test::expect_error(Exit::data, {"no interpretable latent", "time"}, [&] { draw({}, {}); });
  test::expect_error(Exit::data, {"0 interpretable latents", "5 judged texts", "--texts"},
                     [&] { draw(candidates, {}); });
  test::expect_error(Exit::usage, {"--texts=5", "even"}, [&] { draw(candidates, {.texts = 5}); });
  test::expect_error(Exit::usage, {"--latents=1"}, [&] { draw(candidates, {.latents = 1}); });
  test::expect_error(Exit::usage, {"--decoys=-1"}, [&] { draw(candidates, {.decoys = -1}); });
  auto twins = candidates;
  for (Candidate& c : twins) c.label = "same";
  test::expect_error(Exit::data, {"'same'", "--decoys=0"}, [&] { draw(twins, {.texts = 2}); });
}

TEST(Agreement, CopyingTheTeacherIsPerfectAndSaysYesToNoDecoy) {
  const Sheet sheet = draw_sheet(make_candidates(12), {}, "f");
  const std::vector<Filled> filled = {fill(sheet, "ann", as_teacher), fill(sheet, "ben", as_teacher)};
  const auto rows = agreement(sheet, filled, 200, 1);
  for (const auto& [measure, raters] :
       std::vector<std::pair<std::string, std::string>>{{"cohen_kappa_teacher", "ann"},
                                                        {"cohen_kappa", "ann / ben"},
                                                        {"fleiss_kappa", "all"},
                                                        {"fleiss_kappa_teacher", "all"}}) {
    for (const std::string subject : {"all", "physics", "none"}) {
      const AgreementRow& row = find(rows, measure, raters, subject);
      EXPECT_EQ(row.value, 1) << measure;
      EXPECT_EQ(row.low, 1) << measure;
      EXPECT_EQ(row.latents, subject == std::string("all") ? 12 : 3);
    }
  }
  EXPECT_EQ(find(rows, "yes_decoy", "ann").value, 0);
  EXPECT_EQ(find(rows, "f1", "ann").value, find(rows, "f1_teacher", "ann").value);
  EXPECT_GT(find(rows, "cannot_say", "ann").value, 0);
  EXPECT_EQ(find(rows, "missing", "ann").value, 0);
  EXPECT_EQ(find(rows, "missing", "ann").items, 240);
}

TEST(Agreement, WhoAlwaysSaysYesAgreesByChanceAlone) {
  const Sheet sheet = draw_sheet(make_candidates(12), {}, "f");
  const std::vector<Filled> filled = {
      fill(sheet, "ann", [](const Card&, const JudgedText&) { return Reply::yes; })};
  const auto rows = agreement(sheet, filled, 200, 1);
  EXPECT_EQ(find(rows, "cohen_kappa_teacher", "ann").value, 0);
  EXPECT_EQ(find(rows, "yes_decoy", "ann").value, 1);
  EXPECT_EQ(find(rows, "yes_silent", "ann").value, 1);
  EXPECT_DOUBLE_EQ(find(rows, "f1", "ann").value, 2.0 / 3.0);
  // Fleiss' kappa with the teacher counts pairs: below chance for somebody who adds no information.
  EXPECT_LT(find(rows, "fleiss_kappa_teacher", "all").value, 0.01);
}

TEST(Agreement, IntervalsCoverChanceForRandomAnswersAndComeFromWholeLatents) {
  const Sheet sheet = draw_sheet(make_candidates(40), {.latents = 40}, "f");
  Random random(3, Purpose::test, 0);
  const std::vector<Filled> filled = {fill(sheet, "ann", [&](const Card&, const JudgedText&) {
    return random.below(2) == 0 ? Reply::no : Reply::yes;
  })};
  const auto rows = agreement(sheet, filled, 500, 1);
  const AgreementRow& row = find(rows, "cohen_kappa_teacher", "ann");
  EXPECT_LT(row.low, 0);
  EXPECT_GT(row.high, 0);
  EXPECT_NEAR(row.value, 0, 0.2);
  // Answers that are the same within a latent: as many trials as latents, so a wider interval than items
  // would give.
  const std::vector<Filled> whole = {fill(sheet, "ben", [](const Card& card, const JudgedText&) {
    return card.latent % 2 == 0 ? Reply::no : Reply::yes;
  })};
  const auto clustered = agreement(sheet, whole, 500, 1);
  const AgreementRow& silent = find(clustered, "yes_silent", "ben");
  EXPECT_DOUBLE_EQ(silent.value, 0.5);
  // sqrt(1/4/40) = 0.079 for 40 latents; 200 items would give 0.035.
  EXPECT_NEAR(silent.high - silent.low, 2 * 1.96 * 0.079, 0.06);
}

TEST(Agreement, SaysWhyANumberDoesNotExist) {
  const Sheet sheet = draw_sheet(make_candidates(5), {}, "f");
  const std::vector<Filled> filled = {fill(sheet, "ann",
                                           [](const Card& card, const JudgedText&) {
                                             return card.subject == "law" ? Reply::yes : Reply::missing;
                                           }),
                                      fill(sheet, "ben", [](const Card& card, const JudgedText&) {
                                        return card.subject == "law" ? Reply::yes : Reply::cannot_say;
                                      })};
  const auto rows = agreement(sheet, filled, 50, 1);
  const AgreementRow& same = find(rows, "cohen_kappa", "ann / ben");
  EXPECT_TRUE(std::isnan(same.value) && std::isnan(same.low));
  EXPECT_NE(same.why.find("the same"), std::string::npos);
  const AgreementRow& none = find(rows, "cohen_kappa", "ann / ben", "art");
  EXPECT_EQ(none.items, 0);
  EXPECT_NE(none.why.find("no item"), std::string::npos);
  EXPECT_NE(find(rows, "yes_decoy", "ann", "law").why.find("one latent"), std::string::npos);
  // "Cannot say" counts as wrong: no F1 is earned by it.
  EXPECT_EQ(find(rows, "f1", "ben", "art").value, 0);
}

TEST(Agreement, OneRaterTwiceIsRefused) {
  const Sheet sheet = draw_sheet(make_candidates(4), {}, "f");
  const std::vector<Filled> filled = {fill(sheet, "ann", as_teacher), fill(sheet, "ann", as_teacher)};
  test::expect_error(Exit::data, {"ann", "one file per person"},
                     [&] { (void)agreement(sheet, filled, 10, 1); });
}

/// A sheet of two cards with two texts each, and a file for it.
class FilledSheet : public test::FolderTest {
 protected:
  Filled read(const std::string& text) { return read_filled(write("filled.csv", text), sheet_); }
  void refused(const std::string& text, const std::vector<std::string>& parts) {
    test::expect_error(Exit::data, parts, [&] { (void)read(text); });
  }

  Sheet sheet_ = draw_sheet(make_candidates(2, 1), {.latents = 2, .texts = 2, .decoys = 0}, "f");
};

using Replies = std::vector<std::vector<Reply>>;

TEST_F(FilledSheet, IsReadInEverySpellingOfSpreadsheets) {
  const std::string& id = sheet_.id;
  const Replies expected = {{Reply::yes, Reply::no}, {Reply::cannot_say, Reply::missing}};
  const Filled comma =
      read("\xEF\xBB\xBFsheet,card,item,label,text,answer\r\n" + id + ",1,1,\"l,l\",\"t\n\"\"\",Y\r\n" + id +
           ",1,2,l,t, No \r\n" + id + ",2,1,l,t,?\r\n" + id + ",2,2,l,t,\r\n,,,,,\r\n");
  EXPECT_EQ(comma.replies, expected);
  EXPECT_EQ(comma.rater, "filled");
  EXPECT_EQ(read("sep=;\nsheet;card;item;answer\n" + id + ";1;2;nein\n" + id + ";1;1;JA\n" + id +
                 ";2;1;Cannot say\n")
                .replies,
            expected);
  const Filled page = read("Answer\tItem\tCard\tRater\tSheet\n1\t1\t1\tÄnne\t" + id + "\n0\t2\t1\tÄnne\t" +
                           id + "\nunsure\t1\t2\t\t" + id + "\n");
  EXPECT_EQ(page.replies, expected);
  EXPECT_EQ(page.rater, "Änne");
}

TEST_F(FilledSheet, IsRefusedWithTheLineWhereItIsWrong) {
  const std::string head = "sheet,card,item,rater,answer\n", id = sheet_.id;
  refused("", {"empty"});
  refused("sep=;\n", {"empty"});
  refused("sep=;\nsheet;card;item;answer\n" + id + ";9;1;y\n", {":3:", "card '9'"});
  refused("sheet,card,item\n", {":1:", "'answer'"});
  refused(head + "other,1,1,,y\n", {":2:", "'other'", id});
  refused(head + id + ",3,1,,y\n", {":2:", "card '3'", "1 to 2"});
  refused(head + id + ",1,0,,y\n", {":2:", "item '0'"});
  refused(head + id + ",1,x,,y\n", {"item 'x'"});
  refused(head + id + ",1,1,,y\n" + id + ",1,1,,n\n", {":3:", "card 1, item 1", "line 2"});
  refused(head + id + ",1,1,,perhaps\n", {":2:", "'perhaps'", "yes, no, ?"});
  refused(head + id + ",1,1,ann,y\n" + id + ",1,2,ben,n\n", {":3:", "'ben'", "'ann'"});
  refused(head + id + ",1,1,,\n", {"no answer at all"});
  refused(head + id + ",1,1,\xFF,y\n", {"UTF-8"});
  refused("\xFF\xFEs\0h\0", {"UTF-16"});
  test::expect_error(Exit::io, {"nowhere.csv"}, [&] { (void)read_filled("/nowhere.csv", sheet_); });
}

TEST_F(FilledSheet, KeyComesBackWhole) {
  const auto key = folder_ / "key.h5";
  sheet_.teacher = "lexical 1";
  store::Header header;
  header.deck = "[run]\n";
  header.fingerprint = header.precision = header.device = header.cpu = header.split = header.libraries = "x";
  write_key(parallel::Communicator::self(), key, header, sheet_);
  const Sheet back = read_key(key);
  EXPECT_EQ(tail_of(back), tail_of(sheet_));
  EXPECT_EQ(back.teacher, sheet_.teacher);
  for (std::size_t c = 0; c < sheet_.cards.size(); ++c) {
    EXPECT_EQ(back.cards[c].latent, sheet_.cards[c].latent);
    EXPECT_EQ(back.cards[c].label_latent, sheet_.cards[c].label_latent);
    EXPECT_EQ(back.cards[c].subject, sheet_.cards[c].subject);
    for (std::size_t i = 0; i < sheet_.cards[c].items.size(); ++i) {
      EXPECT_EQ(back.cards[c].items[i].fires, sheet_.cards[c].items[i].fires);
      EXPECT_EQ(back.cards[c].items[i].teacher, sheet_.cards[c].items[i].teacher);
      EXPECT_EQ(back.cards[c].items[i].probe, sheet_.cards[c].items[i].probe);
    }
  }
}

}  // namespace
}  // namespace incipit::interpret

#include "corpus/csv.hpp"

#include "../support.hpp"

namespace incipit::corpus {
namespace {

using Fields = std::vector<std::string>;

TEST(Csv, ReadsFieldsAndQuotes) {
  const auto records = parse_csv("a,b\r\n\"x, \"\"y\"\"\",\n\n\"two\nlines\",\"\"\nlast,é", "x.csv");
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0].fields, (Fields{"a", "b"}));
  EXPECT_EQ(records[1].fields, (Fields{"x, \"y\"", ""}));
  EXPECT_EQ(records[2].fields, (Fields{"two\nlines", ""}));
  EXPECT_EQ(records[3].fields, (Fields{"last", "é"}));
  EXPECT_EQ(records[1].line, 2);
  EXPECT_EQ(records[2].line, 4);
  EXPECT_EQ(records[3].line, 6);
  EXPECT_TRUE(parse_csv("", "x.csv").empty());
  EXPECT_EQ(parse_csv("a,", "x.csv")[0].fields, (Fields{"a", ""}));
  EXPECT_EQ(parse_csv(",\n", "x.csv")[0].fields, (Fields{"", ""}));
  EXPECT_EQ(parse_csv("a;\"b;c\";d,e\r\n", "x.csv", ';')[0].fields, (Fields{"a", "b;c", "d,e"}));
}

TEST(Csv, NamesTheLine) {
  const auto refuses = [](const std::string& text, const std::vector<std::string>& parts) {
    test::expect_error(Exit::data, parts, [&] { (void)parse_csv(text, "x.csv"); });
  };
  refuses("a\nb,\"open\n\n", {"x.csv:2", "does not end"});
  refuses("a\nb\nx\"y\"", {"x.csv:3", "double quote"});
  refuses("\"a\nb\"c,d", {"x.csv:2", "comma"});
}

}  // namespace
}  // namespace incipit::corpus

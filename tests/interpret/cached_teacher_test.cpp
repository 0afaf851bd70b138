#include "interpret/cached_teacher.hpp"

#include "../support.hpp"

namespace incipit::interpret {
namespace {

using CachedTeacher = test::FolderTest;

TEST_F(CachedTeacher, IsFoundByItsModelOrAlone) {
  const Identity a{"http 1 org/small", "http", "org/small", "http://h:1"},
      b{"neox 1 dolly", "neox", "dolly", ""};
  test::expect_error(Exit::usage, {"teacher", "holds no answers", "there are: none"},
                     [&] { (void)find_cached(folder_, ""); });
  write_about(answers_folder(folder_, a), a);
  EXPECT_EQ(find_cached(folder_, "").name, a.name);
  EXPECT_EQ(find_cached(folder_, "").server, "http://h:1");
  write_about(answers_folder(folder_, b), b);
  EXPECT_EQ(find_cached(folder_, "dolly").kind, "neox");
  EXPECT_EQ(find_cached(folder_, "http 1 org/small").model, "org/small");
  test::expect_error(Exit::usage, {"several", "org/small (http), dolly (neox)", "interpret.model"},
                     [&] { (void)find_cached(folder_, ""); });
  test::expect_error(Exit::usage, {"interpret.model = large", "org/small (http)"},
                     [&] { (void)find_cached(folder_, "large"); });
}

TEST_F(CachedTeacher, LiesUnderALegibleName) {
  const auto folder = answers_folder("out", {"http 1 org/a b", "http", "org/a b", ""});
  EXPECT_EQ(folder.parent_path(), "out/teacher");
  EXPECT_TRUE(folder.filename().string().starts_with("org_a_b-")) << folder;
  EXPECT_NE(folder, answers_folder("out", {"http 1 org.a b", "http", "org/a b", ""}));
}

TEST_F(CachedTeacher, NamesADamagedAbout) {
  write("teacher/x/about.json", "{\"name\": 3}");
  test::expect_error(Exit::data, {"about.json", "name"}, [&] { (void)find_cached(folder_, ""); });
}

}  // namespace
}  // namespace incipit::interpret

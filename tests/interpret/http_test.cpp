#include "interpret/http.hpp"

#include "../support.hpp"

namespace incipit::interpret {
namespace {

InterpretOptions options_for(const std::string& server, const std::string& key_env = "") {
  InterpretOptions options;
  options.teacher = "http";
  options.model = "m";
  options.server = server;
  options.key_env = key_env;
  return options;
}

TEST(Server, IsThisMachineOnlyWhereItsHostSaysSo) {
  for (const char* here : {"http://localhost:8000", "http://LOCALHOST/v1", "http://127.0.0.1:1",
                           "http://127.9.9.9", "http://[::1]:80", "http://api.localhost"})
    EXPECT_TRUE(is_loopback(here)) << here;
  for (const char* other : {"http://127.evil.org", "http://localhost.evil.org", "http://10.0.0.1",
                            "http://host", "https://api.org/localhost", "http://128.0.0.1"})
    EXPECT_FALSE(is_loopback(other)) << other;
  test::expect_error(Exit::usage, {"interpret.server"}, [] { check_server(options_for("http://a b")); });
}

TEST(Server, SeesAKeyOnlyWhereNobodyElseDoes) {
  ASSERT_EQ(::setenv("INCIPIT_TEST_KEY", "s3cret", 1), 0);
  EXPECT_NO_THROW(check_server(options_for("http://127.0.0.1:1", "INCIPIT_TEST_KEY")));
  EXPECT_NO_THROW(check_server(options_for("https://h.org", "INCIPIT_TEST_KEY")));
  InterpretOptions far = options_for("http://h.org", "INCIPIT_TEST_KEY");
  test::expect_error(Exit::usage, {"unencrypted", "key_over_http"}, [&] { check_server(far); });
  far.key_over_http = true;
  EXPECT_NO_THROW(check_server(far));
  ASSERT_EQ(::setenv("INCIPIT_TEST_KEY", "two\r\nlines", 1), 0);
  test::expect_error(Exit::usage, {"INCIPIT_TEST_KEY"}, [&] { check_server(far); });
  ASSERT_EQ(::unsetenv("INCIPIT_TEST_KEY"), 0);
  test::expect_error(Exit::usage, {"INCIPIT_TEST_KEY", "not set"}, [&] { check_server(far); });
}

TEST(Server, BearsNoMoreThanTheDeckSaysOverAllRanks) {
  InterpretOptions options = options_for("http://h");
  options.concurrency = 5;
  options.rate = 60;
  for (const int asking : {1, 2, 3, 5}) {
    int64_t concurrency = 0;
    double rate = 0;
    for (int rank = 0; rank < asking; ++rank) {
      const ServerShare share = share_of_server(options, rank, asking);
      EXPECT_GE(share.concurrency, 1);
      concurrency += share.concurrency;
      rate += share.rate;
    }
    EXPECT_EQ(concurrency, 5);
    EXPECT_NEAR(rate, 60, 1e-9);
  }
}

TEST(Server, IsLeftAloneLongerEachTime) {
  EXPECT_DOUBLE_EQ(backoff(1, 0), 0.25);
  EXPECT_DOUBLE_EQ(backoff(3, 0), 1);
  EXPECT_LE(backoff(3, 0.999), 2);
  EXPECT_DOUBLE_EQ(backoff(1000, 0), 30);
}

}  // namespace
}  // namespace incipit::interpret

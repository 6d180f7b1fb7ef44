#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <fairlead/broker/pattern_set.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/topic.hpp>

namespace fairlead::broker {
namespace {

TEST(PatternSet, an_empty_set_allows_nothing) {
  const PatternSet none;
  EXPECT_FALSE(none.allows("a"));
  EXPECT_FALSE(none.covers("a"));
  EXPECT_TRUE(none.patterns().empty());
}

TEST(PatternSet, R04_refuses_patterns_topics_and_requests_that_break_the_grammar) {
  EXPECT_THROW(PatternSet({"a", "b*"}), Error);
  const PatternSet all({"*"});
  EXPECT_TRUE(all.allows("a.b"));
  EXPECT_FALSE(all.allows("a..b"));
  EXPECT_FALSE(all.allows("a.*"));
  EXPECT_FALSE(all.allows(""));
  EXPECT_TRUE(all.covers("a.*"));
  EXPECT_FALSE(all.covers("a*"));
  EXPECT_FALSE(all.covers(""));
}

TEST(PatternSet, R05_allows_and_covers_what_one_of_its_patterns_matches_and_covers) {
  static const char* const kWords[] = {"a", "b", "*"};
  std::mt19937 random(5);
  const auto text = [&random](unsigned words) {
    std::string made = kWords[random() % words];
    for (auto more = random() % 4; more > 0; --more) {
      made += "." + std::string(kWords[random() % words]);
    }
    return made;
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> patterns;
    for (auto count = random() % 6; count > 0; --count) patterns.push_back(text(3));
    const PatternSet set(patterns);
    for (int question = 0; question < 50; ++question) {
      const std::string topic = text(2);
      const std::string requested = text(3);
      const auto any = [&patterns](auto&& holds) {
        return std::any_of(patterns.begin(), patterns.end(), holds);
      };
      ASSERT_EQ(set.allows(topic), any([&](auto& p) { return shm::matches(p, topic); })) << topic;
      ASSERT_EQ(set.covers(requested), any([&](auto& p) { return shm::covers(p, requested); }))
          << requested;
    }
  }
}

TEST(PatternSet, copies_share_their_patterns) {
  const PatternSet set({"a.*"});
  const PatternSet copy = set;
  EXPECT_TRUE(copy.allows("a.b"));
  EXPECT_EQ(&copy.patterns(), &set.patterns());
}

}  // namespace
}  // namespace fairlead::broker

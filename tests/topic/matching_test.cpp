#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <fairlead/shm/topic.hpp>

namespace fairlead::shm {
namespace {

TEST(Matching, R01_a_star_inside_matches_exactly_one_segment) {
  EXPECT_TRUE(matches("a.*.c", "a.b.c"));
  EXPECT_FALSE(matches("a.*.c", "a.c"));
  EXPECT_FALSE(matches("a.*.c", "a.b.b.c"));
  EXPECT_TRUE(matches("*.b", "a.b"));
  EXPECT_FALSE(matches("*.b", "b"));
  EXPECT_FALSE(matches("*.b", "a.a.b"));
  EXPECT_TRUE(matches("*.*.c", "a.b.c"));
  EXPECT_FALSE(matches("*.*.c", "a.c"));
}

TEST(Matching, R02_a_trailing_star_matches_one_or_more_segments) {
  EXPECT_TRUE(matches("a.*", "a.b"));
  EXPECT_TRUE(matches("a.*", "a.b.c"));
  EXPECT_TRUE(matches("a.*", "a.b.c.d.e.f"));
  EXPECT_FALSE(matches("a.*", "a"));
  EXPECT_FALSE(matches("a.*", "b.a"));
  EXPECT_TRUE(matches("a.*.*", "a.b.c.d"));
  EXPECT_FALSE(matches("a.*.*", "a.b"));
}

TEST(Matching, R02_a_lone_star_matches_every_topic) {
  for (const char* topic : {"a", "a.b", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t"}) {
    EXPECT_TRUE(matches("*", topic)) << topic;
  }
}

TEST(Matching, R03_other_segments_match_themselves_only) {
  EXPECT_TRUE(matches("agent.v1.stream.delta", "agent.v1.stream.delta"));
  EXPECT_FALSE(matches("agent.v1.stream", "agent.v1.stream.delta"));
  EXPECT_FALSE(matches("agent.v1.stream.delta", "agent.v1.stream"));
  EXPECT_FALSE(matches("a.b", "a.B"));
  EXPECT_FALSE(matches("a.b", "a.bb"));
  EXPECT_FALSE(matches("a.bb", "a.b"));
  EXPECT_FALSE(matches("a-b", "a_b"));
}

// A second, recursive reading of R01 to R03 to hold the walker against.
using Segments = std::vector<std::string>;

bool matches_by_the_book(const Segments& pattern, const Segments& topic, std::size_t at = 0) {
  if (at == pattern.size() || at == topic.size()) {
    return pattern.size() == topic.size() && at == pattern.size();
  }
  if (pattern[at] == "*" && at + 1 == pattern.size()) return topic.size() > at;
  if (pattern[at] != "*" && pattern[at] != topic[at]) return false;
  return matches_by_the_book(pattern, topic, at + 1);
}

std::string joined(const Segments& segments) {
  std::string text;
  for (const std::string& segment : segments) text += (text.empty() ? "" : ".") + segment;
  return text;
}

// Every sequence of 1 to `longest` words.
std::vector<Segments> all_sequences(const Segments& words, std::size_t longest) {
  std::vector<Segments> all;
  std::vector<Segments> last = {{}};
  for (std::size_t length = 1; length <= longest; ++length) {
    std::vector<Segments> longer;
    for (const Segments& prefix : last) {
      for (const std::string& word : words) {
        longer.push_back(prefix);
        longer.back().push_back(word);
      }
    }
    all.insert(all.end(), longer.begin(), longer.end());
    last = std::move(longer);
  }
  return all;
}

TEST(Matching, R01_R02_R03_agree_with_a_recursive_reading_for_all_small_patterns_and_topics) {
  const std::vector<Segments> topics = all_sequences({"a", "b", "ab"}, 5);
  for (const Segments& pattern : all_sequences({"a", "b", "*"}, 4)) {
    for (const Segments& topic : topics) {
      ASSERT_EQ(matches(joined(pattern), joined(topic)), matches_by_the_book(pattern, topic))
          << joined(pattern) << " " << joined(topic);
    }
  }
}

TEST(Covering, R05_examples) {
  EXPECT_TRUE(covers("*", "*"));
  EXPECT_TRUE(covers("*", "a.b.*"));
  EXPECT_TRUE(covers("a.*", "a.*"));
  EXPECT_TRUE(covers("a.*", "a.*.c"));
  EXPECT_TRUE(covers("a.*", "a.b"));
  EXPECT_TRUE(covers("a.*.c", "a.*.c"));
  EXPECT_TRUE(covers("a.*.c", "a.b.c"));
  EXPECT_FALSE(covers("a.*", "*"));
  EXPECT_FALSE(covers("a.*", "*.b"));
  EXPECT_FALSE(covers("a.b", "a.*"));
  EXPECT_FALSE(covers("a.*", "a"));
  EXPECT_FALSE(covers("a.*.c", "a.*"));
  EXPECT_FALSE(covers("a.*.*", "a.*"));
  EXPECT_FALSE(covers("a.b.c", "a.*.c"));
}

// With a word no pattern uses, and topics one segment longer than the patterns, the topics below
// tell any two languages of such patterns apart: containment can be decided by looking at them.
TEST(Covering, R05_is_exact_containment_for_all_small_patterns) {
  std::vector<std::string> topics;
  for (const Segments& topic : all_sequences({"a", "b", "fresh"}, 4)) {
    topics.push_back(joined(topic));
  }
  std::vector<std::string> patterns;
  for (const Segments& pattern : all_sequences({"a", "b", "*"}, 3)) {
    patterns.push_back(joined(pattern));
  }
  for (const std::string& allowed : patterns) {
    for (const std::string& requested : patterns) {
      bool contained = true;
      for (const std::string& topic : topics) {
        if (matches(requested, topic) && !matches(allowed, topic)) contained = false;
      }
      ASSERT_EQ(covers(allowed, requested), contained) << allowed << " covers " << requested;
    }
  }
}

// At the limits of R04 a trailing star can only be one segment; that must not make it a literal.
TEST(Covering, R05_holds_at_the_limits_of_the_grammar) {
  std::string nineteen = "s";
  for (int count = 1; count < 19; ++count) nineteen += ".s";
  EXPECT_TRUE(covers(nineteen + ".*", nineteen + ".*"));
  EXPECT_FALSE(covers(nineteen + ".s", nineteen + ".*"));
  EXPECT_TRUE(covers("*", nineteen + ".*"));
  const std::string long_prefix(253, 'p');
  EXPECT_TRUE(covers(long_prefix + ".*", long_prefix + ".*"));
  EXPECT_FALSE(covers(long_prefix + ".a", long_prefix + ".*"));
}

}  // namespace
}  // namespace fairlead::shm

#include "routing/pattern_trie.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <fairlead/shm/topic.hpp>

namespace fairlead::broker {
namespace {

using Ids = std::vector<std::uint32_t>;

Ids match(const PatternTrie& trie, std::string_view topic) {
  Ids ids;
  trie.match(topic, ids);
  return ids;
}

TEST(PatternTrie, R01_a_star_inside_matches_exactly_one_segment) {
  PatternTrie trie;
  ASSERT_TRUE(trie.insert("a.*.c", 7));
  EXPECT_EQ(match(trie, "a.b.c"), Ids{7});
  EXPECT_EQ(match(trie, "a.c"), Ids{});
  EXPECT_EQ(match(trie, "a.b.b.c"), Ids{});
  EXPECT_EQ(match(trie, "a.b"), Ids{});
}

TEST(PatternTrie, R02_a_trailing_star_matches_one_or_more_segments) {
  PatternTrie trie;
  ASSERT_TRUE(trie.insert("a.*", 1));
  ASSERT_TRUE(trie.insert("*", 2));
  EXPECT_EQ(match(trie, "a"), Ids{2});
  EXPECT_EQ(match(trie, "a.b"), (Ids{1, 2}));
  EXPECT_EQ(match(trie, "a.b.c.d"), (Ids{1, 2}));
}

TEST(PatternTrie, R03_matching_is_byte_exact) {
  PatternTrie trie;
  ASSERT_TRUE(trie.insert("a.b", 1));
  EXPECT_EQ(match(trie, "a.b"), Ids{1});
  EXPECT_EQ(match(trie, "a.B"), Ids{});
  EXPECT_EQ(match(trie, "a.bb"), Ids{});
  EXPECT_EQ(match(trie, "a"), Ids{});
}

TEST(PatternTrie, R04_patterns_that_break_the_grammar_are_not_inserted) {
  PatternTrie trie;
  for (const char* pattern : {"", "a..b", "a*", "**", "a b"}) {
    EXPECT_FALSE(trie.insert(pattern, 1)) << pattern;
    EXPECT_FALSE(trie.erase(pattern, 1)) << pattern;
  }
  EXPECT_EQ(trie.node_count(), 1U);
  std::string too_many = "s";
  for (int count = 1; count < 21; ++count) too_many += ".s";
  ASSERT_TRUE(trie.insert("*", 1));
  EXPECT_EQ(match(trie, too_many), Ids{});
}

TEST(PatternTrie, R07_ids_of_the_same_pattern_are_all_found_in_ascending_order) {
  PatternTrie trie;
  for (const std::uint32_t id : {9U, 3U, 7U, 1U}) ASSERT_TRUE(trie.insert("a.b", id));
  ASSERT_TRUE(trie.insert("a.*", 5));
  ASSERT_TRUE(trie.insert("*.b", 2));
  EXPECT_EQ(match(trie, "a.b"), (Ids{1, 2, 3, 5, 7, 9}));
}

TEST(PatternTrie, a_pair_is_held_once) {
  PatternTrie trie;
  EXPECT_TRUE(trie.insert("a.*", 1));
  EXPECT_FALSE(trie.insert("a.*", 1));
  EXPECT_TRUE(trie.insert("a.b", 1));
  EXPECT_EQ(trie.size(), 2U);
  EXPECT_FALSE(trie.erase("a.c", 1));
  EXPECT_FALSE(trie.erase("a.b", 2));
  EXPECT_FALSE(trie.erase("a.b.c", 1));
  EXPECT_TRUE(trie.erase("a.b", 1));
  EXPECT_FALSE(trie.erase("a.b", 1));
  EXPECT_EQ(match(trie, "a.b"), Ids{1});
}

TEST(PatternTrie, erasing_frees_the_nodes_that_hold_nothing_any_more) {
  PatternTrie trie;
  ASSERT_TRUE(trie.insert("a.b.c.d", 1));
  ASSERT_TRUE(trie.insert("a.b", 2));
  ASSERT_TRUE(trie.insert("a.*.c.*", 3));
  EXPECT_EQ(trie.node_count(), 7U);
  EXPECT_TRUE(trie.erase("a.b.c.d", 1));
  EXPECT_EQ(trie.node_count(), 5U);
  EXPECT_TRUE(trie.erase("a.*.c.*", 3));
  EXPECT_EQ(trie.node_count(), 3U);
  EXPECT_EQ(match(trie, "a.b"), Ids{2});
  EXPECT_TRUE(trie.erase("a.b", 2));
  EXPECT_EQ(trie.node_count(), 1U);
}

TEST(PatternTrie, R14_nodes_visited_do_not_grow_with_routes_that_do_not_match) {
  const auto visits = [](std::uint32_t others) {
    PatternTrie trie;
    trie.insert("agent.v1.stream.delta", 0);
    trie.insert("agent.*.stream.*", 1);
    for (std::uint32_t id = 2; id < others; ++id) {
      const std::string number = std::to_string(id);
      trie.insert("agent.v1.stream.n" + number, id);  // same prefix, another end
      trie.insert("agent.v1.n" + number + ".*", id);
      trie.insert("other.n" + number, id);
      trie.insert("*.n" + number + ".x", id);  // starts with a star, another second segment
      trie.insert("*.*.*.n" + number, id);
    }
    Ids ids;
    const std::size_t visited = trie.match("agent.v1.stream.delta", ids);
    EXPECT_EQ(ids, (Ids{0, 1}));
    return visited;
  };
  const std::size_t few = visits(3);
  EXPECT_EQ(visits(10'000), few);
  EXPECT_LE(few, 12U);
}

TEST(PatternTrie, R14_without_stars_on_the_way_one_node_per_segment_is_visited) {
  PatternTrie trie;
  for (std::uint32_t id = 0; id < 1'000; ++id) trie.insert("a.b.c." + std::to_string(id), id);
  Ids ids;
  EXPECT_EQ(trie.match("a.b.c.500", ids), 5U);
  EXPECT_EQ(trie.match("z.b.c.500", ids), 1U);
}

TEST(PatternTrie, R14_the_worst_placing_of_stars_is_bounded_by_the_segments_of_the_topic) {
  PatternTrie trie;
  std::uint32_t routes = 0;
  for (std::uint32_t stars = 0; stars < 1'024; ++stars) {
    std::string pattern;
    for (std::uint32_t bit = 0; bit < 10; ++bit) pattern += (stars >> bit) & 1U ? "*." : "a.";
    ASSERT_TRUE(trie.insert(pattern + "b", routes++));
  }
  Ids ids;
  EXPECT_LE(trie.match("a.a.a.a", ids), 32U);
  EXPECT_EQ(ids, Ids{});
  trie.match("a.a.a.a.a.a.a.a.a.a.b", ids);
  EXPECT_EQ(ids.size(), 1'024U);
}

// The trie and the plain matcher must be one matcher (R05). Few words, so that most things collide.
class RandomText {
 public:
  explicit RandomText(std::uint32_t seed) : random_(seed) {}

  std::string topic() { return text(false); }
  std::string pattern() { return text(true); }
  std::size_t below(std::size_t limit) { return random_() % limit; }

 private:
  std::string text(bool stars) {
    static const char* const kWords[] = {"a", "b", "ab", "A", "a:b", "*"};
    const std::size_t segments = below(20) == 0 ? 20 : 1 + below(5);
    std::string made;
    for (std::size_t index = 0; index < segments; ++index) {
      made += (index == 0 ? "" : ".") + std::string(kWords[below(stars ? 6 : 5)]);
    }
    return made;
  }

  std::mt19937 random_;
};

TEST(PatternTrie, R05_finds_exactly_what_the_plain_matcher_finds_whatever_was_inserted_and_erased) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomText random(seed);
    PatternTrie trie;
    std::vector<std::pair<std::string, std::uint32_t>> held;
    for (std::uint32_t step = 0; step < 1'000; ++step) {
      if (held.empty() || random.below(5) < 3) {
        held.emplace_back(random.pattern(), step);
        ASSERT_TRUE(trie.insert(held.back().first, step));
      } else {
        const std::size_t victim = random.below(held.size());
        ASSERT_TRUE(trie.erase(held[victim].first, held[victim].second));
        held.erase(held.begin() + static_cast<std::ptrdiff_t>(victim));
      }
      const std::string topic = random.topic();
      Ids expected;
      for (const auto& [pattern, id] : held) {
        if (shm::matches(pattern, topic)) expected.push_back(id);
      }
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(match(trie, topic), expected) << topic;
      ASSERT_EQ(trie.matches_any(topic), !expected.empty()) << topic;
    }
    ASSERT_EQ(trie.size(), held.size());
    for (const auto& [pattern, id] : held) ASSERT_TRUE(trie.erase(pattern, id));
    EXPECT_EQ(trie.node_count(), 1U);
  }
}

}  // namespace
}  // namespace fairlead::broker

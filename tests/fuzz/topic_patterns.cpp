// Inserts, erases and matches as the input says, and compares the trie with the plain matcher
// (R05). Each line of the input is one step: "+PATTERN", "-PATTERN" or a topic to look up.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fairlead/broker/pattern_set.hpp>
#include <fairlead/shm/topic.hpp>

#include "routing/pattern_trie.hpp"

namespace fairlead::broker {
namespace {

void expect(bool holds, const char* what, std::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
  std::abort();
}

// A trie and the list that says what it should hold; every pattern has one id, its position here.
class Pair {
 public:
  void insert(std::string_view pattern) {
    const bool valid = shm::check_pattern(pattern) == shm::TopicProblem::none;
    const auto id = static_cast<std::uint32_t>(patterns_.size());
    expect(trie_.insert(pattern, id) == valid, "inserted only what is valid", pattern);
    if (valid) patterns_.emplace_back(pattern, true);
  }

  void erase(std::string_view pattern) {
    for (std::uint32_t id = 0; id < patterns_.size(); ++id) {
      auto& [held, present] = patterns_[id];
      if (held != pattern) continue;
      expect(trie_.erase(pattern, id) == present, "erased only what was there", pattern);
      present = false;
    }
  }

  void look_up(std::string_view topic) const {
    std::vector<std::uint32_t> found;
    trie_.match(topic, found);
    expect(std::is_sorted(found.begin(), found.end()), "ids ascend", topic);
    if (shm::check_topic(topic) != shm::TopicProblem::none) return;
    std::vector<std::uint32_t> expected;
    for (std::uint32_t id = 0; id < patterns_.size(); ++id) {
      const auto& [pattern, present] = patterns_[id];
      if (present && shm::matches(pattern, topic)) expected.push_back(id);
    }
    expect(found == expected, "the trie finds what the matcher finds", topic);
    expect(trie_.matches_any(topic) == !expected.empty(), "any is any", topic);
  }

  // What covers a pattern matches whatever the pattern matches.
  void check_covering(std::string_view topic) const {
    for (const auto& [allowed, allowed_present] : patterns_) {
      for (const auto& [requested, requested_present] : patterns_) {
        if (!shm::covers(allowed, requested) || !shm::matches(requested, topic)) continue;
        expect(shm::matches(allowed, topic), "covering is containment", allowed);
      }
    }
  }

  void erase_all() {
    for (const auto& [pattern, present] : std::vector(patterns_)) {
      if (present) erase(pattern);
    }
    expect(trie_.size() == 0 && trie_.node_count() == 1, "nothing is left", "");
  }

 private:
  PatternTrie trie_;
  std::vector<std::pair<std::string, bool>> patterns_;
};

void run(std::string_view input) {
  constexpr std::size_t kMostSteps = 64;
  Pair pair;
  for (std::size_t step = 0; step < kMostSteps && !input.empty(); ++step) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.starts_with('+')) {
      pair.insert(line.substr(1));
    } else if (line.starts_with('-')) {
      pair.erase(line.substr(1));
    } else {
      pair.look_up(line);
      pair.check_covering(line);
    }
  }
  pair.erase_all();
}

}  // namespace
}  // namespace fairlead::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::broker::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

#include <fairlead/broker/pattern_set.hpp>

#include <utility>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/topic.hpp>

#include "routing/pattern_trie.hpp"

namespace fairlead::broker {

struct PatternSet::Content {
  std::vector<std::string> patterns;
  PatternTrie trie;
};

PatternSet::PatternSet() : content_(std::make_shared<Content>()) {}

PatternSet::PatternSet(std::vector<std::string> patterns) {
  auto content = std::make_shared<Content>();
  for (const std::string& pattern : patterns) {
    const shm::TopicProblem problem = shm::check_pattern(pattern);
    if (problem != shm::TopicProblem::none) {
      throw Error(ErrorCode::invalid_pattern,
                  "a pattern cannot be used: " + std::string(shm::sentence_of(problem)));
    }
    content->trie.insert(pattern, 0);
  }
  content->patterns = std::move(patterns);
  content_ = std::move(content);
}

bool PatternSet::allows(std::string_view topic) const noexcept {
  return shm::check_topic(topic) == shm::TopicProblem::none && content_->trie.matches_any(topic);
}

// As in shm::covers, the requested pattern is looked up as if it were a topic.
bool PatternSet::covers(std::string_view requested) const noexcept {
  return shm::check_pattern(requested) == shm::TopicProblem::none &&
         content_->trie.matches_any(requested);
}

const std::vector<std::string>& PatternSet::patterns() const noexcept { return content_->patterns; }

}  // namespace fairlead::broker

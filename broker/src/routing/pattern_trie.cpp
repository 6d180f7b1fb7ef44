#include "routing/pattern_trie.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/topic.hpp>

#include "routing/segment_hash.hpp"

namespace fairlead::broker {

using shm::kMaximumTopicSegments;
using shm::SegmentWalker;

// Ids are kept ascending.
struct PatternTrie::Node {
  std::unordered_map<std::string, std::unique_ptr<Node>, SegmentHash, SegmentEqual> children;
  std::unique_ptr<Node> star;               // a `*` with segments after it (R01)
  std::vector<std::uint32_t> ends_here;     // patterns whose last, literal segment led here
  std::vector<std::uint32_t> ends_in_star;  // patterns with one more segment, a trailing `*` (R02)

  [[nodiscard]] bool empty() const noexcept {
    return children.empty() && !star && ends_here.empty() && ends_in_star.empty();
  }

  [[nodiscard]] Node* find(std::string_view segment) const noexcept {
    if (segment == "*") return star.get();
    const auto found = children.find(HashedSegment{segment, hash_segment(segment)});
    return found == children.end() ? nullptr : found->second.get();
  }

  // Where this node, and the segment after it, keep the ids of a pattern that ends with `segment`.
  [[nodiscard]] std::vector<std::uint32_t>* ids_of_last(std::string_view segment) noexcept {
    if (segment == "*") return &ends_in_star;
    Node* const child = find(segment);
    return child == nullptr ? nullptr : &child->ends_here;
  }

  void remove(std::string_view segment) noexcept {
    if (segment == "*") {
      star.reset();
      return;
    }
    const auto found = children.find(HashedSegment{segment, hash_segment(segment)});
    if (found != children.end()) children.erase(found);
  }
};

namespace {

class SplitTopic {
 public:
  explicit SplitTopic(std::string_view topic) noexcept {
    SegmentWalker walker(topic);
    std::string_view segment;
    while (walker.next(segment)) {
      if (count_ == kMaximumTopicSegments) {
        count_ = 0;  // breaks R04: matches nothing
        return;
      }
      segments_[count_++] = {segment, hash_segment(segment)};
    }
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  const HashedSegment& operator[](std::size_t index) const noexcept { return segments_[index]; }

 private:
  std::array<HashedSegment, kMaximumTopicSegments> segments_;
  std::size_t count_ = 0;
};

// Depth first, without recursion. `take(ids)` gets each list of matching ids and returns whether
// to go on. Of each level at most one sibling waits on the stack, so its size is bounded.
template <class Node, class Take>
std::size_t visit_matches(const Node& root, const SplitTopic& topic, Take&& take) {
  struct Visit {
    const Node* node;
    std::size_t depth;  // segments of the topic used up
  };
  std::array<Visit, kMaximumTopicSegments + 2> stack;
  std::size_t waiting = 0;
  std::size_t visited = 0;
  if (topic.count() > 0) stack[waiting++] = {&root, 0};
  while (waiting > 0) {
    const auto [node, depth] = stack[--waiting];
    ++visited;
    if (depth == topic.count()) {
      if (!take(node->ends_here)) break;
      continue;
    }
    if (!take(node->ends_in_star)) break;
    // A star node never ends a pattern: that star would be a trailing one.
    if (node->star && depth + 1 < topic.count()) stack[waiting++] = {node->star.get(), depth + 1};
    const auto child = node->children.find(topic[depth]);
    if (child != node->children.end()) stack[waiting++] = {child->second.get(), depth + 1};
  }
  return visited;
}

bool add_id(std::vector<std::uint32_t>& ids, std::uint32_t id) {
  const auto place = std::lower_bound(ids.begin(), ids.end(), id);
  if (place != ids.end() && *place == id) return false;
  ids.insert(place, id);
  return true;
}

bool remove_id(std::vector<std::uint32_t>& ids, std::uint32_t id) noexcept {
  const auto place = std::lower_bound(ids.begin(), ids.end(), id);
  if (place == ids.end() || *place != id) return false;
  ids.erase(place);
  return true;
}

}  // namespace

PatternTrie::PatternTrie() : root_(std::make_unique<Node>()) {}
PatternTrie::~PatternTrie() = default;

PatternTrie::Node& PatternTrie::child_of(Node& node, std::string_view segment) {
  if (Node* const there = node.find(segment)) return *there;
  auto made = std::make_unique<Node>();
  Node& child = *made;
  if (segment == "*") {
    node.star = std::move(made);
  } else {
    node.children.emplace(std::string(segment), std::move(made));
  }
  ++nodes_;
  return child;
}

bool PatternTrie::insert_below_root(std::string_view pattern, std::uint32_t id) {
  Node* node = root_.get();
  SegmentWalker walker(pattern);
  std::string_view segment;
  while (walker.next(segment)) {
    if (walker.finished() && segment == "*") return add_id(node->ends_in_star, id);
    node = &child_of(*node, segment);
  }
  return add_id(node->ends_here, id);
}

bool PatternTrie::insert(std::string_view pattern, std::uint32_t id) {
  if (shm::check_pattern(pattern) != shm::TopicProblem::none) return false;
  try {
    const bool added = insert_below_root(pattern, id);
    if (added) ++size_;
    return added;
  } catch (...) {
    prune(pattern);
    throw;
  }
}

bool PatternTrie::erase(std::string_view pattern, std::uint32_t id) noexcept {
  if (shm::check_pattern(pattern) != shm::TopicProblem::none) return false;
  Node* node = root_.get();
  SegmentWalker walker(pattern);
  std::string_view segment;
  while (walker.next(segment) && !walker.finished()) {
    node = node->find(segment);
    if (node == nullptr) return false;
  }
  std::vector<std::uint32_t>* const ids = node->ids_of_last(segment);
  if (ids == nullptr || !remove_id(*ids, id)) return false;
  --size_;
  prune(pattern);
  return true;
}

// Frees the empty nodes at the end of the pattern's path, deepest first.
void PatternTrie::prune(std::string_view pattern) noexcept {
  struct Step {
    Node* parent;
    std::string_view segment;
    Node* node;
  };
  std::array<Step, kMaximumTopicSegments> path;
  std::size_t depth = 0;
  Node* node = root_.get();
  SegmentWalker walker(pattern);
  std::string_view segment;
  while (depth < path.size() && walker.next(segment)) {
    Node* const next = node->find(segment);
    if (next == nullptr) break;
    path[depth++] = {node, segment, next};
    node = next;
  }
  while (depth > 0 && path[depth - 1].node->empty()) {
    --depth;
    path[depth].parent->remove(path[depth].segment);
    --nodes_;
  }
}

std::size_t PatternTrie::match(std::string_view topic, std::vector<std::uint32_t>& out) const {
  out.clear();
  std::size_t lists = 0;
  const auto append = [&](const std::vector<std::uint32_t>& ids) {
    if (!ids.empty()) {
      out.insert(out.end(), ids.begin(), ids.end());
      ++lists;
    }
    return true;
  };
  const std::size_t visited = visit_matches(*root_, SplitTopic(topic), append);
  if (lists > 1) std::sort(out.begin(), out.end());
  return visited;
}

bool PatternTrie::matches_any(std::string_view topic) const noexcept {
  bool found = false;
  const auto stop_at_first = [&found](const std::vector<std::uint32_t>& ids) noexcept {
    found = !ids.empty();
    return !found;
  };
  visit_matches(*root_, SplitTopic(topic), stop_at_first);
  return found;
}

}  // namespace fairlead::broker

// Finds the patterns that match a topic, at a cost that grows with what matches (R14).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace fairlead::broker {

// A trie over pattern segments. It answers exactly as shm::matches does (R05, proved by a
// randomised test), for any number of (pattern, id) pairs; several ids may share a pattern.
//
// Not thread-safe: calls that change it must not overlap with any other call.
class PatternTrie {
 public:
  PatternTrie();
  ~PatternTrie();
  PatternTrie(const PatternTrie&) = delete;
  PatternTrie& operator=(const PatternTrie&) = delete;

  /// False when the pattern breaks R04 or this very pair is there already. O(segments), plus the
  /// place of the id among the ids of the same pattern. Changes nothing when it throws bad_alloc.
  bool insert(std::string_view pattern, std::uint32_t id);

  /// False when the pair is not there. O(segments); nodes that hold nothing any more are freed.
  bool erase(std::string_view pattern, std::uint32_t id) noexcept;

  /// Replaces `out` with the ids of all patterns that match a checked topic, ascending. An id that
  /// was inserted with several matching patterns comes as often. Returns the number of nodes
  /// visited: per topic segment at most one for each way to place stars in the patterns that match
  /// so far. So never more than 2^(segments + 1), and only segments + 1 if no pattern that shares a
  /// prefix with the topic has a star inside.
  std::size_t match(std::string_view topic, std::vector<std::uint32_t>& out) const;

  /// True when at least one pattern matches. Stops at the first.
  [[nodiscard]] bool matches_any(std::string_view topic) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return size_; }         // pairs
  [[nodiscard]] std::size_t node_count() const noexcept { return nodes_; }  // with the root

 private:
  struct Node;

  Node& child_of(Node& node, std::string_view segment);
  bool insert_below_root(std::string_view pattern, std::uint32_t id);
  void prune(std::string_view pattern) noexcept;

  std::unique_ptr<Node> root_;
  std::size_t size_ = 0;
  std::size_t nodes_ = 1;
};

}  // namespace fairlead::broker

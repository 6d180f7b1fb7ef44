// Topics, patterns and the one matcher that delivery and permission checks share (R01 to R05).
//
// Everything here is noexcept, allocates nothing and may be called from any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace fairlead::shm {

// What is wrong with a topic or a pattern (R04); `none` means that it may be used.
enum class TopicProblem : std::uint8_t {
  none,
  empty,              // no byte at all
  too_long,           // over kMaximumTopicBytes
  too_many_segments,  // over kMaximumTopicSegments
  empty_segment,      // leading, trailing or doubled dot
  bad_byte,           // a byte outside [A-Za-z0-9_:-]
  star_in_topic,      // `*` where only a topic is allowed
  star_in_segment,    // `*` beside other bytes, as in `a*`
};

/// The first problem found. Topics hold no `*`; in a pattern a segment may be a lone `*`.
[[nodiscard]] TopicProblem check_topic(std::string_view topic) noexcept;
[[nodiscard]] TopicProblem check_pattern(std::string_view pattern) noexcept;

/// One sentence that names the rule and says what would be accepted; empty for `none`.
[[nodiscard]] std::string_view sentence_of(TopicProblem problem) noexcept;

// Takes a topic or pattern apart from the left. The only place that knows where segments end:
// `matches`, `covers`, the checks and the broker's trie all walk with it.
class SegmentWalker {
 public:
  explicit SegmentWalker(std::string_view text) noexcept : rest_(text) {}

  /// Moves to the next segment (which may be empty in unchecked text); false when none is left.
  bool next(std::string_view& segment) noexcept {
    if (finished_) return false;
    const std::size_t dot = rest_.find('.');
    segment = rest_.substr(0, dot);
    finished_ = dot == std::string_view::npos;
    if (!finished_) rest_.remove_prefix(dot + 1);
    return true;
  }

  /// True when the segment returned last was the last one.
  [[nodiscard]] bool finished() const noexcept { return finished_; }

 private:
  std::string_view rest_;
  bool finished_ = false;
};

/// R01 to R03: a `*` matches one segment, as the last one it matches one or more. Byte-exact.
/// Meant for checked text; any other bytes give a bounded, harmless, but meaningless answer.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view topic) noexcept;

/// True when every topic that `requested` matches is matched by `allowed` too: exact containment,
/// not an approximation. For checked patterns.
[[nodiscard]] bool covers(std::string_view allowed, std::string_view requested) noexcept;

}  // namespace fairlead::shm

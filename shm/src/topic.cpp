#include <fairlead/shm/topic.hpp>

#include <cstddef>

#include <fairlead/shm/constants.hpp>

namespace fairlead::shm {
namespace {

constexpr std::string_view kStar = "*";

constexpr bool is_segment_byte(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '_' || byte == ':' || byte == '-';
}

TopicProblem check_segment(std::string_view segment, bool star_allowed) noexcept {
  if (segment.empty()) return TopicProblem::empty_segment;
  if (segment == kStar && star_allowed) return TopicProblem::none;
  for (const char byte : segment) {
    if (byte == '*') {
      return star_allowed ? TopicProblem::star_in_segment : TopicProblem::star_in_topic;
    }
    if (!is_segment_byte(byte)) return TopicProblem::bad_byte;
  }
  return TopicProblem::none;
}

TopicProblem check(std::string_view text, bool star_allowed) noexcept {
  if (text.empty()) return TopicProblem::empty;
  if (text.size() > kMaximumTopicBytes) return TopicProblem::too_long;
  SegmentWalker walker(text);
  std::string_view segment;
  for (std::size_t count = 1; walker.next(segment); ++count) {
    if (count > kMaximumTopicSegments) return TopicProblem::too_many_segments;
    const TopicProblem problem = check_segment(segment, star_allowed);
    if (problem != TopicProblem::none) return problem;
  }
  return TopicProblem::none;
}

}  // namespace

TopicProblem check_topic(std::string_view topic) noexcept { return check(topic, false); }

TopicProblem check_pattern(std::string_view pattern) noexcept { return check(pattern, true); }

std::string_view sentence_of(TopicProblem problem) noexcept {
  static_assert(kMaximumTopicBytes == 255 && kMaximumTopicSegments == 20, "the sentences say so");
  switch (problem) {
    case TopicProblem::none:
      return "";
    case TopicProblem::empty:
      return "it is empty: a topic or pattern has 1 to 20 segments separated by dots (R04)";
    case TopicProblem::too_long:
      return "it is longer than 255 bytes (R04)";
    case TopicProblem::too_many_segments:
      return "it has more than 20 segments (R04)";
    case TopicProblem::empty_segment:
      return "it has an empty segment: no leading, trailing or doubled dot is allowed (R04)";
    case TopicProblem::bad_byte:
      return "it holds a byte other than letters, digits, '_', ':', '-' and the dot between "
             "segments (R04)";
    case TopicProblem::star_in_topic:
      return "it holds a '*': only patterns may, a message is published on one exact topic (R04)";
    case TopicProblem::star_in_segment:
      return "it holds a '*' beside other bytes: in a pattern '*' must be a whole segment (R04)";
  }
  return "it breaks the grammar of topics (R04)";
}

bool matches(std::string_view pattern, std::string_view topic) noexcept {
  SegmentWalker pattern_walker(pattern);
  SegmentWalker topic_walker(topic);
  std::string_view wanted;
  std::string_view found;
  while (pattern_walker.next(wanted)) {
    if (!topic_walker.next(found)) return false;
    if (wanted == kStar) {
      if (pattern_walker.finished()) return true;  // R02: one or more
    } else if (wanted != found) {
      return false;
    }
  }
  return topic_walker.finished();
}

// `requested` is walked as if it were a topic whose `*` segments are spelled "*". That is exact:
//  - Where `requested` has a star, some topic of it has a segment there that `allowed` does not
//    spell out (a star stands for any of more than one segment), so `allowed` needs a star as
//    well; and the text "*" is matched by a star only, since no literal segment is "*".
//  - A trailing star of `requested` includes topics of just that length and longer ones. An
//    `allowed` that goes on after it misses the short ones: the walk runs out of `requested`, so
//    false. An `allowed` that stops there has, by the point above, a trailing star too: true.
//  - The limits of R04 change nothing: each star can be filled with one byte, so no pattern is
//    empty of topics, and more than one byte can be chosen for it.
bool covers(std::string_view allowed, std::string_view requested) noexcept {
  return matches(allowed, requested);
}

}  // namespace fairlead::shm

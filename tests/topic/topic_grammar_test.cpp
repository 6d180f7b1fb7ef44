#include <gtest/gtest.h>

#include <string>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/topic.hpp>

namespace fairlead::shm {
namespace {

std::string repeated_segments(std::size_t count) {
  std::string text = "s";
  for (std::size_t index = 1; index < count; ++index) text += ".s";
  return text;
}

TEST(Topic, R04_accepts_every_allowed_byte) {
  EXPECT_EQ(check_topic("abcXYZ.0189._.:.-.a:b-c_d"), TopicProblem::none);
  EXPECT_EQ(check_topic("a"), TopicProblem::none);
  EXPECT_EQ(check_pattern("abcXYZ.0189._.:.-.a:b-c_d"), TopicProblem::none);
}

TEST(Topic, R04_refuses_every_other_byte) {
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:-";
  for (int value = 0; value < 256; ++value) {
    const char byte = static_cast<char>(value);
    if (byte == '.' || byte == '*') continue;
    const std::string text = std::string("a") + byte + "b";
    const bool expected = allowed.find(byte) != std::string::npos;
    EXPECT_EQ(check_topic(text) == TopicProblem::none, expected) << value;
    EXPECT_EQ(check_pattern(text) == TopicProblem::none, expected) << value;
    if (expected) continue;
    EXPECT_EQ(check_topic(text), TopicProblem::bad_byte) << value;
    EXPECT_EQ(check_pattern(text), TopicProblem::bad_byte) << value;
  }
}

TEST(Topic, R04_refuses_empty_text_and_empty_segments) {
  EXPECT_EQ(check_topic(""), TopicProblem::empty);
  for (const char* text : {".", "a.", ".a", "a..b", "..", "a.b."}) {
    EXPECT_EQ(check_topic(text), TopicProblem::empty_segment) << text;
    EXPECT_EQ(check_pattern(text), TopicProblem::empty_segment) << text;
  }
}

TEST(Topic, R04_allows_255_bytes_and_no_more) {
  EXPECT_EQ(check_topic(std::string(kMaximumTopicBytes, 'a')), TopicProblem::none);
  EXPECT_EQ(check_topic(std::string(kMaximumTopicBytes + 1, 'a')), TopicProblem::too_long);
  EXPECT_EQ(check_pattern(std::string(kMaximumTopicBytes + 1, 'a')), TopicProblem::too_long);
}

TEST(Topic, R04_allows_20_segments_and_no_more) {
  EXPECT_EQ(check_topic(repeated_segments(20)), TopicProblem::none);
  EXPECT_EQ(check_topic(repeated_segments(21)), TopicProblem::too_many_segments);
  EXPECT_EQ(check_pattern(repeated_segments(20) + ".*"), TopicProblem::too_many_segments);
}

TEST(Topic, R04_a_star_is_a_whole_segment_of_a_pattern_and_never_in_a_topic) {
  for (const char* text : {"*", "*.*", "a.*", "*.a", "a.*.b"}) {
    EXPECT_EQ(check_pattern(text), TopicProblem::none) << text;
    EXPECT_EQ(check_topic(text), TopicProblem::star_in_topic) << text;
  }
  for (const char* text : {"a*", "*a", "**", "a.b*.c"}) {
    EXPECT_EQ(check_pattern(text), TopicProblem::star_in_segment) << text;
    EXPECT_EQ(check_topic(text), TopicProblem::star_in_topic) << text;
  }
}

TEST(Topic, R04_every_refusal_names_the_rule) {
  EXPECT_EQ(sentence_of(TopicProblem::none), "");
  EXPECT_EQ(sentence_of(TopicProblem::too_long), "it is longer than 255 bytes (R04)");
  for (const TopicProblem problem :
       {TopicProblem::empty, TopicProblem::too_long, TopicProblem::too_many_segments,
        TopicProblem::empty_segment, TopicProblem::bad_byte, TopicProblem::star_in_topic,
        TopicProblem::star_in_segment}) {
    EXPECT_TRUE(sentence_of(problem).ends_with("(R04)")) << sentence_of(problem);
  }
}

}  // namespace
}  // namespace fairlead::shm

// How `fairlead pub` cuts its input into messages.
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "pub/message_splitter.hpp"
#include "support/expect_error.hpp"

namespace fairlead::tools {
namespace {

using Messages = std::vector<std::string>;

// Feeds the text in pieces of `piece` bytes.
Messages split(SplitMode mode, std::string_view text, std::size_t piece = 1'000,
               std::size_t longest = 1'000'000) {
  Messages messages;
  MessageSplitter splitter(mode, longest,
                           [&](std::string_view message) { messages.emplace_back(message); });
  for (std::size_t at = 0; at < text.size(); at += piece) splitter.feed(text.substr(at, piece));
  splitter.finish();
  return messages;
}

std::string joined(const Messages& messages) {
  std::string text;
  for (const std::string& message : messages) text += message;
  return text;
}

TEST(Splitter, everything_is_one_message_even_if_it_is_empty) {
  EXPECT_EQ(split(SplitMode::whole, "a b\nc\n", 2), (Messages{"a b\nc\n"}));
  EXPECT_EQ(split(SplitMode::whole, ""), (Messages{""}));
}

TEST(Splitter, lines_lose_their_newline_and_nothing_else) {
  for (const std::size_t piece : {1U, 3U, 100U}) {
    EXPECT_EQ(split(SplitMode::lines, "one\n\n two \r\nlast", piece),
              (Messages{"one", "", " two \r", "last"}));
  }
  EXPECT_EQ(split(SplitMode::lines, ""), Messages{});
  EXPECT_EQ(split(SplitMode::lines, "\n"), (Messages{""}));
}

TEST(Splitter, tokens_are_words_with_the_white_space_after_them) {
  for (const std::size_t piece : {1U, 2U, 3U, 100U}) {
    EXPECT_EQ(split(SplitMode::tokens, "  one two\n\n three\t", piece),
              (Messages{"  one ", "two\n\n ", "three\t"}));
  }
  EXPECT_EQ(split(SplitMode::tokens, " \n "), (Messages{" \n "}));
  EXPECT_EQ(split(SplitMode::tokens, "one"), (Messages{"one"}));
  EXPECT_EQ(split(SplitMode::tokens, ""), Messages{});
}

TEST(Splitter, a_token_is_passed_on_as_soon_as_the_next_one_begins) {
  Messages messages;
  MessageSplitter splitter(SplitMode::tokens, 100,
                           [&](std::string_view message) { messages.emplace_back(message); });
  splitter.feed("one tw");
  EXPECT_EQ(messages, (Messages{"one "}));
}

TEST(Splitter, tokens_of_a_real_text_put_it_together_again) {
  std::ifstream file("/usr/share/common-licenses/GPL-3");
  std::stringstream content;
  content << file.rdbuf();
  const std::string text = content.str();
  ASSERT_FALSE(text.empty());
  std::istringstream words(text);
  std::size_t count = 0;
  for (std::string word; words >> word;) ++count;
  for (const std::size_t piece : {1U, 7U, 4'096U}) {
    const Messages messages = split(SplitMode::tokens, text, piece);
    EXPECT_EQ(messages.size(), count);
    EXPECT_EQ(joined(messages), text);
  }
}

TEST(Splitter, any_bytes_put_together_again_are_what_they_were) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    std::string text(random() % 60, '\0');
    for (char& byte : text) byte = "ab \n\t\xff"[random() % 6];
    EXPECT_EQ(joined(split(SplitMode::tokens, text, 1 + random() % 9)), text);
  }
}

TEST(Splitter, R31_a_message_that_is_too_long_is_named) {
  EXPECT_EQ(split(SplitMode::whole, "12345", 2, 5), (Messages{"12345"}));
  EXPECT_EQ(
      test::expect_error(ErrorCode::limit, [] { (void)split(SplitMode::whole, "123456", 2, 5); }),
      "message 1 is longer than a message may be (5 bytes)");
  EXPECT_EQ(test::expect_error(ErrorCode::limit,
                               [] { (void)split(SplitMode::lines, "1\n123456", 2, 5); }),
            "line 2 is longer than a message may be (5 bytes)");
  EXPECT_EQ(test::expect_error(ErrorCode::limit,
                               [] { (void)split(SplitMode::tokens, "1 23456 7", 9, 5); }),
            "token 2 is longer than a message may be (5 bytes)");
}

}  // namespace
}  // namespace fairlead::tools

// Who writes how many log lines.
#include "state/event_log.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

class Log : public testing::Test {
 protected:
  void add(const std::string& source, const std::string& message) {
    log_.add({.level = LogLevel::info, .message = message, .source = source});
    log_.flush();
  }
  std::size_t count(const std::string& message) const {
    return static_cast<std::size_t>(std::count_if(
        lines_.begin(), lines_.end(), [&](const auto& line) { return line.starts_with(message); }));
  }

  std::uint64_t now_ = 1'000'000'000;
  std::vector<std::string> lines_;
  EventLog log_{[this](const LogRecord& record) { lines_.emplace_back(record.message); },
                LogLevel::info, [this] { return now_; }};
};

TEST_F(Log, one_source_does_not_hide_lines_about_another) {
  for (int each = 0; each < 1'000; ++each) add("uid 1", "loud");
  add("uid 2", "quiet");
  EXPECT_EQ(count("loud"), 50U);
  EXPECT_EQ(lines_.back(), "quiet (950 log lines before this one were dropped)");
  now_ += 1'000'000'000;
  for (int each = 0; each < 1'000; ++each) add("uid 1", "loud");
  EXPECT_EQ(count("loud"), 55U);
}

TEST_F(Log, all_sources_together_are_bounded_as_well) {
  for (int each = 0; each < 5'000; ++each) add("uid " + std::to_string(each), "one");
  EXPECT_EQ(count("one"), 200U);
  now_ += 1'000'000'000;
  for (int each = 0; each < 100; ++each) add("", "ours");
  EXPECT_EQ(count("ours"), 20U);
}

}  // namespace
}  // namespace fairlead::broker

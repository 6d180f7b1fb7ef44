// The broker's code touches no word of a guest's memory but through the accessor. (That the values
// come that way, too, tests/hostile shows: a name in between would hide from this reading.)
#include <gtest/gtest.h>

#include <algorithm>

#include "source_text.hpp"

namespace fairlead::test {
namespace {

bool names_guest_memory(std::string_view statement) {
  constexpr std::string_view kNames[] = {"cursors_.", "cursor(", "header_.tail"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view name) {
    return statement.find(name) != std::string_view::npos;
  });
}

bool is_allowed(std::string_view statement) {
  // The second: a lane's head, the one word with two writers. The third: its slots are loaded
  // below.
  constexpr std::string_view kWays[] = {"load_untrusted(", "compare_exchange_strong(",
                                        "const TicketSlot& slot : cursors_.tickets"};
  return std::any_of(std::begin(kWays), std::end(kWays), [&](std::string_view way) {
    return statement.find(way) != std::string_view::npos;
  });
}

TEST(UntrustedWords, the_broker_names_words_of_guests_within_the_accessor_only) {
  std::vector<std::string> files = sources_below("broker");
  files.insert(files.end(), {"shm/src/route_writer.cpp", "shm/src/route_writer_progress.cpp",
                             "shm/src/chunk_reclaimer.cpp"});
  std::size_t seen = 0;
  for (const std::string& file : files) {
    for (const std::string& statement : statements_of(split_comments(contents_of(file)))) {
      if (!names_guest_memory(statement)) continue;
      ++seen;
      EXPECT_TRUE(is_allowed(statement)) << file << ": " << statement;
    }
  }
  EXPECT_GE(seen, 18U);
}

}  // namespace
}  // namespace fairlead::test

// `fairlead doctor` as a process.
#include <sys/stat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST(DoctorCommand, has_one_line_per_finding_and_the_same_in_json) {
  const Ended text = run_to_end(fairlead({"doctor"}));
  EXPECT_EQ(text.error, "");
  std::istringstream lines(text.output);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_THAT(line, MatchesRegex("(ok  |warn|fail)  [a-z-]+ +.*[^ ]"));
  }
  const Ended json = run_to_end(fairlead({"doctor", "--json"}));
  EXPECT_EQ(json.code, text.code);
  const auto document = nlohmann::json::parse(json.output);
  EXPECT_EQ(document["format"], 1);
  EXPECT_GE(document["findings"].size(), 13U);
  for (const auto& finding : document["findings"]) {
    EXPECT_EQ(finding["status"] == "ok", finding["advice"] == "") << finding.dump();
  }
  EXPECT_EQ(document["status"] == "fail", json.code == 3);
  EXPECT_GE(count, 13U);
}

TEST(DoctorCommand, finds_what_is_wrong_with_another_directory) {
  const ScratchDirectory scratch;
  const Ended missing = run_to_end(fairlead({"doctor", "--directory", scratch.path_of("shm")}));
  EXPECT_EQ(missing.code, 3);
  EXPECT_THAT(missing.output, HasSubstr("fail  shared-memory     " + scratch.path_of("shm") +
                                        " is not there; mount it: "));
  ASSERT_EQ(::mkdir(scratch.path_of("shm").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo(scratch.path_of("shm/fairlead.gold.table").c_str(), 0600), 0);
  const Ended squatted = run_to_end(fairlead({"doctor", "--directory", scratch.path_of("shm")}));
  EXPECT_EQ(squatted.code, 3);
  EXPECT_THAT(squatted.output, HasSubstr("fail  segments          fairlead.gold.table is not what "
                                         "its name says: this is a FIFO"));
}

TEST(DoctorCommand, a_stale_socket_is_a_warning) {
  const ScratchDirectory scratch;
  ASSERT_EQ(::mkdir(scratch.path_of("fairlead").c_str(), 0700), 0);
  scratch.write("fairlead/main.sock", "no socket");
  const Ended ended =
      run_to_end(fairlead({"doctor"}), "", {.environment = {"XDG_RUNTIME_DIR=" + scratch.path()}});
  EXPECT_THAT(ended.output, HasSubstr("warn  sockets           " +
                                      scratch.path_of("fairlead/main.sock") + " is no socket"));
}

}  // namespace
}  // namespace fairlead::test

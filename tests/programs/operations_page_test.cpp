// docs/operations.md: its scripts do what it says, and its log lines are the broker's.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/child_process.hpp"
#include "support/program.hpp"
#include "support/raw_guest.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string page() { return text_of(fs::path(FAIRLEAD_SOURCE_DIR) / "docs" / "operations.md"); }

std::string script(const std::string& name) {
  const std::string text = page();
  const std::string head = "<!-- run: " + name + " -->\n```sh\n";
  const std::size_t start = text.find(head);
  EXPECT_NE(start, text.npos) << name;
  if (start == text.npos) return "exit 99";
  const std::size_t code = start + head.size();
  return text.substr(code, text.find("```", code) - code);
}

class OperationsPage : public testing::Test {
 protected:
  Ended run(const std::string& which, std::vector<std::string> environment = {}) const {
    environment.push_back("bin=" + fs::path(FAIRLEAD_PROGRAM).parent_path().string());
    environment.push_back("dir=" + scratch_.path());
    environment.push_back("name=" + name_);
    return run_to_end({"/bin/sh", "-c", script(which)}, {}, {.environment = environment});
  }
  bool anything_left() const {
    for (const auto& entry : fs::directory_iterator("/dev/shm"))
      if (entry.path().string().find("fairlead." + name_ + ".") != std::string::npos) return true;
    return fs::exists(scratch_.path_of("broker.sock"));
  }

  ScratchDirectory scratch_;
  std::string name_ = unique_broker_name();
};

TEST_F(OperationsPage, a_broker_lives_from_start_to_stop_as_it_says) {
  const Ended ended = run("life");
  EXPECT_EQ(ended.code, 0) << ended.error;
  EXPECT_THAT(ended.output, HasSubstr("broker " + name_ + ": running"));
  EXPECT_TRUE(ended.output.ends_with("hello\n")) << ended.output;
  EXPECT_FALSE(anything_left());
}

TEST_F(OperationsPage, a_squatted_name_is_told_as_it_says) {
  const Ended ended = run("squatted");
  EXPECT_THAT(ended.output, HasSubstr("exit code 4\n"));
  EXPECT_THAT(ended.output, HasSubstr("/dev/shm/fairlead." + name_ +
                                      ".table is not a regular file; no broker made it, it "
                                      "belongs to uid " +
                                      std::to_string(::geteuid())));
  EXPECT_FALSE(anything_left());
}

TEST_F(OperationsPage, a_poisoned_route_is_read_as_it_says) {
  const BrokerProcess broker;
  for (const auto backing : {shm::control::BackingWish::named, shm::control::BackingWish::sealed}) {
    Signal poisoned;
    Signal end;
    ChildProcess guest([&]() -> std::string {
      RawGuest raw(broker.socket());
      raw.hello();
      auto packet = raw.subscribe_packet("t");
      packet.backing = backing;
      const auto route = raw.subscribe(packet);
      const auto outbox = raw.open_outbox();
      raw.publish(*outbox, "t", "x");
      route->lane(0).head.store(1'000);
      raw.publish(*outbox, "t", "y");
      if (raw.receive().kind() != shm::control::Kind::ended) return "not poisoned";
      poisoned.send();
      return end.wait() ? "" : "lost";
    });
    ASSERT_TRUE(poisoned.wait()) << guest.result();
    const Ended ended = run("poisoned", {"guest=" + std::to_string(guest.pid())});
    EXPECT_EQ(ended.error, "");
    EXPECT_EQ(ended.code, 0);
    EXPECT_THAT(ended.output, HasSubstr("state      poisoned"));
    EXPECT_THAT(ended.output, HasSubstr("process " + std::to_string(guest.pid())));
    EXPECT_THAT(ended.output, HasSubstr("published 1 = delivered 0 + queued 1 + evicted 0"));
    fs::remove_all(scratch_.path_of("copies"));
    end.send();
    EXPECT_EQ(guest.result(), "");
  }
}

std::string sources_of_the_broker() {
  std::string all;
  for (const auto& entry :
       fs::recursive_directory_iterator(fs::path(FAIRLEAD_SOURCE_DIR) / "broker" / "src"))
    if (entry.path().extension() == ".cpp") all += text_of(entry.path());
  return all;
}

TEST_F(OperationsPage, the_log_lines_that_it_explains_are_the_broker_s) {
  const std::string sources = sources_of_the_broker();
  std::istringstream lines(page());
  bool inside = false;
  std::size_t rows = 0;
  std::vector<std::string> unknown;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("## ")) inside = line == "## The log";
    if (!inside || !line.starts_with("| `")) continue;
    ++rows;
    const std::string piece = line.substr(3, line.find('`', 3) - 3);
    if (sources.find(piece) == sources.npos) unknown.push_back(piece);
  }
  EXPECT_GE(rows, 10U);
  EXPECT_THAT(unknown, IsEmpty());
}

}  // namespace
}  // namespace fairlead::test

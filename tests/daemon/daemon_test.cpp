// fairlead-broker as people and service managers see it.
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <fairlead/shm/segment_name.hpp>

#include "daemon_process.hpp"
#include "support/child_process.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

std::string policy_of(std::string_view principal) {
  return "[[principal]]\nname = \"" + std::string(principal) + "\"\nuid = [" +
         std::to_string(::geteuid()) +
         "]\npublish = [\"*\"]\nsubscribe = [\"*\"]\nadmission = \"all\"\n";
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Daemon, SIGTERM_ends_it_and_leaves_nothing) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Daemon daemon;
    ASSERT_TRUE(daemon.ready());
    RawGuest guest(daemon.socket_path());
    guest.hello();
    const auto route = guest.subscribe("t");
    const auto outbox = guest.open_outbox();
    EXPECT_EQ(guest.publish(*outbox, "t", "x").taken.load(), 1U);
    EXPECT_EQ(daemon.segments().size(), 3U);
    daemon.signal(signal);
    EXPECT_FALSE(daemon.notified("STOPPING=1").empty());
    EXPECT_EQ(daemon.exit_code(), 0);
    EXPECT_TRUE(daemon.segments().empty());
    EXPECT_NE(::access(daemon.socket_path().c_str(), F_OK), 0);
    EXPECT_TRUE(guest.hung_up());
    EXPECT_EQ(route->payloads(), std::vector<std::string>({"x"}));
  }
}

TEST(Daemon, the_next_one_takes_over_or_removes_what_a_killed_one_left) {
  Daemon killed;
  ASSERT_TRUE(killed.ready());
  RawGuest guest(killed.socket_path());
  guest.hello();
  const auto route = guest.subscribe("t");
  killed.signal(SIGKILL);
  EXPECT_EQ(killed.exit_code(), 128 + SIGKILL);
  EXPECT_EQ(killed.segments().size(), 2U);
  Daemon next(
      {.arguments = {"--name", killed.name(), "--socket", killed.socket_path()}, .plain = true});
  ASSERT_TRUE(next.ready());
  EXPECT_EQ(killed.segments().size(), 2U) << "its own table, and a segment for the route";
  RawGuest again(killed.socket_path());
  EXPECT_EQ(again.hello().epoch, 2U);
  const auto later = again.subscribe("t");
  EXPECT_GT(later->answer.subscription, route->answer.subscription);
  next.signal(SIGTERM);
  EXPECT_EQ(next.exit_code(), 0);
  EXPECT_TRUE(killed.segments().empty());
}

TEST(Daemon, R34_with_hand_over_SIGTERM_leaves_the_routes_and_SIGINT_does_not) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Daemon daemon({.arguments = {"--hand-over"}});
    ASSERT_TRUE(daemon.ready());
    RawGuest guest(daemon.socket_path());
    guest.hello();
    const auto route = guest.subscribe("t");
    const auto outbox = guest.open_outbox();
    daemon.signal(signal);
    EXPECT_FALSE(daemon.notified("STOPPING=1").empty());
    EXPECT_EQ(daemon.exit_code(), 0);
    EXPECT_EQ(daemon.segments().size(), signal == SIGTERM ? 3U : 0U)
        << "the table, a route, and receipts";
    EXPECT_TRUE(guest.hung_up());
  }
}

TEST(Daemon, its_log_begins_with_where_it_listens_and_which_policy_holds) {
  for (const std::string& policy : {std::string(), policy_of("alice")}) {
    Daemon daemon({.policy = policy});
    ASSERT_TRUE(daemon.ready());
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.exit_code(), 0);
    const std::string line = "info: it listens on " + daemon.socket_path() +
                             (policy.empty() ? ", no policy file: only its own user may attach\n"
                                             : ", policy " + daemon.directory() + "/policy.toml\n");
    EXPECT_NE(daemon.standard_error().find(line), std::string::npos) << daemon.standard_error();
  }
}

TEST(Daemon, its_log_ends_with_who_was_thrown_out_and_why) {
  Daemon daemon;
  ASSERT_TRUE(daemon.ready());
  RawGuest honest(daemon.socket_path());
  honest.hello();
  RawGuest garbage(daemon.socket_path());
  garbage.send_bytes(std::as_bytes(std::span("garbage")));
  EXPECT_TRUE(garbage.hung_up());
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
  EXPECT_NE(daemon.standard_error().find(
                "served 2 connections: 0 attaches refused, 0 requests refused, 1 disconnected for "
                "what they sent or wrote, 0 for not reading, 0 for being late, 0 routes poisoned"),
            std::string::npos)
      << daemon.standard_error();
}

TEST(Daemon, an_abstract_notify_socket_is_told_the_same) {
  Daemon daemon({.abstract_notify_socket = true});
  EXPECT_EQ(daemon.notified("READY=1"), "READY=1\nSTATUS=serving on " + daemon.socket_path());
  daemon.signal(SIGHUP);
  EXPECT_FALSE(daemon.notified("RELOADING=1\nMONOTONIC_USEC=").empty());
  EXPECT_FALSE(daemon.notified("READY=1").empty());
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.notified("STOPPING=1"), "STOPPING=1");
  EXPECT_EQ(daemon.exit_code(), 0);
}

TEST(Daemon, SIGHUP_reloads_the_policy) {
  Daemon daemon({.policy = policy_of("alice")});
  ASSERT_TRUE(daemon.ready());
  daemon.write_policy(policy_of("bob"));
  daemon.signal(SIGHUP);
  const std::string reloading = daemon.notified("RELOADING=1");
  EXPECT_NE(reloading.find("MONOTONIC_USEC="), std::string::npos);
  EXPECT_FALSE(daemon.notified("READY=1").empty());
  EXPECT_EQ(RawGuest(daemon.socket_path()).hello().principal.view(), "bob");
}

TEST(Daemon, SIGHUP_with_a_bad_policy_keeps_the_old_one_and_says_why) {
  Daemon daemon({.policy = policy_of("alice")});
  ASSERT_TRUE(daemon.ready());
  daemon.write_policy("[[principal]\n");
  daemon.signal(SIGHUP);
  const std::string status = daemon.notified("READY=1\nSTATUS=");
  EXPECT_NE(status.find("the old policy stays: " + daemon.directory() + "/policy.toml:1:"),
            std::string::npos)
      << status;
  EXPECT_EQ(RawGuest(daemon.socket_path()).hello().principal.view(), "alice");
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.exit_code(), 0);
  EXPECT_NE(daemon.standard_error().find("error: the old policy stays: "), std::string::npos);
}

TEST(Daemon, a_bad_policy_at_the_start_is_exit_code_3) {
  Daemon daemon({.policy = "[[principal]]\nname = 7\nuid = \"self\"\n"});
  EXPECT_EQ(daemon.exit_code(), 3);
  const std::string text = daemon.standard_error();
  EXPECT_TRUE(text.starts_with("fairlead-broker: " + daemon.directory() + "/policy.toml:")) << text;
  EXPECT_EQ(lines(text), 1U);
  EXPECT_TRUE(daemon.segments().empty());
}

TEST(Daemon, a_policy_that_is_not_there_is_exit_code_3) {
  Daemon daemon({.arguments = {"--policy", "/nonexistent/policy.toml"}});
  EXPECT_EQ(daemon.exit_code(), 3);
  EXPECT_EQ(daemon.standard_error(),
            "fairlead-broker: there is no policy file '/nonexistent/policy.toml'\n");
}

TEST(Daemon, a_policy_without_a_name_is_exit_code_2_and_not_no_policy) {
  Daemon daemon({.arguments = {"--policy", ""}});
  EXPECT_EQ(daemon.exit_code(), 2);
  EXPECT_EQ(daemon.standard_error(),
            "fairlead-broker: --policy names no file; see fairlead-broker --help\n");
}

constexpr const char* kThreeProblems =
    "[[principal]]\nname = 7\nuid = \"self\"\nsubscibe = []\n[broker]\nspin_us = -1\n";

std::vector<std::size_t> lines_with_problems(const std::string& text, const std::string& start) {
  std::vector<std::size_t> found;
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) {
    const std::size_t at = line.find(start);
    if (at != line.npos) found.push_back(std::stoul(line.substr(at + start.size())));
  }
  return found;
}

TEST(Daemon, each_problem_of_a_policy_is_a_line_of_its_own) {
  const std::vector<std::size_t> places = {2, 4, 6};
  Daemon bad({.policy = kThreeProblems});
  EXPECT_EQ(bad.exit_code(), 3);
  EXPECT_EQ(lines_with_problems(bad.standard_error(),
                                "fairlead-broker: " + bad.directory() + "/policy.toml:"),
            places)
      << bad.standard_error();
  Daemon reloaded({.policy = policy_of("alice")});
  ASSERT_TRUE(reloaded.ready());
  reloaded.write_policy(kThreeProblems);
  reloaded.signal(SIGHUP);
  EXPECT_NE(reloaded.notified("READY=1\nSTATUS=").find("(and 2 more problems)"), std::string::npos);
  reloaded.signal(SIGTERM);
  EXPECT_EQ(reloaded.exit_code(), 0);
  EXPECT_EQ(
      lines_with_problems(reloaded.standard_error(),
                          "error: the old policy stays: " + reloaded.directory() + "/policy.toml:"),
      places)
      << reloaded.standard_error();
}

TEST(Daemon, a_name_that_is_taken_is_exit_code_4) {
  Daemon first;
  ASSERT_TRUE(first.ready());
  Daemon second({.arguments = {"--name", first.name(), "--socket", first.socket_path() + "2"},
                 .plain = true});
  EXPECT_EQ(second.exit_code(), 4);
  EXPECT_EQ(second.standard_error(),
            "fairlead-broker: a broker named " + first.name() + " is running already as process " +
                std::to_string(first.pid()) + "; stop it or choose another name\n");
  RawGuest(first.socket_path()).hello();
}

TEST(Daemon, a_socket_path_that_is_taken_is_exit_code_5) {
  Daemon first;
  ASSERT_TRUE(first.ready());
  Daemon second({.arguments = {"--name", first.name() + "b", "--socket", first.socket_path()},
                 .plain = true});
  EXPECT_EQ(second.exit_code(), 5);
  EXPECT_EQ(second.standard_error(),
            "fairlead-broker: socket path " + first.socket_path() +
                " is taken: a live broker listens there; stop it or use another path\n");
  EXPECT_EQ(first.segments().size(), 1U);
  RawGuest(first.socket_path()).hello();
}

TEST(Daemon, a_file_at_the_socket_path_is_exit_code_5_and_stays) {
  Daemon first;  // for its directory
  ASSERT_TRUE(first.ready());
  const std::string file = first.directory() + "/precious";
  std::ofstream(file) << "precious";
  Daemon second({.arguments = {"--name", first.name() + "b", "--socket", file}, .plain = true});
  EXPECT_EQ(second.exit_code(), 5);
  EXPECT_EQ(second.standard_error(), "fairlead-broker: socket path " + file +
                                         " is taken: there is a file that is no socket; remove "
                                         "it or use another path\n");
  EXPECT_EQ(std::filesystem::file_size(file), 8U);
}

TEST(Daemon, a_directory_that_is_missing_above_the_socket_is_named) {
  Daemon first;  // for its directory
  ASSERT_TRUE(first.ready());
  const std::string socket = first.directory() + "/a/b/c.sock";
  Daemon second({.arguments = {"--name", first.name() + "b", "--socket", socket}, .plain = true});
  EXPECT_EQ(second.exit_code(), 1);
  EXPECT_EQ(second.standard_error(), "fairlead-broker: cannot listen on " + socket +
                                         ": there is no directory " + first.directory() + "/a\n");
}

TEST(Daemon, a_segment_name_that_is_taken_is_exit_code_4) {
  const std::string name = unique_broker_name();
  const std::string table = shm::segment_path(shm::table_segment_name(name));
  std::ofstream(table) << std::string(8'192, 'x');
  ASSERT_EQ(::chmod(table.c_str(), 0644), 0);
  Daemon daemon(
      {.arguments = {"--name", name, "--socket", "/tmp/" + name + ".sock"}, .plain = true});
  EXPECT_EQ(daemon.exit_code(), 4);
  EXPECT_EQ(daemon.standard_error(),
            "fairlead-broker: segment " + table +
                " has mode 0644, expected mode 0600; no broker made it, it belongs to uid " +
                std::to_string(::geteuid()) + ": remove it with `rm " + table +
                "` or choose another name\n");
  EXPECT_EQ(::unlink(table.c_str()), 0);
}

TEST(Daemon, a_full_shared_memory_is_exit_code_6) {
  ChildProcess child([]() -> std::string {
    const std::string skipped = mount_own_shared_memory(4'096);
    if (!skipped.empty()) return skipped;
    std::ofstream("/dev/shm/filler") << std::string(4'096, '.');
    Daemon daemon;
    if (const int code = daemon.exit_code(); code != 6) return "exit code " + std::to_string(code);
    const std::string text = daemon.standard_error();
    const bool right = text.starts_with("fairlead-broker: no room for ") &&
                       text.ends_with(": /dev/shm is full; `df /dev/shm` shows it\n");
    return right && lines(text) == 1 ? "" : text;
  });
  const std::string said = child.result();
  if (said.starts_with(kSkipped)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

TEST(Daemon, wrong_options_are_exit_code_2_and_one_line) {
  const std::vector<std::vector<std::string>> wrong = {{"--nonsense"},
                                                       {"--log-level", "loud"},
                                                       {"--log-format", "xml"},
                                                       {"--name", "no/slash"},
                                                       {"--name"},
                                                       {"stray"}};
  for (const auto& arguments : wrong) {
    Daemon daemon({.arguments = arguments, .plain = true});
    EXPECT_EQ(daemon.exit_code(), 2) << arguments[0];
    EXPECT_TRUE(daemon.standard_error().starts_with("fairlead-broker: "));
    EXPECT_EQ(lines(daemon.standard_error()), 1U) << daemon.standard_error();
  }
}

TEST(Daemon, help_shows_an_example_and_version_the_version) {
  Daemon help({.arguments = {"--help"}, .plain = true});
  EXPECT_EQ(help.exit_code(), 0);
  EXPECT_NE(help.standard_output().find("Example: fairlead-broker --name main"), std::string::npos);
  Daemon version({.arguments = {"--version"}, .plain = true});
  EXPECT_EQ(version.exit_code(), 0);
  EXPECT_EQ(version.standard_output(), "fairlead-broker " FAIRLEAD_VERSION "\n");
}

TEST(Daemon, each_line_of_the_json_log_is_one_object_that_names_route_and_principal) {
  Daemon daemon({.arguments = {"--log-format", "json"}, .policy = policy_of("alice")});
  ASSERT_TRUE(daemon.ready());
  {
    RawGuest guest(daemon.socket_path());
    guest.hello();
    (void)guest.subscribe("a.*");
    daemon.signal(SIGTERM);
    EXPECT_EQ(daemon.exit_code(), 0);
  }
  std::istringstream text(daemon.standard_error());
  std::string line;
  bool found = false;
  while (std::getline(text, line)) {
    const auto entry = nlohmann::json::parse(line);
    EXPECT_TRUE(entry.contains("time") && entry.contains("level") && entry.contains("message"));
    if (!entry.contains("pattern")) continue;
    found = true;
    EXPECT_EQ(entry["pattern"], "a.*");
    EXPECT_EQ(entry["principal"], "alice");
    EXPECT_EQ(entry["subscription"], 1);
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace fairlead::test

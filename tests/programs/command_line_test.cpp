// What every subcommand has in common: help, version, errors in one line, man pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "support/program.hpp"

namespace fairlead::test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

const std::vector<std::string> kCommands = {"pub", "sub", "dump", "run", "doctor"};

class EveryCommand : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(CommandLine, EveryCommand, testing::ValuesIn(kCommands),
                         [](const auto& command) { return command.param; });

std::string man_page(const std::string& name) {
  std::ifstream file(std::string(FAIRLEAD_SOURCE_DIR) + "/tools/man/" + name + ".1");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "--json" and the like, as --help lists them.
std::set<std::string> long_options(const std::string& help) {
  std::set<std::string> options;
  const std::regex listed("\n +(-[a-z], )?--([a-z-]+)");
  for (std::sregex_iterator at(help.begin(), help.end(), listed), end; at != end; ++at) {
    options.insert((*at)[2]);
  }
  return options;
}

TEST_P(EveryCommand, help_shows_usage_an_example_and_the_exit_codes) {
  for (const char* option : {"--help", "-h"}) {
    const Ended ended = run_to_end(fairlead({GetParam(), option}));
    EXPECT_EQ(ended.code, 0);
    EXPECT_EQ(ended.error, "");
    EXPECT_THAT(ended.output, StartsWith("Usage: fairlead " + GetParam() + ' '));
    EXPECT_THAT(ended.output, HasSubstr("\nExample:\n  "));
    EXPECT_THAT(ended.output, HasSubstr("fairlead " + GetParam()));
    EXPECT_THAT(ended.output, HasSubstr("\nExit codes: "));
    std::istringstream lines(ended.output);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_LE(line.size(), 100U) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

TEST_P(EveryCommand, version_is_told) {
  const Ended ended = run_to_end(fairlead({GetParam(), "--version"}));
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.output, "fairlead " + GetParam() + ' ' + FAIRLEAD_VERSION + '\n');
}

TEST_P(EveryCommand, an_unknown_option_is_one_line_and_the_code_for_usage) {
  const Ended ended = run_to_end(fairlead({GetParam(), "--no-such-option"}));
  EXPECT_EQ(ended.code, GetParam() == "run" ? 125 : 2);
  EXPECT_EQ(ended.output, "");
  EXPECT_THAT(ended.error, StartsWith("fairlead " + GetParam() + ": "));
  EXPECT_THAT(ended.error, HasSubstr("no-such-option"));
  EXPECT_THAT(ended.error, testing::EndsWith("(see fairlead " + GetParam() + " --help)\n"));
  EXPECT_EQ(std::count(ended.error.begin(), ended.error.end(), '\n'), 1);
}

TEST_P(EveryCommand, the_man_page_describes_every_option_of_help) {
  const std::string help = run_to_end(fairlead({GetParam(), "--help"})).output;
  const std::string page = man_page("fairlead-" + GetParam());
  ASSERT_FALSE(page.empty());
  const auto options = long_options(help);
  EXPECT_GE(options.size(), 3U);
  for (const std::string& option : options) {
    EXPECT_THAT(page, HasSubstr("Fl -" + option)) << option;
  }
  EXPECT_THAT(page, HasSubstr(".Sh EXAMPLES"));
  EXPECT_THAT(page, HasSubstr(".Sh EXIT STATUS"));
}

TEST_P(EveryCommand, the_man_page_describes_no_option_that_is_not_there) {
  const auto options = long_options(run_to_end(fairlead({GetParam(), "--help"})).output);
  const std::string page = man_page("fairlead-" + GetParam());
  const std::regex described("\n\\.It Fl (?:[a-z] , Fl )?-([a-z-]+)");
  for (std::sregex_iterator at(page.begin(), page.end(), described), end; at != end; ++at) {
    EXPECT_TRUE(options.contains((*at)[1])) << (*at)[1];
  }
}

TEST(CommandLine, the_program_itself_has_help_and_version) {
  const Ended help = run_to_end(fairlead({"--help"}));
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.output, HasSubstr("\nExample:\n"));
  for (const std::string& command : kCommands) {
    EXPECT_THAT(help.output, HasSubstr("\n  " + command + ' '));
    EXPECT_THAT(man_page("fairlead"), HasSubstr("fairlead-" + command));
  }
  EXPECT_EQ(run_to_end(fairlead({"--version"})).output,
            std::string("fairlead ") + FAIRLEAD_VERSION + '\n');
}

TEST(CommandLine, no_command_and_an_unknown_one_are_wrong_usage) {
  const Ended none = run_to_end(fairlead({}));
  EXPECT_EQ(none.code, 2);
  EXPECT_EQ(none.error, "fairlead: which command? (see fairlead --help)\n");
  const Ended unknown = run_to_end(fairlead({"pubb"}));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.error, "fairlead: there is no command 'pubb' (see fairlead --help)\n");
  const Ended option = run_to_end(fairlead({"--pub"}));
  EXPECT_EQ(option.code, 2);
  EXPECT_EQ(option.error, "fairlead: there is no option '--pub' (see fairlead --help)\n");
}

struct WrongUsage {
  std::vector<std::string> arguments;
  const char* sentence;
};

TEST(CommandLine, wrong_arguments_are_told_before_anything_is_done) {
  const std::vector<WrongUsage> cases = {
      {{"pub"}, "which topic?"},
      {{"pub", "a..b"}, "'a..b' is no topic: "},
      {{"pub", "a.*"}, "'a.*' is no topic: "},
      {{"pub", "t", "file", "more"}, "'more' is one file too many"},
      {{"pub", "t", "--lines", "--tokens"}, "--lines and --tokens exclude each other"},
      {{"pub", "t", "--rate", "0"}, "--rate takes messages per second"},
      {{"pub", "t", "--block", "x"}, "--block takes seconds"},
      {{"pub", "t", "--principal", "a b"}, "'a b' is no principal: "},
      {{"pub", "t", "--socket", "x", "--broker", "y"}, "exclude each other"},
      {{"pub", "t", "--broker", "a/b"}, "'a/b' is no broker's name"},
      {{"pub", "t", "--principal"}, "principal"},
      {{"sub"}, "which pattern?"},
      {{"sub", "a.*b"}, "'a.*b' is no pattern: "},
      {{"sub", "a", "b"}, "'b' is one pattern too many"},
      {{"sub", "a", "--json", "--raw"}, "exclude each other"},
      {{"sub", "a", "--count", "0"}, "--count takes a number from 1 on"},
      {{"sub", "a", "--timeout", "-1"}, "--timeout takes seconds"},
      {{"sub", "a", "--admission", "some"}, "--admission takes all, exactly:P or or-system:P"},
      {{"sub", "a", "--policy", "newest"}, "--policy takes oldest-head, fair-share or reject"},
      {{"sub", "a", "--budget", "1T"}, "--budget takes bytes"},
      {{"dump", "main"}, "nothing to do with 'main'"},
      {{"dump", "--broker", "a.b"}, "'a.b' is no broker's name"},
      {{"dump", "--lanes", "none"}, "--lanes takes a number"},
      {{"doctor", "now"}, "nothing to do with 'now'"},
  };
  for (const WrongUsage& wrong : cases) {
    const Ended ended = run_to_end(fairlead(wrong.arguments));
    EXPECT_EQ(ended.code, 2) << wrong.sentence;
    EXPECT_EQ(ended.output, "");
    EXPECT_THAT(ended.error, HasSubstr(wrong.sentence));
    EXPECT_EQ(std::count(ended.error.begin(), ended.error.end(), '\n'), 1) << ended.error;
  }
}

TEST(CommandLine, a_broker_that_is_not_there_is_one_line) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"pub", "t", "--socket", "/tmp/fairlead-no-such.sock"},
           {"sub", "t", "--socket", "/tmp/fairlead-no-such.sock"}}) {
    const Ended ended = run_to_end(fairlead(arguments));
    EXPECT_EQ(ended.code, 1);
    EXPECT_EQ(ended.error, "fairlead " + arguments.front() +
                               ": no broker listens on /tmp/fairlead-no-such.sock\n");
  }
}

TEST(CommandLine, the_usual_place_of_a_brokers_socket_is_found) {
  const ScratchDirectory scratch;
  const Ended ended = run_to_end(fairlead({"sub", "t", "--broker", "gold"}), "",
                                 {.environment = {"XDG_RUNTIME_DIR=" + scratch.path()}});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.error, HasSubstr(scratch.path() + "/fairlead/gold.sock"));
}

}  // namespace
}  // namespace fairlead::test

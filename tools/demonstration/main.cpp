// Programs of `tools/demo`: feed, check and table. Not installed.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>
#include <cxxopts.hpp>

#include <fairlead/shm/error.hpp>

#include "check.hpp"
#include "feed.hpp"
#include "table.hpp"

namespace demonstration = fairlead::demonstration;

namespace {

cxxopts::Options describe() {
  cxxopts::Options options(
      "fairlead-demo",
      "Parts of tools/demo\n\nExample: fairlead-demo check --name one --socket /tmp/s --file TEXT");
  // clang-format off
  options.add_options()
      ("part", "feed, check or table", cxxopts::value<std::string>())
      ("results", "table: results of check", cxxopts::value<std::vector<std::string>>())
      ("socket", "the broker's socket; check: inherited descriptor without it",
       cxxopts::value<std::string>()->default_value(""))
      ("file", "the text that is streamed", cxxopts::value<std::string>()->default_value(""))
      ("principals", "how many stream it", cxxopts::value<std::size_t>()->default_value("100"))
      ("flood", "feed: the flooder's messages per message of one principal",
       cxxopts::value<std::size_t>()->default_value("100"))
      ("seconds", "feed: how long the quiet streams take", cxxopts::value<double>()->default_value("8"))
      ("name", "check: this guest's name", cxxopts::value<std::string>()->default_value("guest"))
      ("principal", "check: attach as", cxxopts::value<std::string>()->default_value(""))
      ("result", "check: file for the result, - is standard output",
       cxxopts::value<std::string>()->default_value("-"))
      ("nap", "check: be slow, sleep so many milliseconds after every 20,000 messages",
       cxxopts::value<std::uint64_t>()->default_value("0"))
      ("linger", "check: stay attached until standard input ends")
      ("help", "this text");
  // clang-format on
  options.parse_positional({"part", "results"});
  options.positional_help("feed|check|table [RESULTS...]");
  return options;
}

int run(const cxxopts::ParseResult& given) {
  const auto text = [&](const char* name) { return given[name].as<std::string>(); };
  const std::string part = given.count("part") != 0 ? text("part") : "";
  if (part == "feed") {
    return demonstration::feed({.socket = text("socket"),
                                .file = text("file"),
                                .principals = given["principals"].as<std::size_t>(),
                                .flood = given["flood"].as<std::size_t>(),
                                .seconds = given["seconds"].as<double>()});
  }
  if (part == "check") {
    demonstration::CheckOptions options;
    options.name = text("name");
    options.socket = text("socket");
    options.principal = text("principal");
    options.file = text("file");
    options.result = text("result");
    options.principals = given["principals"].as<std::size_t>();
    options.nap_milliseconds = given["nap"].as<std::uint64_t>();
    options.linger = given.count("linger") != 0;
    return demonstration::check(options);
  }
  if (part == "table") return demonstration::table(given["results"].as<std::vector<std::string>>());
  throw fairlead::Error(fairlead::ErrorCode::invalid_argument,
                        "say feed, check or table; see --help");
}

}  // namespace

int main(int count, char** arguments) {
  try {
    cxxopts::Options options = describe();
    const cxxopts::ParseResult given = options.parse(count, arguments);
    if (given.count("help") != 0) {
      std::cout << options.help() << std::endl;
      return 0;
    }
    return run(given);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fairlead-demo: %s\n", error.what());
    return 2;
  }
}

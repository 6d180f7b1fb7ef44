#include "program_scene.hpp"

#include <poll.h>

#include <algorithm>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "beside_a_broker.hpp"

namespace fairlead::test {
namespace {

using Words = std::vector<std::string>;

// A program that publishes the lines of the file, by whatever way.
class Publishing : public BesideABroker {
 public:
  using BesideABroker::BesideABroker;

 private:
  void prepare() override {
    guest_ = attach("copier");
    route_ = guest_->subscribe("copy.*");
  }
  void look_at(const std::string&, bool complete, Outcome& outcome) override {
    Words got;
    for (guest::Batch batch = route_->drain(); !batch.empty(); batch = route_->drain()) {
      for (const auto& message : batch) got.emplace_back(message.text());
    }
    const Words all = lines_of_file();
    if (got.size() > all.size() || !std::equal(got.begin(), got.end(), all.begin()))
      outcome.problems.push_back("what it published is not the file's beginning");
    if (complete && got.size() != all.size())
      outcome.problems.push_back("it ended well without having published all");
  }

  std::optional<guest::Guest> guest_;
  std::optional<guest::Subscription> route_;
};

class RunScene : public Publishing {
 public:
  using Publishing::Publishing;

 private:
  [[nodiscard]] Words speakers() const override {
    return {"fairlead run", "fairlead pub", "fairlead"};
  }
  // Of the command the loader may have something to say.
  [[nodiscard]] bool says_enough(const TraceReport& report,
                                 const std::string& said) const override {
    return said.find(": error while loading shared libraries: ") != std::string::npos ||
           BesideABroker::says_enough(report, said);
  }
  [[nodiscard]] bool documented(int code) const override {
    return BesideABroker::documented(code) || (code >= 125 && code <= 127);
  }
};

class SubScene : public BesideABroker {
 public:
  using BesideABroker::BesideABroker;

 private:
  void prepare() override {
    guest_ = attach("feeder");
    publisher_ = guest_->publisher();
  }
  // Until it has enough: it says so by ending.
  void meanwhile(TracedProgram& program) override {
    pollfd ended{program.ended_descriptor(), POLLIN, 0};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    do {
      const std::string text = "line " + std::to_string(++number_);
      (void)publisher_->publish("feed.x", text);
    } while (::poll(&ended, 1, 1) == 0 && std::chrono::steady_clock::now() < deadline);
  }
  void look_at(const std::string& output, bool complete, Outcome& outcome) override {
    std::istringstream lines(output);
    int count = 0;
    long last = 0;
    for (std::string line; std::getline(lines, line); ++count) {
      const long number = line.starts_with("line ") ? std::stol(line.substr(5)) : -1;
      if (number < 0 || (last != 0 && number != last + 1))
        outcome.problems.push_back("it printed something else than was published");
      last = number;
    }
    // A reader of its output that has gone is a good reason to end, too.
    if (complete && count != 5 && outcome.report.code == 0 && !reader_gone(outcome))
      outcome.problems.push_back("it ended well with " + std::to_string(count) + " lines");
  }
  [[nodiscard]] static bool reader_gone(const Outcome& outcome) { return outcome.struck_by_pipe; }

  std::optional<guest::Guest> guest_;
  std::optional<guest::Publisher> publisher_;
  int number_ = 0;
};

class DumpScene : public BesideABroker {
 public:
  using BesideABroker::BesideABroker;

 private:
  // Code 3: what is not well is in what it prints.
  [[nodiscard]] bool says_enough(const TraceReport& report,
                                 const std::string& said) const override {
    return report.code == 3 || BesideABroker::says_enough(report, said);
  }
  void look_at(const std::string& output, bool complete, Outcome& outcome) override {
    if (outcome.report.code == 1 || outcome.struck_by_pipe) return;
    const auto json = nlohmann::json::parse(output, nullptr, false);
    if (json.is_discarded()) return outcome.problems.push_back("it printed no JSON");
    if (!complete && json.dump().find("problems") == std::string::npos)
      outcome.problems.push_back("something is not well, it says, and not what");
    if (!complete) return;
    const auto& brokers = json["brokers"];
    const std::size_t segments = brokers.size() == 1 ? brokers[0]["segments"].size() : 0;
    if (shown_ == 0) shown_ = segments;
    const bool wrong = brokers[0]["state"] != "running" && brokers[0]["state"] != "unknown";
    if (segments != shown_ || wrong)
      outcome.problems.push_back("all is well, it says, and shows " + output);
  }

  std::size_t shown_ = 0;
};

class GuestScene : public BesideABroker {
 public:
  using BesideABroker::BesideABroker;

 private:
  [[nodiscard]] Words speakers() const override { return {"busy_guest"}; }
  void look_at(const std::string& output, bool complete, Outcome& outcome) override {
    if (complete && output != "all done\n") outcome.problems.push_back("it was not done");
  }
};

template <class Each>
std::unique_ptr<Scene> make(const char* name, Words words) {
  return std::make_unique<Each>(name, std::move(words));
}

using Maker = std::function<std::unique_ptr<Scene>()>;

const std::map<std::string, Maker>& makers() {
  static const std::string busy = std::string(FAIRLEAD_HELPERS_DIR) + "/busy_guest";
  static const std::map<std::string, Maker> all = {
      {"pub",
       [] {
         return make<Publishing>("pub", {"PROGRAM", "pub", "copy.x", "--lines", "--principal",
                                         "alice", "--socket", "SOCKET", "FILE"});
       }},
      {"run",
       [] {
         return make<RunScene>("run", {"PROGRAM", "run", "--principal", "bob", "--socket", "SOCKET",
                                       "--", "PROGRAM", "pub", "copy.x", "--lines", "FILE"});
       }},
      {"sub",
       [] {
         return make<SubScene>(
             "sub", {"PROGRAM", "sub", "feed.*", "--lines", "--count", "5", "--socket", "SOCKET"});
       }},
      {"dump",
       [] {
         return make<DumpScene>("dump", {"PROGRAM", "dump", "--json", "--broker", "BROKER"});
       }},
      {"guest",
       [] {
         return make<GuestScene>("guest", {busy, "SOCKET"});
       }},
  };
  return all;
}

}  // namespace

std::vector<std::string> program_scenes() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : makers()) names.push_back(name);
  return names;
}

std::unique_ptr<Scene> make_program_scene(const std::string& name) { return makers().at(name)(); }

}  // namespace fairlead::test

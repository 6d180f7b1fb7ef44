#include "broker_scene.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <regex>
#include <sstream>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "dump/machine_reader.hpp"
#include "party.hpp"
#include "support/program.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

constexpr auto kPatienceOfScene = std::chrono::seconds(20);
constexpr std::size_t kSmall = 100;
constexpr std::size_t kLarge = 200'000;  // makes the routes grow

std::string policy_text() {
  const std::string user = std::to_string(::geteuid());
  return "[[principal]]\nname = \"*\"\nuid = " + user +
         "\nminted = true\npublish = [\"*\"]\nsubscribe = [\"*\"]\nadmission = \"all\"\n"
         "[[minter]]\nuid = " +
         user + "\nnames = [\"*\"]\n";
}

std::vector<std::string> segments_of(const std::string& broker) {
  std::vector<std::string> files;
  for (const shm::ListedSegment& listed : shm::list_segments()) {
    if (listed.file.starts_with("fairlead." + broker + ".")) files.push_back(listed.file);
  }
  return files;
}

// One broker of a name of its own and all that is seen of it.
class BrokerRun {
 public:
  BrokerRun(TraceOptions trial, const Strictness& strictness, bool succeeds)
      : strictness_(strictness), succeeds_(succeeds) {
    command_ = {FAIRLEAD_BROKER_PROGRAM, "--name", name_, "--socket", socket()};
    command_.insert(command_.end(), {"--policy", scratch_.write("policy.toml", policy_text())});
    trial.command = command_;
    trial_ = std::move(trial);
  }

  Outcome play() {
    bool served = false;
    std::optional<Party> party_before;
    if (succeeds_) party_before.emplace(socket(), !strictness_.whole_process);
    if (succeeds_) live_before(*party_before);
    program_ = std::make_unique<TracedProgram>(std::move(trial_));
    if (succeeds_ && !begins()) return end_with_another(*party_before);
    if (program_->wait_until_listening()) {
      Party party_now(socket(), !strictness_.whole_process);
      Party& party = succeeds_ ? *party_before : party_now;
      if (succeeds_) {
        live_on(party);
      } else {
        play(party);
      }
      served = party.welcomed();
      if (served) {
        outcome_.sufferers = party.sufferers();
        outcome_.problems = party.problems();
        if (program_->ended()) problem("the broker has ended");
      }
      program_->signal(SIGHUP);
      program_->signal(SIGTERM);
    }
    outcome_.report = program_->finish(kPatienceOfScene);
    outcome_.said = program_->error();
    party_before.reset();
    judge(served);
    return std::move(outcome_);
  }

 private:
  // Whether it lets somebody in; else it has ended.
  [[nodiscard]] bool begins() const {
    if (!program_->wait_until_listening()) return false;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!program_->ended() && std::chrono::steady_clock::now() < deadline) {
      try {
        (void)guest::Guest::attach(
            {.socket_path = socket(), .principal = "prober", .timeout = patience_});
        return true;
      } catch (const Error& error) {
        if (error.code() != ErrorCode::broker_gone && error.code() != ErrorCode::disconnected)
          return true;  // it lives, and the failure is this one's
        (void)::poll(nullptr, 0, 1);
      }
    }
    return !program_->ended();
  }
  // Nobody may notice that one between the first and the last did not begin.
  Outcome end_with_another(Party& party) {
    outcome_.report = program_->finish(kPatienceOfScene);
    outcome_.said = program_->error();
    judge_end(false);
    TraceOptions next;
    next.command = command_;
    program_ = std::make_unique<TracedProgram>(std::move(next));
    if (!program_->wait_until_listening()) problem("the next broker does not begin");
    live_on(party);
    for (const std::string& each : party.sufferers()) problem("with the next broker: " + each);
    for (const std::string& each : party.problems()) problem("with the next broker: " + each);
    program_->signal(SIGTERM);
    (void)program_->finish(kPatienceOfScene);
    for (const std::string& each : left()) problem("the next broker left " + each);
    return std::move(outcome_);
  }
  // A broker that is killed while guests have much to get.
  void live_before(Party& party) const {
    TraceOptions first;
    first.command = command_;
    TracedProgram before(std::move(first));
    if (!before.wait_until_listening()) problem("the first broker does not begin");
    party.add_reader("first", {.backing = guest::Backing::named});
    party.add_reader("second",
                     {.backing = guest::Backing::sealed, .staged = true, .descriptor = true});
    party.add_writer();
    party.publish(kSmall);
    before.signal(SIGKILL);
    (void)before.finish(kPatienceOfScene);
  }
  void live_on(Party& party) const {
    for (const std::size_t bytes : {kSmall, kLarge, kSmall}) party.publish(bytes);
    look_at_sums();
    party.publish(kSmall);
    party.leave();
  }
  void play(Party& party) const {
    party.add_reader("first", {.backing = guest::Backing::named});
    party.add_reader("second",
                     {.backing = guest::Backing::sealed, .staged = true, .descriptor = true});
    party.add_writer();
    for (const std::size_t bytes : {kSmall, kSmall, kLarge, kSmall, kLarge, kSmall})
      party.publish(bytes);
    party.visitor("visitor", [](guest::Guest& guest) {
      guest::Subscription route = guest.subscribe("visit", {.staged = true});
      guest.open_gate();
      guest.retire_gate();
      guest.unsubscribe(std::move(route));
    });
    party.publish(kSmall);
    be_rude();
    mint();
    look_at_sums();
    party.publish(kSmall);
    party.leave();
  }

  // Neither of these is owed anything.
  void be_rude() const {
    try {
      const auto limit = patience_;
      const shm::UniqueFd silent = shm::connect_control(socket(), limit);
      const shm::UniqueFd babbler = shm::connect_control(socket(), limit);
      const std::string garbage(100, 'x');
      (void)shm::send_packet(babbler.get(), std::as_bytes(std::span(garbage)), {});
    } catch (const Error&) {
    }
  }
  void mint() const {
    try {
      const shm::UniqueFd minted = guest::connect_as(socket(), "minted", patience_);
    } catch (const Error&) {
    }
  }
  void look_at_sums() const {
    tools::dump::MachineOptions options;
    options.broker = name_;
    options.monotonic_now_ns = shm::monotonic_ns();
    options.realtime_now_ns = shm::realtime_ns();
    for (const auto& broker : tools::dump::read_machine(options).brokers) {
      for (const auto& segment : broker.segments) {
        const auto* route = segment.route();
        if (route != nullptr && route->messages.known && !route->messages.holds)
          problem("published is not delivered + queued + evicted");
      }
    }
  }

  void judge(bool served) {
    judge_end(served);
    if (!outcome_.report.places.empty()) look_for_leftovers();
  }

  void judge_end(bool served) {
    const TraceReport& report = outcome_.report;
    const int code = report.code;
    if (report.places.empty()) return;  // too little for the loader: nothing of ours has run
    if (report.hung) problem("it hung");
    if (code > 6 || code == 2) problem("it ended with code " + std::to_string(code));
    if (code != 0 && !last_words()) problem("it ended without a word");
    if (served && code != 0 && !strictness_.whole_process)
      problem("it ended with code " + std::to_string(code) + " though it had begun");
    if (!served && code == 0 && !strictness_.whole_process)
      problem("it ended well without having served");
    if (strictness_.unnoticed && (code != 0 || !outcome_.sufferers.empty()))
      problem("it was noticed");
    if (!strictness_.whole_process && parties() > 1) problem("more than one suffered");
  }

  // Where it could not look or remove, the next broker does.
  void look_for_leftovers() {
    if (left().empty()) return;
    // What a dead broker left stays for one that begins.
    if (!strictness_.leftovers_allowed && !(succeeds_ && outcome_.report.code != 0)) {
      for (const std::string& each : left()) problem("left " + each);
    }
    TraceOptions next;
    next.command = command_;
    program_ = std::make_unique<TracedProgram>(std::move(next));
    if (!program_->wait_until_listening()) problem("the next broker does not begin");
    program_->signal(SIGTERM);
    (void)program_->finish(kPatienceOfScene);
    for (const std::string& each : left()) {
      problem("the next broker left " + each);
      ::unlink(each.c_str());
    }
  }
  [[nodiscard]] std::vector<std::string> left() const {
    std::vector<std::string> paths;
    for (const std::string& each : segments_of(name_)) paths.push_back(shm::segment_path(each));
    if (std::filesystem::exists(socket())) paths.push_back(socket());
    return paths;
  }

  [[nodiscard]] std::size_t parties() const {
    std::set<std::string> names;
    for (const std::string& each : outcome_.sufferers) names.insert(each.substr(0, each.find(':')));
    return names.size();
  }
  [[nodiscard]] bool last_words() const {
    const std::size_t at = outcome_.said.find("fairlead-broker: ");
    return at != std::string::npos && outcome_.said.back() == '\n';
  }
  void problem(std::string sentence) const { outcome_.problems.push_back(std::move(sentence)); }
  [[nodiscard]] std::string socket() const { return scratch_.path_of("socket"); }

  const Strictness strictness_;
  const bool succeeds_;
  TraceOptions trial_;
  const std::chrono::nanoseconds patience_ =
      std::chrono::milliseconds(strictness_.whole_process ? 300 : 10'000);
  const std::string name_ = unique_broker_name();
  ScratchDirectory scratch_;
  std::vector<std::string> command_;
  std::unique_ptr<TracedProgram> program_;
  mutable Outcome outcome_;
};

}  // namespace

Outcome BrokerScene::run(TraceOptions trial, const Strictness& strictness) {
  return BrokerRun(std::move(trial), strictness, succeeds_).play();
}

}  // namespace fairlead::test

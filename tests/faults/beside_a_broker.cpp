#include "beside_a_broker.hpp"

#include <poll.h>
#include <sys/syscall.h>

#include <filesystem>

namespace fairlead::test {
namespace {

constexpr auto kPatienceBeside = std::chrono::seconds(12);
constexpr int kLines = 12;

bool soon(const std::function<bool()>& wanted) {
  const auto deadline = std::chrono::steady_clock::now() + kPatienceBeside;
  while (std::chrono::steady_clock::now() < deadline) {
    if (wanted()) return true;
    (void)::poll(nullptr, 0, 1);  // the broker needs the processor
  }
  return false;
}

std::string replaced(std::string word, const std::string& what, const std::string& with) {
  const std::size_t at = word.find(what);
  return at == std::string::npos ? word : word.replace(at, what.size(), with);
}

}  // namespace

std::vector<std::string> BesideABroker::lines_of_file() {
  std::vector<std::string> lines;
  for (int number = 1; number <= kLines; ++number) lines.push_back(numbered_payload(number, 70));
  return lines;
}

BesideABroker::BesideABroker(std::string name, std::vector<std::string> words)
    : name_(std::move(name)), words_(std::move(words)) {
  std::string text;
  for (const std::string& line : lines_of_file()) text += line + '\n';
  file_ = scratch_.write("lines", text);
}

std::vector<std::string> BesideABroker::command() const {
  std::vector<std::string> out;
  for (std::string word : words_) {
    word = replaced(word, "SOCKET", socket());
    word = replaced(word, "BROKER", broker());
    word = replaced(word, "PROGRAM", FAIRLEAD_PROGRAM);
    out.push_back(replaced(word, "FILE", file_));
  }
  return out;
}

// Before it knows its command, it is "fairlead".
std::vector<std::string> BesideABroker::speakers() const {
  return {"fairlead " + name_, "fairlead"};
}

std::size_t BesideABroker::open_files() const {
  const std::string folder = "/proc/" + std::to_string(broker_.program().pid()) + "/fd";
  const std::filesystem::directory_iterator files(folder);
  return static_cast<std::size_t>(std::distance(files, std::filesystem::directory_iterator()));
}

void BesideABroker::begin() {
  party_.emplace(socket());
  party_->add_reader("looker-on", {});
  party_->add_writer();
  party_->publish(100);
  prepare();
  segments_ = broker_.segments().size();
  open_files_ = open_files();  // or one more, that it has just sent and closes now
}

Outcome BesideABroker::run(TraceOptions trial, const Strictness& strictness) {
  if (!party_) begin();
  trial.command = command();
  Outcome outcome;
  TracedProgram program(trial);
  meanwhile(program);
  outcome.report = program.finish(kPatienceBeside);
  outcome.said = program.error();
  outcome.struck_by_pipe = trial.fault && trial.fault->error == EPIPE;
  if (outcome.report.places.empty()) return outcome;  // too little for the loader
  judge(outcome, trial, strictness);
  look_at(program.output(), outcome.report.code == 0, outcome);
  return outcome;
}

void BesideABroker::judge(Outcome& outcome, const TraceOptions& trial,
                          const Strictness& strictness) {
  const auto problem = [&](std::string sentence) {
    outcome.problems.push_back(std::move(sentence));
  };
  const int code = outcome.report.code;
  if (outcome.report.hung) problem("it hung");
  if (!documented(code)) problem("it ended with code " + std::to_string(code));
  if (code != 0) outcome.sufferers.insert("the program: code " + std::to_string(code));
  const bool mute = trial.fault && trial.fault->call == SYS_write;
  if (code != 0 && !mute && !says_enough(outcome.report, outcome.said))
    problem("it did not say what is wrong in lines of its own");
  if (strictness.unnoticed && code != 0) problem("it was noticed");
  party_->publish(100);
  for (const std::string& each : party_->sufferers()) problem("somebody else suffered: " + each);
  for (const std::string& each : party_->problems()) problem(each);
  if (!soon([&] { return broker_.segments().size() <= segments_; }))
    problem("segments: " + std::to_string(broker_.segments().size()) + " instead of " +
            std::to_string(segments_));
  if (!soon([&] { return open_files() <= open_files_; }))
    problem("descriptors of the broker: " + std::to_string(open_files()) + " instead of " +
            std::to_string(open_files_));
}

}  // namespace fairlead::test

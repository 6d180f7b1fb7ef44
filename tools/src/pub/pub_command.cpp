#include "pub/pub_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

#include "broker_options.hpp"
#include "command_line.hpp"
#include "io/stop_signals.hpp"
#include "program.hpp"
#include "pub/message_splitter.hpp"
#include "pub/publish_run.hpp"
#include "text/quantity.hpp"

namespace fairlead::tools {
namespace {

constexpr const char* kName = "fairlead pub";

constexpr const char* kPurpose =
    "Publishes a file, or standard input, on TOPIC: all of it as one message unless told "
    "otherwise.\n"
    "At the end it says on standard error what became of the messages: how many deliveries there\n"
    "were, which are messages times matching routes, and how many of them the routes took or "
    "refused.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead pub agent.v1.stream --principal alice --tokens /usr/share/common-licenses/GPL-3\n"
    "  journalctl -f | fairlead pub host.log --lines\n"
    "\n"
    "Exit codes: 0 every matching route took every message (or none matched), 1 failed (also: the\n"
    "broker has ended, or was not back in time), 2 wrong command line, 3 a message was refused or\n"
    "not published, 128+N ended by signal N.\n";

struct Arguments {
  std::string topic;
  std::string file = "-";
  SplitMode mode = SplitMode::whole;
};

Arguments arguments_of(const CommandLine& line) {
  const auto& operands = line.operands();
  if (operands.empty()) throw UsageError("which topic?");
  if (operands.size() > 2) throw UsageError("'" + operands[2] + "' is one file too many");
  Arguments arguments;
  arguments.topic = operands[0];
  if (operands.size() == 2) arguments.file = operands[1];
  if (line.has("lines") && line.has("tokens")) {
    throw UsageError("--lines and --tokens exclude each other");
  }
  if (line.has("lines")) arguments.mode = SplitMode::lines;
  if (line.has("tokens")) arguments.mode = SplitMode::tokens;
  const auto problem = shm::check_topic(arguments.topic);
  if (problem != shm::TopicProblem::none) {
    throw UsageError("'" + arguments.topic + "' is no topic: " + std::string(sentence_of(problem)));
  }
  return arguments;
}

shm::UniqueFd open_input(const std::string& file) {
  const int descriptor = file == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                     : ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (descriptor < 0) throw_system("cannot read " + (file == "-" ? "standard input" : file));
  return shm::UniqueFd(descriptor);
}

// How often to look after the broker while there is nothing to read.
constexpr int kIdleMilliseconds = 500;

// Until the input ends or a signal comes.
void read_all(int input, const std::string& file, const StopSignals& signals,
              MessageSplitter& splitter, PublishRun& run) {
  std::array<char, 64 * 1024> buffer;
  std::array<pollfd, 2> entries = {{{input, POLLIN, 0}, {signals.descriptor(), POLLIN, 0}}};
  while (signals.received() == 0) {
    const int ready = ::poll(entries.data(), entries.size(), kIdleMilliseconds);
    if (ready < 0) continue;  // EINTR
    if (ready == 0) run.expect_broker();
    if (entries[0].revents == 0) continue;
    const ssize_t got = ::read(input, buffer.data(), buffer.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) throw_system("cannot read " + file);
    if (got == 0) return splitter.finish();
    splitter.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

int run_pub(int count, const char* const* arguments) {
  CommandLine line({kName, "TOPIC [options] [FILE|-]", kPurpose, kAfter});
  add_principal_option(line);
  line.flag("lines", "one message per line, without its newline");
  line.flag("tokens",
            "one message per word, with the white space after it: put together again the messages "
            "are the file, byte for byte");
  line.value("block", "S",
             "let full routes and a full outbox hold a message back for up to S seconds (R21)");
  line.value("rate", "N", "at most N messages per second");
  add_resume_option(line);
  line.flag("q,quiet", "no summary, nothing about a broker that is away");
  add_broker_options(line);
  if (const auto code = line.parse(count, arguments)) return *code;

  const Arguments wanted = arguments_of(line);
  PublishRun::Options options{.topic = wanted.topic};
  if (const auto block = line.text("block")) options.block = parse_seconds("--block", *block);
  if (const auto rate = line.text("rate")) {
    options.interval = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(1 / parse_rate("--rate", *rate)));
  }
  options.resume = resume_time_of(line);
  const StopSignals signals;
  const shm::UniqueFd input = open_input(wanted.file);
  guest::Guest guest = attach(line, kName);
  BrokerWatch broker(guest, kName, options.resume, line.has("quiet"));
  PublishRun run(guest, signals, broker, options);
  MessageSplitter splitter(wanted.mode, shm::kMaximumInlinePayloadBytes,
                           [&](std::string_view message) { run.publish(message); });
  read_all(input.get(), wanted.file, signals, splitter, run);
  run.finish();

  if (!line.has("quiet")) {
    const std::string principal(shm::displayed_principal(guest.welcome().principal));
    report(kName, run.tally().summary(principal));
  }
  if (signals.received() != 0) return kExitSignal + signals.received();
  return run.tally().complete() ? kExitDone : kExitPartly;
}

}  // namespace fairlead::tools

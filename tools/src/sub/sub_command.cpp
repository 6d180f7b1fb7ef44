#include "sub/sub_command.hpp"

#include <unistd.h>

#include <fairlead/shm/topic.hpp>

#include "broker_options.hpp"
#include "command_line.hpp"
#include "io/output.hpp"
#include "io/stop_signals.hpp"
#include "program.hpp"
#include "sub/subscription_printer.hpp"
#include "text/names.hpp"
#include "text/quantity.hpp"

namespace fairlead::tools {
namespace {

constexpr const char* kName = "fairlead sub";

constexpr const char* kPurpose =
    "Subscribes to PATTERN and prints the messages as they come: topic, principal and payload, "
    "one\n"
    "message per line, unless told otherwise. Ends by a signal, --count, --timeout, or when "
    "nobody\n"
    "reads its output any more. When the broker is restarted it goes on at the next one.\n"
    "Losses are always told: in the JSON lines, else on standard error.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead sub 'agent.v1.*' --json --count 100 | jq -r .payload\n"
    "  fairlead sub agent.v1.stream --admission exactly:alice --raw > copy\n"
    "\n"
    "Exit codes: 0 done, 1 failed (also: the broker has ended, or was not back in time), 2 wrong\n"
    "command line, 3 ended before --count messages had come.\n";

std::string pattern_of(const CommandLine& line) {
  const auto& operands = line.operands();
  if (operands.empty()) throw UsageError("which pattern?");
  if (operands.size() > 1) throw UsageError("'" + operands[1] + "' is one pattern too many");
  const auto problem = shm::check_pattern(operands[0]);
  if (problem != shm::TopicProblem::none) {
    throw UsageError("'" + operands[0] + "' is no pattern: " + std::string(sentence_of(problem)));
  }
  return operands[0];
}

MessageFormat format_of(const CommandLine& line) {
  if (line.has("json") + line.has("raw") + line.has("lines") > 1) {
    throw UsageError("--json, --raw and --lines exclude each other");
  }
  if (line.has("json")) return MessageFormat::json;
  if (line.has("raw")) return MessageFormat::raw;
  return line.has("lines") ? MessageFormat::lines : MessageFormat::text;
}

guest::SubscribeOptions subscribe_options_of(const CommandLine& line) {
  guest::SubscribeOptions options;
  options.descriptor = true;
  if (const auto text = line.text("admission")) {
    const auto admission = parse_admission(*text);
    if (!admission) {
      throw UsageError("--admission takes all, exactly:P or or-system:P, not '" + *text + "'");
    }
    options.admission = admission->kind;
    options.admitted_principal = admission->principal;
  }
  if (const auto text = line.text("policy")) {
    const auto policy = parse_policy(*text);
    if (!policy) {
      throw UsageError("--policy takes oldest-head, fair-share or reject, not '" + *text + "'");
    }
    options.eviction = *policy;
  }
  if (const auto text = line.text("budget")) options.budget_bytes = parse_bytes("--budget", *text);
  return options;
}

SubscriptionPrinter::Options printer_options_of(const CommandLine& line) {
  SubscriptionPrinter::Options options{.format = format_of(line)};
  if (const auto text = line.text("count")) options.count = parse_count("--count", *text);
  if (const auto text = line.text("timeout")) options.timeout = parse_seconds("--timeout", *text);
  return options;
}

void add_options(CommandLine& line) {
  line.flag("json", "one JSON object per line; payloads that are no UTF-8 in base64");
  line.flag("raw", "payloads as they are, nothing between them");
  line.flag("lines", "payloads, a newline after each");
  line.value("count", "N", "end after N messages");
  line.value("timeout", "S", "end after S seconds");
  line.value("admission", "A",
             "whose messages: all, exactly:P or or-system:P (default: all that the policy allows)");
  line.value("policy", "E",
             "what gives way when the budget is used up: oldest-head, fair-share or reject "
             "(default: the policy's)");
  line.value("budget", "BYTES",
             "what may be queued, such as 64K or 1M, at least 4K (default: the policy's)");
  line.flag("q,quiet", "nothing on standard error but losses and errors");
  add_resume_option(line);
  add_principal_option(line);
  add_broker_options(line);
}

}  // namespace

int run_sub(int count, const char* const* arguments) {
  CommandLine line({kName, "PATTERN [options]", kPurpose, kAfter});
  add_options(line);
  if (const auto code = line.parse(count, arguments)) return *code;
  const std::string pattern = pattern_of(line);
  const guest::SubscribeOptions wanted = subscribe_options_of(line);
  const SubscriptionPrinter::Options options = printer_options_of(line);
  const bool quiet = line.has("quiet");

  const StopSignals signals;
  Output output(STDOUT_FILENO);
  guest::Guest guest = attach(line, kName);
  guest::Subscription subscription = guest.subscribe(pattern, wanted);
  if (!quiet) {
    report(kName, "subscribed to " + pattern + " as route " +
                      std::to_string(subscription.number()) + ", boundary " +
                      std::string(name_of(subscription.boundary())));
  }
  BrokerWatch broker(guest, kName, resume_time_of(line), quiet);
  SubscriptionPrinter printer(subscription, output, signals, broker, options);
  const auto end = [&] {
    try {
      return printer.run();
    } catch (const std::exception&) {
      if (!quiet) report(kName, printer.summary());
      throw;
    }
  }();
  if (!quiet) report(kName, printer.summary());
  const bool enough = !options.count || end == SubscriptionPrinter::End::counted ||
                      end == SubscriptionPrinter::End::reader_gone;
  return enough ? kExitDone : kExitPartly;
}

}  // namespace fairlead::tools

#include "broker_options.hpp"

#include <cstdlib>
#include <utility>

#include <fairlead/broker/options.hpp>
#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "text/quantity.hpp"

namespace fairlead::tools {

void add_broker_options(CommandLine& line) {
  line.value("socket", "PATH", "where the broker listens");
  line.value("broker", "NAME",
             "the broker of this name at its usual place, $XDG_RUNTIME_DIR/fairlead/NAME.sock or "
             "below /run (default: main)");
}

void add_principal_option(CommandLine& line) {
  line.value("principal", "P",
             "as whom; the policy has the last word (default: whom it names for this user)");
}

void add_resume_option(CommandLine& line) {
  line.value("resume", "S",
             "when the broker was killed or is being restarted, look for the next one for up to S "
             "seconds (default: 30; 0: end)");
}

std::chrono::nanoseconds resume_time_of(const CommandLine& line) {
  const auto text = line.text("resume");
  return text ? parse_seconds("--resume", *text) : guest::AttachOptions{}.resume_for;
}

std::string socket_path_of(const CommandLine& line) {
  const auto path = line.text("socket");
  const auto broker = line.text("broker");
  if (path && broker) throw UsageError("--socket and --broker exclude each other");
  if (path) return *path;
  if (broker && !shm::is_valid_broker_name(*broker)) {
    throw UsageError("'" + *broker + "' is no broker's name");
  }
  return broker::default_socket_path(broker.value_or("main"));
}

guest::Guest attach(const CommandLine& line, const std::string& program) {
  guest::AttachOptions options;
  options.program = program;
  options.principal = checked_principal(line.text("principal").value_or(""));
  options.resume_for = resume_time_of(line);
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const bool inherited = std::getenv(guest::kInheritedDescriptorVariable) != nullptr;
  if (!inherited || line.has("socket") || line.has("broker")) {
    options.socket_path = socket_path_of(line);
  }
  return guest::Guest::attach(std::move(options));
}

std::string checked_principal(const std::string& written) {
  const auto problem = shm::check_principal(shm::canonical_principal(written));
  if (problem == shm::PrincipalProblem::none) return written;
  throw UsageError("'" + written + "' is no principal: " + std::string(sentence_of(problem)));
}

}  // namespace fairlead::tools

#include "run/run_command.hpp"

#include <cstring>
#include <string>
#include <vector>

#include <fairlead/guest/keeper.hpp>

#include "broker_options.hpp"
#include "command_line.hpp"
#include "run/child_runner.hpp"
#include "sandbox/sandbox_run.hpp"

namespace fairlead::tools {
namespace {

constexpr const char* kName = "fairlead run";

constexpr const char* kPurpose =
    "Starts CMD with a connected descriptor whose number is in FAIRLEAD_FD. Through it CMD is\n"
    "principal P and nobody else, and needs neither a file nor a network to reach the broker. The\n"
    "policy must let this user mint P. When the broker was restarted, CMD gets a new connection "
    "(it\n"
    "asks for it through FAIRLEAD_KEEPER_FD). Signals are passed on to CMD.\n"
    "With --sandbox CMD sees nothing else: no network, no processes, system files only to read, "
    "and\n"
    "can start no other program. --explain prints all of it.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead run --principal agent.scout -- fairlead sub 'task.scout.*'\n"
    "  fairlead run --sandbox --principal alice --bind-read /srv/data -- ./plug-in\n"
    "\n"
    "Exit codes: that of CMD, 128+N when signal N ended it, 125 run itself failed (also: wrong\n"
    "command line), 126 CMD cannot be started, 127 there is no CMD.\n";

// The first "--" ends our options; everything after it is CMD's.
int own_arguments(int count, const char* const* arguments) {
  for (int index = 1; index < count; ++index) {
    if (std::strcmp(arguments[index], "--") == 0) return index;
  }
  return count;
}

void add_sandbox_options(CommandLine& line) {
  line.flag("sandbox", "close CMD in: bubblewrap, Landlock, an allow-list of system calls");
  line.value("bind-read", "PATH", "let it read PATH, too; may be given several times");
  line.flag("require-landlock", "fail if this kernel has no Landlock instead of doing without");
  line.flag("explain", "print what --sandbox applies on this machine, start nothing");
}

sandbox::SandboxOptions sandbox_options_of(const CommandLine& line) {
  for (const char* option : {"bind-read", "require-landlock", "explain"}) {
    if (line.has(option) && !line.has("sandbox")) {
      throw UsageError("--" + std::string(option) + " goes with --sandbox");
    }
  }
  return {line.texts("bind-read"), line.has("require-landlock")};
}

}  // namespace

int run_run(int count, const char* const* arguments) {
  CommandLine line(
      {kName, "--principal P [--sandbox] [options] -- CMD [ARGUMENT...]", kPurpose, kAfter});
  line.value("principal", "P", "as whom CMD is to speak");
  add_broker_options(line);
  add_sandbox_options(line);
  const int own = own_arguments(count, arguments);
  if (const auto code = line.parse(own, arguments)) return *code;
  if (!line.operands().empty()) {
    throw UsageError("'" + line.operands().front() + "' must stand behind a --");
  }
  const std::vector<std::string> command(arguments + std::min(own + 1, count), arguments + count);
  const sandbox::SandboxOptions sandbox = sandbox_options_of(line);
  if (line.has("explain")) {
    sandbox::explain_sandbox(command, sandbox);
    return kExitDone;
  }
  if (command.empty()) throw UsageError("which command? It stands behind a --");
  const auto principal = line.text("principal");
  if (!principal) throw UsageError("--principal is missing");
  const std::string socket = socket_path_of(line);
  const std::string checked = checked_principal(*principal);
  guest::Keeper keeper(socket, checked);
  const auto connect = [&] { return guest::connect_as(socket, checked); };
  if (line.has("sandbox")) return sandbox::run_in_sandbox(command, sandbox, connect, keeper);
  return run_child(command, connect(), keeper);
}

}  // namespace fairlead::tools

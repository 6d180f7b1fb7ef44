#include "run/run_command.hpp"

#include <cstring>
#include <string>
#include <vector>

#include <fairlead/guest/keeper.hpp>

#include "broker_options.hpp"
#include "command_line.hpp"
#include "run/child_runner.hpp"

namespace fairlead::tools {
namespace {

constexpr const char* kName = "fairlead run";

constexpr const char* kPurpose =
    "Starts CMD with a connected descriptor whose number is in FAIRLEAD_FD. Through it CMD is\n"
    "principal P and nobody else, and needs neither a file nor a network to reach the broker. The\n"
    "policy must let this user mint P. Signals are passed on to CMD.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead run --principal agent.scout -- fairlead sub 'task.scout.*'\n"
    "  fairlead run --principal alice -- bwrap --unshare-all --cap-drop ALL --die-with-parent "
    "--ro-bind \\\n"
    "      /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink \\\n"
    "      usr/bin /bin --proc /proc --dev /dev --tmpfs /dev/shm --tmpfs /tmp CMD\n"
    "In the second one CMD finds no socket: `fairlead sub` there says \"boundary enforced\".\n"
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

}  // namespace

int run_run(int count, const char* const* arguments) {
  CommandLine line({kName, "--principal P [options] -- CMD [ARGUMENT...]", kPurpose, kAfter});
  line.value("principal", "P", "as whom CMD is to speak");
  add_broker_options(line);
  const int own = own_arguments(count, arguments);
  if (const auto code = line.parse(own, arguments)) return *code;
  if (!line.operands().empty()) {
    throw UsageError("'" + line.operands().front() + "' must stand behind a --");
  }
  const std::vector<std::string> command(arguments + std::min(own + 1, count), arguments + count);
  if (command.empty()) throw UsageError("which command? It stands behind a --");
  const auto principal = line.text("principal");
  if (!principal) throw UsageError("--principal is missing");
  return run_child(command, guest::connect_as(socket_path_of(line), checked_principal(*principal)));
}

}  // namespace fairlead::tools

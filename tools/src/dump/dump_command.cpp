#include "dump/dump_command.hpp"

#include <sys/stat.h>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/error.hpp>

#include "command_line.hpp"
#include "dump/machine_reader.hpp"
#include "dump/render_json.hpp"
#include "dump/render_text.hpp"
#include "io/output.hpp"
#include "text/quantity.hpp"

namespace fairlead::tools {
namespace {

constexpr const char* kPurpose =
    "Shows every segment of every broker on this machine, whether the broker lives or not: sizes,\n"
    "queued, held and free bytes, each lane's principal, depth, age of its head and losses, and\n"
    "whether published = delivered + queued + evicted. Only reads, takes no lock, needs no "
    "broker.\n"
    "What is corrupt, foreign, truncated or squatted is said, and the rest is shown.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead dump --broker main\n"
    "  fairlead dump --json | jq '.brokers[].segments[] | select(.verdict != \"ok\")'\n"
    "\n"
    "Exit codes: 0 all is well, 1 failed or no broker of that name, 2 wrong command line,\n"
    "3 a segment is not well or a sum does not hold.\n";

// The library takes a directory that is not there for an empty one: right for /dev/shm, not for one
// that somebody typed.
void require_directory(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) throw_system("cannot look into " + path);
}

}  // namespace

int run_dump(int count, const char* const* arguments) {
  CommandLine line({"fairlead dump", "[options]", kPurpose, kAfter});
  line.flag("json", "print one JSON document");
  line.value("broker", "NAME", "only the broker of this name");
  line.value("directory", "DIR", "where the segments are (default: /dev/shm)");
  line.value("lanes", "N", "show at most N lanes of each route, the fullest (not with --json)");
  line.flag("no-ask", "do not ask running brokers for their sealed segments");
  if (const auto code = line.parse(count, arguments)) return *code;
  if (!line.operands().empty()) {
    throw UsageError("there is nothing to do with '" + line.operands().front() + "'");
  }

  dump::MachineOptions options;
  if (const auto directory = line.text("directory")) {
    require_directory(*directory);
    options.directory = *directory;
  }
  options.broker = line.text("broker");
  if (options.broker && !shm::is_valid_broker_name(*options.broker)) {
    throw UsageError("'" + *options.broker + "' is no broker's name");
  }
  options.ask_brokers = !line.has("no-ask");
  options.monotonic_now_ns = shm::monotonic_ns();
  options.realtime_now_ns = shm::realtime_ns();
  dump::TextOptions text{.paint = Paint::for_stdout()};
  if (const auto lanes = line.text("lanes")) text.most_lanes = parse_count("--lanes", *lanes);

  const dump::MachineDump machine = dump::read_machine(options);
  if (options.broker && machine.brokers.empty() && machine.strays.empty()) {
    throw Error(ErrorCode::not_found,
                "no broker named " + *options.broker + " has a segment in " + options.directory);
  }
  print_all(line.has("json") ? dump::render_json(machine) : dump::render_text(machine, text));
  return machine.problems() == 0 ? kExitDone : kExitPartly;
}

}  // namespace fairlead::tools

#include "doctor/doctor_command.hpp"

#include <unistd.h>

#include <iterator>

#include <fairlead/broker/options.hpp>
#include <fairlead/shm/clock.hpp>

#include "command_line.hpp"
#include "doctor/finding.hpp"
#include "doctor/kernel_checks.hpp"
#include "doctor/leftover_checks.hpp"
#include "doctor/machine_checks.hpp"
#include "dump/machine_reader.hpp"
#include "io/output.hpp"
#include "text/paint.hpp"

namespace fairlead::tools {
namespace {

using doctor::Finding;

constexpr const char* kPurpose =
    "Checks what on this machine would stand in the way of brokers and guests: shared memory,\n"
    "limits, kernel features (each is tried), sandboxes, and what brokers have left behind. One\n"
    "line each: ok, warn or fail, and what to do about it. Changes nothing.";

constexpr const char* kAfter =
    "Example:\n"
    "  fairlead doctor\n"
    "  fairlead doctor --json | jq '.findings[] | select(.status != \"ok\")'\n"
    "\n"
    "Exit codes: 0 nothing fails (there may be warnings), 1 doctor itself failed, 2 wrong command\n"
    "line, 3 something fails.\n";

void append(std::vector<Finding>& findings, std::vector<Finding> more) {
  findings.insert(findings.end(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
}

std::vector<Finding> examine(const std::string& directory) {
  using namespace doctor;
  const std::string socket = broker::default_socket_path("main");
  dump::MachineOptions options;
  options.directory = directory;
  options.ask_brokers = false;
  options.monotonic_now_ns = shm::monotonic_ns();
  options.realtime_now_ns = shm::realtime_ns();

  std::vector<Finding> findings = {
      judge_shared_memory(look_at_shared_memory(directory), directory),
      judge_open_files(look_at_open_files()),
      judge_mappings(look_at_mappings()),
      judge_sealed_memory(try_sealed_memory()),
      judge_read_only_futex(try_read_only_futex()),
      judge_descriptor_passing(try_descriptor_passing()),
      judge_membarrier(try_membarrier()),
      judge_process_descriptor(try_process_descriptor()),
      judge_user_namespace(try_user_namespace()),
      judge_bubblewrap(find_program("bwrap")),
      judge_socket_place(look_at_socket_place(socket)),
  };
  const dump::MachineDump machine = dump::read_machine(options);
  append(findings, judge_segments(machine));
  append(findings, judge_sockets(look_at_sockets(socket.substr(0, socket.rfind('/')), machine)));
  return findings;
}

}  // namespace

int run_doctor(int count, const char* const* arguments) {
  CommandLine line({"fairlead doctor", "[options]", kPurpose, kAfter});
  line.flag("json", "print one JSON document");
  line.value("directory", "DIR", "where the segments are (default: /dev/shm)");
  if (const auto code = line.parse(count, arguments)) return *code;
  if (!line.operands().empty()) {
    throw UsageError("there is nothing to do with '" + line.operands().front() + "'");
  }
  const auto findings =
      examine(line.text("directory").value_or(std::string(shm::kSharedMemoryDirectory)));
  print_all(line.has("json") ? doctor::render_json(findings)
                             : doctor::render_text(findings, Paint::for_stdout().colours()));
  return doctor::worst(findings) == doctor::Status::fail ? kExitPartly : kExitDone;
}

}  // namespace fairlead::tools

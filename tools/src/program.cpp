#include "program.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/last_words.hpp>

#include "command_line.hpp"
#include "doctor/doctor_command.hpp"
#include "dump/dump_command.hpp"
#include "pub/pub_command.hpp"
#include "run/run_command.hpp"
#include "sandbox/launcher.hpp"
#include "sub/sub_command.hpp"

namespace fairlead::tools {
namespace {

constexpr std::array<Command, 5> kCommands = {{
    {"pub", "publish a file or standard input", kExitFailed, kExitUsage, &run_pub},
    {"sub", "print the messages of a subscription", kExitFailed, kExitUsage, &run_sub},
    {"dump", "show every segment of every broker", kExitFailed, kExitUsage, &run_dump},
    {"run", "start a program as a principal", kRunFailed, kRunFailed, &run_run},
    {"doctor", "check what this machine lacks", kExitFailed, kExitUsage, &run_doctor},
}};

std::string help() {
  std::string text =
      "Usage: fairlead COMMAND [options]\n\n"
      "Fair, zero-copy message delivery between processes that do not trust each other.\n\n"
      "Commands:\n";
  for (const Command& command : kCommands) {
    std::string line = "  " + std::string(command.name);
    line.resize(11, ' ');
    text += line + std::string(command.summary) + '\n';
  }
  return text +
         "\nOptions (COMMAND --help tells those of a command):\n"
         "  -h, --help     print this text\n"
         "      --version  print the version\n"
         "\nExample:\n"
         "  fairlead sub 'demo.*' --count 2                         (in one terminal)\n"
         "  echo hello world | fairlead pub demo.greeting --tokens  (in another, once the first\n"
         "                                                           says \"subscribed to\")\n"
         "\nExit codes: 0 done, 1 failed, 2 wrong command line, 3 done but not all was well;\n"
         "see the commands for their own.\n";
}

// Not in the list: only `fairlead run --sandbox` starts it, and it speaks in that one's name.
constexpr Command kLauncher = {"run", "", kRunFailed, kRunFailed, &sandbox::run_launcher};

int run_command(const Command& command, int count, const char* const* arguments) {
  const std::string name = "fairlead " + std::string(command.name);
  shm::say_when_out_of_memory(name, command.failure);
  try {
    return command.run(count, arguments);
  } catch (const UsageError& error) {
    report(name, std::string(error.what()) + " (see " + name + " --help)");
    return command.usage;
  } catch (const std::exception& error) {
    report(name, error.what());
    return command.failure;
  }
}

}  // namespace

std::span<const Command> commands() { return kCommands; }

void report(std::string_view program, std::string_view sentence) {
  std::string line(program);
  line += ": ";
  line += sentence;
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  // One write, so that the lines of several programs do not mix.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

int run_program(int count, const char* const* arguments) noexcept {
  try {
    if (count < 2) {
      report("fairlead", "which command? (see fairlead --help)");
      return kExitUsage;
    }
    const std::string_view wanted = arguments[1];
    if (wanted == "--help" || wanted == "-h" || wanted == "help") {
      std::fputs(help().c_str(), stdout);
      return kExitDone;
    }
    if (wanted == "--version") {
      std::puts("fairlead " FAIRLEAD_VERSION);
      return kExitDone;
    }
    if (wanted == sandbox::kLaunchCommand) return run_command(kLauncher, count - 1, arguments + 1);
    const auto found = std::find_if(kCommands.begin(), kCommands.end(),
                                    [&](const Command& each) { return each.name == wanted; });
    if (found == kCommands.end()) {
      const char* kind = wanted.starts_with('-') ? "option" : "command";
      report("fairlead", std::string("there is no ") + kind + " '" + std::string(wanted) +
                             "' (see fairlead --help)");
      return kExitUsage;
    }
    return run_command(*found, count - 1, arguments + 1);
  } catch (const std::exception& error) {  // out of memory, in practice
    std::fprintf(stderr, "fairlead: %s\n", error.what());
    return kExitFailed;
  }
}

}  // namespace fairlead::tools

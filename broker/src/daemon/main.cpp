// fairlead-broker: a broker as a process of its own.
#include <cstdio>

#include <fairlead/shm/last_words.hpp>

#include "daemon/command_line.hpp"
#include "daemon/daemon.hpp"
#include "daemon/exit_codes.hpp"

namespace {

// Before the initialisers of static objects, which may find no memory either.
[[gnu::constructor(101)]] void prepare_for_too_little_memory() {
  fairlead::shm::say_when_out_of_memory("fairlead-broker", fairlead::broker::daemon::kExitNoMemory);
}

}  // namespace

int main(int count, char** arguments) {
  namespace daemon = fairlead::broker::daemon;
  using Action = daemon::CommandLine::Action;
  const daemon::CommandLine line = daemon::parse_command_line(count, arguments);
  switch (line.action) {
    case Action::help:
    case Action::version:
      std::printf("%s\n", line.text.c_str());
      return daemon::kExitOk;
    case Action::wrong:
      std::fprintf(stderr, "fairlead-broker: %s; see fairlead-broker --help\n", line.text.c_str());
      return daemon::kExitUsage;
    case Action::serve:
      break;
  }
  return daemon::serve(line);
}

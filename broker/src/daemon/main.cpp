// fairlead-broker: a broker as a process of its own.
#include <cstdio>

#include "daemon/command_line.hpp"
#include "daemon/daemon.hpp"
#include "daemon/exit_codes.hpp"

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

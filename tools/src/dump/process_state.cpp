#include "dump/process_state.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace fairlead::tools::dump {
namespace {

struct Stat {
  char state = '?';
  std::uint64_t start_clock_ticks = 0;
};

// proc(5): "pid (name) state ... starttime ...", the 3rd and the 22nd field.
std::optional<Stat> parse_stat(const std::string& line) {
  // The program's name may hold anything, also ") R 1".
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(name_end + 1));
  Stat stat;
  fields >> stat.state;
  std::string skipped;
  for (int field = 4; field < 22; ++field) fields >> skipped;
  fields >> stat.start_clock_ticks;
  if (!fields) return std::nullopt;
  return stat;
}

}  // namespace

ProcessState process_state(std::uint32_t process, std::uint64_t start_clock_ticks,
                           std::string_view proc) {
  const std::string root(proc);
  if (process == 0 || ::access((root + "/self/stat").c_str(), R_OK) != 0) {
    return ProcessState::unknown;
  }
  const std::string path = root + '/' + std::to_string(process) + "/stat";
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    // Not to be let look, for want of a descriptor say, is no proof.
    const bool gone = ::access(path.c_str(), F_OK) != 0 && errno == ENOENT;
    return gone ? ProcessState::gone : ProcessState::unknown;
  }
  const auto stat = parse_stat(line);
  if (!stat) return ProcessState::unknown;
  if (start_clock_ticks != 0 && stat->start_clock_ticks != start_clock_ticks) {
    return ProcessState::gone;
  }
  return stat->state == 'Z' || stat->state == 'X' ? ProcessState::gone : ProcessState::runs;
}

}  // namespace fairlead::tools::dump

#include "sandbox/program_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace fairlead::tools::sandbox {
namespace {

// The kernel's own limits.
constexpr std::size_t kLongestFirstLine = 256;
constexpr int kMostInterpreters = 5;

int why_not(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return errno;
  if (!S_ISREG(found.st_mode) || ::access(file.c_str(), X_OK) != 0) return EACCES;
  return 0;
}

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

int look_up(const std::string& name, std::string& file) {
  if (name.find('/') != std::string::npos) {
    file = absolute(name);
    return why_not(file);
  }
  const char* variable = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
  std::istringstream places(variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin");
  int error = ENOENT;
  for (std::string place; std::getline(places, place, ':');) {
    file = absolute((place.empty() ? "." : place) + "/" + name);
    const int here = why_not(file);
    if (here == 0) return 0;
    if (here == EACCES) error = EACCES;
  }
  return error;
}

// "#!/bin/sh -e" has the interpreter and everything else as one argument.
std::vector<std::string> interpreter_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string line(kLongestFirstLine, '\0');
  stream.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(stream.gcount()));
  if (!line.starts_with("#!")) return {};
  line = line.substr(2, line.find('\n') - 2);
  constexpr std::string_view kBlank = " \t\r";
  line.erase(line.find_last_not_of(kBlank) + 1);
  line.erase(0, line.find_first_not_of(kBlank));
  const std::size_t end = line.find_first_of(kBlank);
  std::vector<std::string> words = {line.substr(0, end)};
  if (end != std::string::npos) words.push_back(line.substr(line.find_first_not_of(kBlank, end)));
  const bool is_env = std::filesystem::path(words[0]).filename() == "env";
  if (is_env && words.size() == 2 && words[1][0] != '-') words.erase(words.begin());
  return words;
}

}  // namespace

ProgramFile find_program_file(const std::vector<std::string>& command) {
  ProgramFile program;
  program.words = command;
  program.error = look_up(command.front(), program.file);
  for (int depth = 0; program.error == 0 && depth < kMostInterpreters; ++depth) {
    program.needs.push_back(program.file);
    const std::vector<std::string> interpreter = interpreter_of(program.file);
    if (interpreter.empty()) return program;
    program.words[0] = program.file;
    program.words.insert(program.words.begin(), interpreter.begin(), interpreter.end());
    program.error = look_up(interpreter.front(), program.file);
  }
  if (program.error == 0) program.error = ELOOP;
  return program;
}

}  // namespace fairlead::tools::sandbox

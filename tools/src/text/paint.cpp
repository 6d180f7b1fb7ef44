#include "text/paint.hpp"

#include <unistd.h>

#include <cstdlib>

namespace fairlead::tools {

Paint Paint::for_stdout() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
  const char* refused = std::getenv("NO_COLOR");
  // NOLINTNEXTLINE(concurrency-mt-unsafe)
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  const bool wanted = refused == nullptr || *refused == '\0';
  return Paint(wanted && !dumb && ::isatty(STDOUT_FILENO) == 1);
}

std::string Paint::wrap(std::string_view code, std::string_view text) const {
  if (!colours_) return std::string(text);
  std::string out = "\x1b[";
  out += code;
  out += 'm';
  out += text;
  out += "\x1b[0m";
  return out;
}

}  // namespace fairlead::tools

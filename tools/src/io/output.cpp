#include "io/output.hpp"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>

#include <fairlead/shm/error.hpp>

namespace fairlead::tools {

Output::Output(int descriptor) : descriptor_(descriptor) { ::signal(SIGPIPE, SIG_IGN); }

bool Output::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EPIPE) return false;
    if (errno == EAGAIN) {  // somebody made it non-blocking; it is his terminal as well
      pollfd entry{descriptor_, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      throw_system("cannot write to standard output");
    }
  }
  return true;
}

bool Output::closed() const noexcept {
  pollfd entry{descriptor_, 0, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLERR | POLLNVAL)) != 0;
}

void print_all(std::string_view text) {
  [[maybe_unused]] const bool read = Output(STDOUT_FILENO).write(text);
}

}  // namespace fairlead::tools

#include "daemon/process_setup.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace fairlead::broker::daemon {

void forbid_inspection() noexcept { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void close_inherited_descriptors() noexcept {
  constexpr int kFirst = STDERR_FILENO + 1;
  if (::close_range(kFirst, ~0U, 0) == 0) return;
  rlimit limit{};  // a kernel before 5.9, or a filter
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  constexpr rlim_t kMost = 65'536;
  const int end = static_cast<int>(std::min(limit.rlim_cur, kMost));
  for (int descriptor = kFirst; descriptor < end; ++descriptor) ::close(descriptor);
}

void fill_standard_descriptors() noexcept {
  for (int standard = STDIN_FILENO; standard <= STDERR_FILENO; ++standard) {
    // The lowest free number is the one that is asked for.
    if (::fcntl(standard, F_GETFD) < 0) (void)::open("/dev/null", O_RDWR);
  }
}

void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void make_directory_of(const std::string& socket_path) noexcept {
  const std::size_t slash = socket_path.rfind('/');
  if (slash == std::string::npos || slash == 0) return;
  std::string directory = socket_path;
  directory.resize(slash);
  ::mkdir(directory.c_str(), 0755);
}

sigset_t block_signals() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);  // a log reader that went away
  return signals;
}

}  // namespace fairlead::broker::daemon

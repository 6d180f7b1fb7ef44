#include "io/stop_signals.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>

#include <fairlead/shm/error.hpp>

namespace fairlead::tools {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

std::atomic<int> received_signal{0};
std::array<int, 2> pipe_ends = {-1, -1};
std::array<struct sigaction, kSignals.size()> before;

extern "C" void note_signal(int number) {
  const int saved = errno;
  received_signal.store(number);
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = ::write(pipe_ends[1], &byte, 1);
  errno = saved;
}

}  // namespace

StopSignals::StopSignals() {
  received_signal.store(0);
  if (::pipe2(pipe_ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) throw_system("cannot make a pipe");
  for (std::size_t each = 0; each < kSignals.size(); ++each) {
    struct sigaction action {};
    action.sa_handler = &note_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(kSignals[each], nullptr, &before[each]);
    if (before[each].sa_handler != SIG_IGN) ::sigaction(kSignals[each], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (std::size_t each = 0; each < kSignals.size(); ++each) {
    ::sigaction(kSignals[each], &before[each], nullptr);
  }
  for (int& end : pipe_ends) {
    ::close(end);
    end = -1;
  }
}

int StopSignals::received() const noexcept { return received_signal.load(); }

int StopSignals::descriptor() const noexcept { return pipe_ends[0]; }

}  // namespace fairlead::tools

#include "traced_program.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child_process.hpp"
#include "tracer.hpp"

namespace fairlead::test {

TracedProgram::TracedProgram(TraceOptions options)
    : options_(std::move(options)),
      output_(::memfd_create("output", MFD_CLOEXEC)),
      error_(::memfd_create("error", MFD_CLOEXEC)),
      ended_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] {
    const auto on_start = [this](pid_t pid) {
      const std::lock_guard lock(mutex_);
      pid_ = pid;
      changed_.notify_all();
    };
    const auto on_listening = [this] {
      const std::lock_guard lock(mutex_);
      listening_ = true;
      changed_.notify_all();
    };
    const auto on_end = [this] {  // before it is collected: its number is still its own
      const std::lock_guard lock(mutex_);
      pid_ = -1;
    };
    TraceReport report =
        trace(options_, output_.get(), error_.get(), {on_start, on_listening, on_end});
    const std::lock_guard lock(mutex_);
    report.hung = report_.hung;
    report_ = std::move(report);
    ended_ = true;
    const std::uint64_t one = 1;
    (void)!::write(ended_event_.get(), &one, sizeof one);
    changed_.notify_all();
  });
}

TracedProgram::~TracedProgram() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return pid_ > 0 || ended_; });
    send_signal(pid_, SIGKILL);
  }
  thread_.join();
}

bool TracedProgram::wait_until_listening() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(20), [this] { return listening_ || ended_; });
  return listening_ && !ended_;
}

bool TracedProgram::ended() {
  const std::lock_guard lock(mutex_);
  return ended_;
}

void TracedProgram::signal(int number) {
  const std::lock_guard lock(mutex_);
  send_signal(pid_, number);
}

const TraceReport& TracedProgram::finish(std::chrono::nanoseconds most) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, most, [this] { return ended_; })) {
    report_.hung = true;
    send_signal(pid_, SIGKILL);
    changed_.wait(lock, [this] { return ended_; });
  }
  return report_;
}

std::string TracedProgram::text_of(int descriptor) {
  std::string text;
  char buffer[4'096];
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(descriptor, buffer, sizeof buffer, at);
    if (got <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
    at += got;
  }
}

std::string why_not_traced() {
#if !defined(__x86_64__)
  return "the registers of this processor are not known to the tracer";
#else
  TracedProgram program({.command = {"/bin/true"}});
  const TraceReport& report = program.finish(std::chrono::seconds(20));
  if (report.code != 0) return "ptrace is not allowed here";
  return report.places.empty() ? "memory of a traced process cannot be read here" : "";
#endif
}

}  // namespace fairlead::test

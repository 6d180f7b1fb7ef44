#include "tracer.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "call_site.hpp"

namespace fairlead::test {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

bool carries_descriptors(pid_t thread, const SystemCall& call) {
  msghdr message{};
  const iovec here{&message, sizeof message};
  const iovec there{reinterpret_cast<void*>(call.arguments[1]), sizeof message};
  return call.number == SYS_sendmsg &&
         ::process_vm_readv(thread, &here, 1, &there, 1, 0) == sizeof message &&
         message.msg_controllen > 0;
}

class Loop {
 public:
  Loop(const TraceOptions& options, const TraceEvents& events)
      : options_(options), events_(events) {}

  TraceReport run(int output, int error) {
    start(output, error);
    while (step()) {
    }
    return std::move(report_);
  }

 private:
  struct Thread {
    SystemCall call;
    std::optional<long> answer;  // what it gets instead of the kernel's
    std::optional<long> wanted_break;
  };

  void start(int output, int error) {
    const auto words = pointers_to(options_.command);
    const auto variables = pointers_to(options_.environment);
    const int input = ::open(options_.input.c_str(), O_RDONLY | O_CLOEXEC);
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(input, STDIN_FILENO);
      ::dup2(output, STDOUT_FILENO);
      ::dup2(error, STDERR_FILENO);
      for (const auto& [resource, most] : options_.limits) {
        const rlimit limit{most, most};
        ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
      }
      if (options_.traced) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::raise(SIGSTOP);
      }
      ::execve(words[0], words.data(), variables.data());
      ::_exit(127);
    }
    ::close(input);
    events_.started(process_);
    if (!options_.traced) return;
    int status = 0;
    ::waitpid(process_, &status, __WALL);
    threads_[process_];
    constexpr long kOptions = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEVFORK |
                              PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    ::ptrace(PTRACE_SETOPTIONS, process_, nullptr, kOptions);
    resume(process_, 0);
  }

  static void resume(pid_t thread, int signal) {
    ::ptrace(PTRACE_SYSCALL, thread, nullptr, static_cast<long>(signal));
  }

  // False when nothing is left to wait for.
  bool step() {
    siginfo_t next{};
    if (::waitid(P_ALL, 0, &next, WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD) != 0)
      return false;
    const pid_t thread = next.si_pid;
    const bool stopped = next.si_code == CLD_TRAPPED || next.si_code == CLD_STOPPED;
    if (!stopped && thread == process_) events_.ended();
    int status = 0;
    if (::waitpid(thread, &status, __WALL | __WNOTHREAD) != thread) return true;
    if (WIFSTOPPED(status)) {
      on_stop(thread, status);
      return true;
    }
    threads_.erase(thread);
    if (thread != process_) return true;
    report_.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return options_.traced;
  }

  void on_stop(pid_t thread, int status) {
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal == (SIGTRAP | 0x80)) return on_system_call(thread);
    if (event == PTRACE_EVENT_EXEC) {
      if (thread != process_) {  // a child that is somebody else now
        threads_.erase(thread);
        ::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
        return;
      }
      text_ = std::make_unique<ProgramText>(process_);
      return resume(thread, 0);
    }
    if (event != 0) return resume(thread, 0);
    const bool begins = threads_.find(thread) == threads_.end();
    threads_[thread];
    resume(thread, begins && signal == SIGSTOP ? 0 : signal);
  }

  void on_system_call(pid_t thread) {
    Thread& state = threads_[thread];
    __ptrace_syscall_info info{};
    ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
      state.call.number = static_cast<long>(info.entry.nr);
      std::copy_n(info.entry.args, 6, state.call.arguments.begin());
      state.call.carries_descriptors = carries_descriptors(thread, state.call);
      on_entry(thread, state, info.stack_pointer);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
      if (state.answer) ::ptrace(PTRACE_POKEUSER, thread, sizeof(long) * RAX, *state.answer);
      if (state.call.number == SYS_listen && !state.answer && info.exit.rval == 0)
        events_.listening();
      // The C library compares the answer with what it asked for.
      if (state.wanted_break)
        ::ptrace(PTRACE_POKEUSER, thread, sizeof(long) * RDI, *state.wanted_break);
      state.answer.reset();
      state.wanted_break.reset();
    }
    resume(thread, 0);
  }

  void on_entry(pid_t thread, Thread& state, std::uint64_t stack_pointer) {
    if (!text_) return;
    const std::uint64_t stack = text_->site(thread, stack_pointer);
    if (stack == 0) return;  // the loader
    const std::uint64_t site =
        (stack ^ static_cast<std::uint64_t>(state.call.number * 64 + operation_of(state.call))) *
        0x100000001b3;
    const int times = note(state.call, site);
    if (!options_.fault) return;
    const Fault& fault = *options_.fault;
    const bool here = fault.site == site && fault.occurrence == times;
    const bool after = report_.struck && std::find(fault.as_well.begin(), fault.as_well.end(),
                                                   state.call.number) != fault.as_well.end();
    if (!here && !after) return;
    report_.struck = true;
    fail(thread, state, fault.error);
  }

  int note(const SystemCall& call, std::uint64_t site) {
    const auto [known, added] = index_.try_emplace(site, report_.places.size());
    if (added) report_.places.push_back({call, site, 0});
    return ++report_.places[known->second].times;
  }

  static void fail(pid_t thread, Thread& state, int error) {
    if (state.call.number == SYS_brk) {  // tells of failure by what it was before
      ::ptrace(PTRACE_POKEUSER, thread, sizeof(long) * RDI, 0L);
      state.wanted_break = static_cast<long>(state.call.arguments[0]);
      return;
    }
    const Errnos* errnos = errnos_of(state.call);
    if (errnos == nullptr || !errnos->done_anyway)
      ::ptrace(PTRACE_POKEUSER, thread, sizeof(long) * ORIG_RAX, -1L);
    state.answer = -error;
  }

  const TraceOptions& options_;
  const TraceEvents& events_;
  pid_t process_ = -1;
  std::unique_ptr<ProgramText> text_;
  std::map<pid_t, Thread> threads_;
  std::map<std::uint64_t, std::size_t> index_;
  TraceReport report_;
};

}  // namespace

TraceReport trace(const TraceOptions& options, int output, int error, const TraceEvents& events) {
  return Loop(options, events).run(output, error);
}

}  // namespace fairlead::test

#include "sandbox/call_filter.hpp"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include <fairlead/shm/error.hpp>

#include "sandbox/system_calls.hpp"

namespace fairlead::tools::sandbox {
namespace {

using Comparison = scmp_arg_cmp;
using Rule = std::vector<Comparison>;  // all must hold

Comparison masked(unsigned argument, unsigned long mask, unsigned long value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

Comparison equal(unsigned argument, unsigned long value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}

Rule only_reads(unsigned flags) { return {masked(flags, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)}; }

std::vector<Rule> any_of(unsigned argument, std::initializer_list<unsigned long> values) {
  std::vector<Rule> rules;
  for (const unsigned long value : values) rules.push_back({equal(argument, value)});
  return rules;
}

constexpr unsigned long kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// One of them must hold.
std::vector<Rule> rules_of(CallCondition condition, int program_descriptor) {
  switch (condition) {
    case CallCondition::always:
    case CallCondition::looks_missing:
      return {Rule{}};
    case CallCondition::thread_only:
      return {{masked(0, kNewNamespaces | CLONE_THREAD, CLONE_THREAD)}};
    case CallCondition::read_only_open:
      return {only_reads(1)};
    case CallCondition::read_only_open_at:
      return {only_reads(2)};
    case CallCondition::no_new_code:
      return {{masked(2, PROT_EXEC, 0)},
              {masked(2, PROT_EXEC | PROT_WRITE, PROT_EXEC),
               masked(3, MAP_TYPE | MAP_ANONYMOUS, MAP_PRIVATE)}};
    case CallCondition::never_executable:
      return {{masked(2, PROT_EXEC, 0)}};
    case CallCondition::own_process:
      return any_of(0, {static_cast<unsigned long>(::getpid())});
    case CallCondition::asks_only:
      return {{equal(2, 0)}};
    case CallCondition::asks_terminal:
      return any_of(1, {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX});
    case CallCondition::names_thread:
      return any_of(0, {PR_SET_NAME, PR_GET_NAME});
    case CallCondition::program_at_the_start:
      return {{equal(0, static_cast<unsigned long>(program_descriptor)), equal(4, AT_EMPTY_PATH)}};
  }
  return {};
}

// libseccomp returns negative errno values.
void filter_check(int result, const char* what) {
  if (result == 0) return;
  throw Error(ErrorCode::system, std::string("cannot restrict system calls (") + what +
                                     "): " + system_error_text(-result));
}

}  // namespace

bool exists_here(const char* call) noexcept { return ::seccomp_syscall_resolve_name(call) >= 0; }

void load_call_filter(int program_descriptor) {
  const std::unique_ptr<void, void (*)(void*)> filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                      &::seccomp_release);
  if (!filter) throw Error(ErrorCode::system, "cannot restrict system calls: no filter");
  // Another architecture's calls have other numbers, and no honest program makes them.
  filter_check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
               "attr");
  for (const AllowedCall& call : allowed_calls()) {
    if (!exists_here(call.name)) continue;
    const auto action = call.condition == CallCondition::looks_missing
                            ? SCMP_ACT_ERRNO(ENOSYS)
                            : static_cast<std::uint32_t>(SCMP_ACT_ALLOW);
    const int number = ::seccomp_syscall_resolve_name(call.name);
    for (const Rule& rule : rules_of(call.condition, program_descriptor)) {
      filter_check(::seccomp_rule_add_array(filter.get(), action, number,
                                            static_cast<unsigned>(rule.size()), rule.data()),
                   call.name);
    }
  }
  filter_check(::seccomp_load(filter.get()), "load");
}

}  // namespace fairlead::tools::sandbox

// Runs its arguments on a kernel that seems to have no Landlock.
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>

int main(int count, char** arguments) {
  if (count < 2) return 2;
  scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ALLOW);
  if (::seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(landlock_create_ruleset), 0) !=
          0 ||
      ::seccomp_load(filter) != 0) {
    return 3;
  }
  ::execvp(arguments[1], arguments + 1);
  return 4;
}

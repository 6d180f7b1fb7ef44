// Landlock and the filter each by itself: in the sandbox the other one often refuses first.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "sandbox/call_filter.hpp"
#include "sandbox/file_rules.hpp"
#include "sandbox/system_calls.hpp"
#include "sandboxed.hpp"
#include "support/child_process.hpp"

namespace fairlead::tools::sandbox {
namespace {

using test::ChildProcess;
using test::ScratchDirectory;
using testing::HasSubstr;
using testing::Not;

int open_error(const std::string& path, int flags) {
  const int opened = ::open(path.c_str(), flags, 0600);
  if (opened < 0) return errno;
  ::close(opened);
  return 0;
}

TEST(Landlock, reads_what_the_rules_name_and_writes_nowhere) {
  if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  const ScratchDirectory shown;
  const ScratchDirectory hidden;
  const std::string readable = shown.write("a", "x");
  const std::string kept = hidden.write("b", "x");
  ChildProcess child([&]() -> std::string {
    restrict_files({{shown.path(), false}, {"/no/such/path", true}});
    if (open_error(readable, O_RDONLY) != 0) return "cannot read what is shown";
    if (open_error(kept, O_RDONLY) != EACCES) return "reads what is hidden";
    if (open_error(readable, O_WRONLY) != EACCES) return "writes";
    if (open_error(shown.path_of("new"), O_WRONLY | O_CREAT) != EACCES) return "creates";
    if (::unlink(readable.c_str()) == 0) return "removes";
    if (::mkdir(hidden.path_of("d").c_str(), 0700) == 0) return "makes directories";
    if (landlock_version() >= 3 && ::truncate(readable.c_str(), 0) == 0) return "truncates";
    return "";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(Landlock, says_what_older_kernels_lack) {
  EXPECT_THAT(landlock_text(0), HasSubstr("no Landlock"));
  EXPECT_THAT(landlock_text(2), Not(HasSubstr("truncating")));
  EXPECT_THAT(landlock_text(3), Not(HasSubstr("TCP")));
  EXPECT_THAT(landlock_text(6), HasSubstr("no signals to outside"));
}

TEST(CallFilter, threads_work_and_children_do_not) {
  if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "a sanitizer's run time makes calls of its own";
  ChildProcess child([]() -> std::string {
    load_call_filter(1'000);
    int answer = 0;
    std::thread([&] { answer = 42; }).join();
    if (answer != 42) return "no thread";
    return ::fork() < 0 && errno == EPERM ? "" : "a child";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(CallFilter, opens_to_read_only) {
  if (FAIRLEAD_SANITIZED != 0) GTEST_SKIP() << "a sanitizer's run time makes calls of its own";
  const ScratchDirectory scratch;
  const std::string file = scratch.write("a", "x");
  ChildProcess child([&]() -> std::string {
    load_call_filter(1'000);
    if (open_error(file, O_RDONLY) != 0) return "cannot read";
    for (const int flags : {O_WRONLY, O_RDWR, O_RDONLY | O_TRUNC, O_RDONLY | O_CREAT}) {
      if (open_error(file, flags) != EPERM) return "flags " + std::to_string(flags);
    }
    return "";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(CallFilter, names_each_call_once_and_says_why) {
  std::set<std::string> names;
  for (const AllowedCall& call : allowed_calls()) {
    EXPECT_TRUE(names.insert(call.name).second) << call.name;
    EXPECT_STRNE(call.why, "") << call.name;
    EXPECT_EQ(std::string(text_of(call.condition)).empty(),
              call.condition == CallCondition::always);
  }
  for (const char* never : {"execve", "fork", "vfork", "socket", "socketpair", "connect", "ptrace",
                            "mount", "unshare", "setns", "memfd_create", "ftruncate", "fallocate",
                            "process_vm_readv", "bpf", "io_uring_setup", "userfaultfd", "keyctl"}) {
    EXPECT_FALSE(names.contains(never)) << never;
  }
}

TEST(Explain, tells_every_call_and_starts_nothing) {
  const test::Ended ended = test::run_to_end(
      test::fairlead({"run", "--sandbox", "--explain", "--bind-read", "/var", "--", "true"}));
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.error, "");
  for (const AllowedCall& call : allowed_calls()) {
    if (!exists_here(call.name)) continue;
    EXPECT_THAT(ended.output, HasSubstr("\n  " + std::string(call.name) + " ")) << call.name;
    EXPECT_THAT(ended.output, HasSubstr(call.why));
  }
  EXPECT_THAT(ended.output, HasSubstr("\n  /var "));
  EXPECT_THAT(ended.output, HasSubstr("Landlock: " + landlock_text(landlock_version())));
  EXPECT_THAT(ended.output, HasSubstr("--unshare-all --die-with-parent --new-session"));
}

}  // namespace
}  // namespace fairlead::tools::sandbox

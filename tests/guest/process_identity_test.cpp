// Who a process is, across fork, and without asking the kernel each time.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <thread>

#include <fairlead/shm/process_identity.hpp>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using shm::is_dead;
using shm::ProcessIdentity;
using shm::this_process;
using test::ChildProcess;
using test::Signal;

TEST(ProcessIdentity, is_the_same_in_all_threads_and_begins_with_our_number) {
  const ProcessIdentity ours = this_process();
  EXPECT_EQ(static_cast<pid_t>(ours & 0xffff'ffffU), ::getpid());
  EXPECT_NE(ours >> 32, 0U);
  ProcessIdentity in_thread = 0;
  std::thread([&] { in_thread = this_process(); }).join();
  EXPECT_EQ(in_thread, ours);
  EXPECT_FALSE(is_dead(ours));
}

TEST(ProcessIdentity, a_forked_child_is_somebody_else) {
  const ProcessIdentity ours = this_process();
  ChildProcess child([&]() -> std::string {
    if (this_process() == ours) return "the child takes itself for its parent";
    if (static_cast<pid_t>(this_process() & 0xffff'ffffU) != ::getpid()) return "wrong number";
    return is_dead(ours) ? "the parent is said to be dead" : "";
  });
  EXPECT_EQ(child.result(), "");
}

TEST(ProcessIdentity, others_live_until_they_are_collected) {
  Signal ready;
  ChildProcess child([&]() -> std::string {
    ready.send();
    for (;;) ::pause();
  });
  ASSERT_TRUE(ready.wait());
  const auto identity = shm::make_process_identity(child.pid(), 1);
  EXPECT_FALSE(is_dead(identity));
  child.kill();
  (void)child.result();
  EXPECT_TRUE(is_dead(identity));
}

// ---- what belongs to the parent ----------------------------------------------------------------

TEST(Forked, R22_a_childs_copies_of_batches_and_kept_messages_give_nothing_back) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  Batch batch = attached.subscription.drain();
  std::optional<Kept> kept = attached.subscription.keep(batch.front());
  ASSERT_TRUE(kept);
  ChildProcess child([&]() -> std::string {
    kept.reset();
    batch.release();
    return "";
  });
  EXPECT_EQ(child.result(), "");
  const auto& cursors = attached.route().cursors();
  EXPECT_NE(cursors.tickets[0].batch.load(), 0U);
  EXPECT_NE(cursors.holds[0].load(), 0U);
  EXPECT_EQ(cursors.messages_held.load(), 2U);
  kept.reset();
  batch.release();
  EXPECT_EQ(cursors.tickets[0].batch.load(), 0U);
  EXPECT_EQ(cursors.holds[0].load(), 0U);
  EXPECT_EQ(cursors.messages_held.load(), 0U);
}

TEST(Forked, R28_a_child_drains_as_a_worker_of_its_own) {
  Subscribed attached;
  attached.route().publish("p", "a.b", "x");
  Signal held;
  ChildProcess child([&]() -> std::string {
    const Batch batch = attached.subscription.drain();
    held.send();
    for (;;) ::pause();
  });
  ASSERT_TRUE(held.wait());
  const auto& cursors = attached.route().cursors();
  EXPECT_EQ(static_cast<pid_t>(cursors.ticket_owners[0].load() & 0xffff'ffffU), child.pid());
  child.kill();
  (void)child.result();
  EXPECT_EQ(attached.subscription.wait(milliseconds(1)), WaitOutcome::timeout);
  EXPECT_EQ(cursors.tickets[0].batch.load(), 0U);
}

// ---- the data path -----------------------------------------------------------------------------

/// From now on, asking for a process number or for whether a process is there ends this process.
bool forbid_asking_for_processes() {
  const auto call = static_cast<std::uint32_t>(offsetof(seccomp_data, nr));
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, call),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_kill, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog program{std::size(steps), steps};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(DataPath, R28_draining_and_keeping_ask_the_kernel_about_no_process) {
  if (FAIRLEAD_SANITIZED) GTEST_SKIP();
  Subscribed attached;
  for (int i = 0; i < 1'000; ++i) attached.route().publish("p", "a.b", "x");
  ChildProcess child([&]() -> std::string {
    std::vector<Kept> kept;
    (void)this_process();
    if (!forbid_asking_for_processes()) return test::kSkipped + "no seccomp here";
    for (int i = 0; i < 1'000; ++i) {
      const Batch batch = attached.subscription.take();
      if (batch.size() != 1) return "nothing taken";
      auto one = attached.subscription.keep(batch.front());
      if (!one) return "nothing kept";
      if (i % 10 == 0) kept.push_back(std::move(*one));
    }
    return "";
  });
  const std::string result = child.result();
  if (result.starts_with(test::kSkipped)) GTEST_SKIP() << result;
  EXPECT_EQ(result, "");
}

}  // namespace
}  // namespace fairlead::guest

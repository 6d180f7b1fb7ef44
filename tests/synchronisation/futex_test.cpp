#include <fairlead/shm/futex.hpp>

#include <signal.h>

#include <gtest/gtest.h>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/segment.hpp>

#include "support/child_process.hpp"

namespace fairlead::shm {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using Word = std::atomic<std::uint32_t>;

TEST(Futex, does_not_sleep_when_the_word_has_changed) {
  const Word word{2};
  EXPECT_EQ(futex_wait(word, 1, hours(1)), FutexOutcome::changed);
}

TEST(Futex, times_out_on_the_monotonic_clock) {
  const Word word{1};
  const std::uint64_t begin = monotonic_ns();
  EXPECT_EQ(futex_wait(word, 1, milliseconds(10)), FutexOutcome::timed_out);
  EXPECT_GE(monotonic_ns() - begin, 10'000'000u);
  EXPECT_EQ(futex_wait(word, 1, milliseconds(-5)), FutexOutcome::timed_out);
}

TEST(Futex, an_unmapped_word_fails_by_name) {
  const auto* nowhere = reinterpret_cast<const Word*>(std::uintptr_t{64});
  EXPECT_EQ(futex_wait(*nowhere, 0, milliseconds(1)), FutexOutcome::failed);
}

TEST(Futex, wakes_a_process_that_sleeps_on_a_read_only_mapping) {
  const Segment writer = Segment::create_sealed("test", 4096, SealMode::broker_written);
  auto& word = *reinterpret_cast<Word*>(writer.data());
  test::ChildProcess sleeper([&]() -> std::string {
    OpenOptions options;
    options.check_header = false;
    const Segment reader =
        Segment::adopt_descriptor(writer.read_only_descriptor(), Access::read_only, options)
            .value();
    const auto& seen = *reinterpret_cast<const Word*>(reader.data());
    return futex_wait(seen, 0, hours(1)) == FutexOutcome::woken ? "" : "not woken";
  });
  ASSERT_TRUE(sleeper.wait_until_asleep());
  EXPECT_EQ(futex_wake(word, 64), 1);
  EXPECT_EQ(sleeper.result(), "");
  EXPECT_EQ(futex_wake(word, 64), 0);
}

TEST(Futex, a_signal_handler_interrupts) {
  const Segment segment = Segment::create_sealed("test", 4096, SealMode::guest_writable);
  const auto& word = *reinterpret_cast<Word*>(segment.data());
  test::Signal ready;
  test::ChildProcess sleeper([&]() -> std::string {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGUSR1, &action, nullptr);
    ready.send();
    return futex_wait(word, 0, hours(1)) == FutexOutcome::interrupted ? "" : "not interrupted";
  });
  ASSERT_TRUE(ready.wait());
  ASSERT_TRUE(sleeper.wait_until_asleep());
  EXPECT_TRUE(test::send_signal(sleeper.pid(), SIGUSR1));
  EXPECT_EQ(sleeper.result(), "");
}

TEST(Clock, realtime_is_after_2020_and_monotonic_never_goes_back) {
  EXPECT_GT(realtime_ns(), 1'577'836'800'000'000'000u);
  const std::uint64_t first = monotonic_ns();
  EXPECT_GE(monotonic_ns(), first);
}

}  // namespace
}  // namespace fairlead::shm

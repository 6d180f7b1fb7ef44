// What a guest polls, where the kernel has no memory for it.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fairlead/shm/unique_fd.hpp>

#include "poll_set.hpp"

namespace fairlead::guest {
namespace {

bool becomes_readable(const PollSet& set, int milliseconds) {
  pollfd entry{set.descriptor(), POLLIN, 0};
  return ::poll(&entry, 1, milliseconds) == 1;
}

TEST(PollSet, what_cannot_be_watched_is_readable_soon_and_watched_by_a_later_look) {
  const shm::UniqueFd wake_up(::eventfd(0, EFD_CLOEXEC));
  shm::UniqueFd connection(::eventfd(0, EFD_CLOEXEC));
  PollSet set;
  const int number = connection.get();
  connection.reset();  // epoll_ctl() fails now, as it does without memory
  EXPECT_FALSE(set.watch(wake_up.get(), number));
  EXPECT_TRUE(set.incomplete());
  EXPECT_TRUE(becomes_readable(set, 30'000));
  set.watch_again();
  EXPECT_TRUE(set.incomplete());

  connection.reset(::fcntl(wake_up.get(), F_DUPFD_CLOEXEC, number));
  ASSERT_EQ(connection.get(), number);
  set.watch_again();
  EXPECT_FALSE(set.incomplete());
  EXPECT_FALSE(becomes_readable(set, 50));
  ASSERT_EQ(::eventfd_write(wake_up.get(), 1), 0);
  EXPECT_TRUE(becomes_readable(set, 0));
}

TEST(PollSet, rest_forgets_what_could_not_be_watched) {
  PollSet set;
  EXPECT_FALSE(set.watch(1'000'000, -1));
  set.rest_until(std::chrono::steady_clock::now() + std::chrono::hours(1));
  EXPECT_FALSE(set.incomplete());
  EXPECT_FALSE(becomes_readable(set, 50));
}

}  // namespace
}  // namespace fairlead::guest

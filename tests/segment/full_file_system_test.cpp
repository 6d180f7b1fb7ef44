// A full /dev/shm is a refusal, never a signal. Each test has a tmpfs of its own, in a process and
// mount namespace of its own.
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <gtest/gtest.h>

#include <fairlead/shm/segment.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "support/child_process.hpp"

namespace fairlead::shm {
namespace {

constexpr std::size_t kMegabyte = 1024 * 1024;

void expect_success_in_own_file_system(const std::function<std::string()>& body,
                                       std::size_t bytes = kMegabyte) {
  test::ChildProcess child([&]() -> std::string {
    const std::string skipped = test::mount_own_shared_memory(bytes);
    return skipped.empty() ? body() : skipped;
  });
  const std::string said = child.result();
  if (said.starts_with(test::kSkipped)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "");
}

std::string name() { return make_segment_name("full", 1, SegmentKind::route, 1); }

std::size_t free_bytes() {
  struct statvfs found {};
  if (::statvfs("/dev/shm", &found) != 0) return 0;
  return found.f_bavail * found.f_frsize;
}

TEST(FullFileSystem, refuses_a_segment_that_does_not_fit_and_leaves_nothing_behind) {
  expect_success_in_own_file_system([]() -> std::string {
    try {
      (void)Segment::create_named(name(), 4 * kMegabyte, 2 * kMegabyte);
      return "was created";
    } catch (const Error& error) {
      if (error.code() != ErrorCode::out_of_memory) return error.what();
    }
    if (!list_segments().empty()) return "left a file behind";
    return free_bytes() == kMegabyte ? "" : "left memory behind";
  });
}

TEST(FullFileSystem, refuses_growth_and_what_was_there_stays_usable) {
  expect_success_in_own_file_system([]() -> std::string {
    Segment segment = Segment::create_named(name(), 8 * kMegabyte, kMegabyte / 2);
    if (segment.grow_to(6 * kMegabyte) != GrowOutcome::out_of_memory) return "grew";
    if (segment.file_bytes() != kMegabyte / 2) return "forgot its size";
    if (free_bytes() != kMegabyte / 2) return "kept memory of the failed growth";
    for (std::size_t i = 0; i < kMegabyte / 2; ++i) segment.data()[i] = std::byte{1};
    if (segment.grow_to(kMegabyte) != GrowOutcome::ok) return "did not grow into what is free";
    if (!segment.shrink_to(4096) || free_bytes() != kMegabyte - 4096) return "did not shrink";
    return "";
  });
}

TEST(FullFileSystem, a_long_growth_that_fails_halfway_gives_everything_back) {
  constexpr std::size_t kRoom = 10 * kMegabyte;
  expect_success_in_own_file_system(
      []() -> std::string {
        Segment segment = Segment::create_named(name(), 4 * kRoom, kMegabyte);
        if (segment.grow_to(2 * kRoom) != GrowOutcome::out_of_memory) return "grew";
        if (segment.file_bytes() != kMegabyte) return "forgot its size";
        return free_bytes() == kRoom - kMegabyte ? "" : "kept memory of the failed growth";
      },
      kRoom);
}

TEST(FullFileSystem, sealed_segments_do_not_depend_on_it) {
  expect_success_in_own_file_system([]() -> std::string {
    const Segment filler = Segment::create_named(name(), kMegabyte, kMegabyte);
    const Segment sealed = Segment::create_sealed("full", 2 * kMegabyte, SealMode::guest_writable);
    for (std::size_t i = 0; i < sealed.size(); i += 4096) sealed.data()[i] = std::byte{1};
    return "";
  });
}

TEST(FullFileSystem, the_file_size_limit_of_a_process_is_a_refusal_too) {
  test::ChildProcess child([]() -> std::string {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{4096, 4096};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "setrlimit";
    try {
      (void)Segment::create_named(name(), kMegabyte, kMegabyte);
      return "was created";
    } catch (const Error& error) {
      return error.code() == ErrorCode::limit ? "" : error.what();
    }
  });
  EXPECT_EQ(child.result(), "");
}

}  // namespace
}  // namespace fairlead::shm

// What a guest can do to a sealed segment with the descriptor that it was given: try it all.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fairlead/shm/segment.hpp>

#include "support/expect_error.hpp"
#include "support/test_segment.hpp"

namespace fairlead::shm {
namespace {

using test::kPage;
constexpr std::size_t kBytes = 4 * kPage;
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

bool can_map_writable(int descriptor) {
  void* const mapped = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (mapped == MAP_FAILED) return false;
  ::munmap(mapped, kPage);
  return true;
}

UniqueFd reopen_for_writing(int descriptor) {
  return UniqueFd(
      ::open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_RDWR | O_CLOEXEC));
}

void expect_size_is_fixed(int descriptor) {
  EXPECT_NE(::ftruncate(descriptor, 0), 0);
  EXPECT_NE(::ftruncate(descriptor, 2 * kBytes), 0);
  EXPECT_NE(::fcntl(descriptor, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), 0) << "no further seals";
  struct stat found {};
  ASSERT_EQ(::fstat(descriptor, &found), 0);
  EXPECT_EQ(found.st_size, static_cast<off_t>(kBytes));
}

TEST(SealedSegment, is_private_and_of_full_size_but_takes_no_memory_yet) {
  const Segment segment = Segment::create_sealed("test", kBytes - 1, SealMode::guest_writable);
  struct stat found {};
  ASSERT_EQ(::fstat(segment.descriptor(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0600u);
  EXPECT_EQ(found.st_size, static_cast<off_t>(kBytes));
  EXPECT_EQ(found.st_blocks, 0);
  EXPECT_EQ(segment.size(), kBytes);
  EXPECT_EQ(segment.file_bytes(), kBytes);
  EXPECT_EQ(segment.backing(), Backing::sealed);
  EXPECT_EQ(::fcntl(segment.descriptor(), F_GETFD), FD_CLOEXEC);
}

TEST(SealedSegment, a_guest_writable_one_can_be_written_but_not_resized) {
  const Segment segment = Segment::create_sealed("test", kBytes, SealMode::guest_writable);
  const UniqueFd guest = segment.duplicate_descriptor();
  EXPECT_TRUE(can_map_writable(guest.get()));
  expect_size_is_fixed(guest.get());
}

TEST(SealedSegment, a_punched_hole_reads_as_zero_and_harms_nobody) {
  const Segment segment = Segment::create_sealed("test", kBytes, SealMode::guest_writable);
  segment.data()[0] = std::byte{1};
  ASSERT_EQ(::fallocate(segment.descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                        static_cast<off_t>(kBytes)),
            0);
  EXPECT_EQ(segment.data()[0], std::byte{0});
}

TEST(SealedSegment, a_broker_written_one_is_written_through_the_first_mapping_alone) {
  const Segment segment = Segment::create_sealed("test", kBytes, SealMode::broker_written);
  // The worst case: a guest of our own uid, which reopens its read-only descriptor for writing.
  const UniqueFd reader = segment.read_only_descriptor();
  const UniqueFd writer = reopen_for_writing(reader.get());
  ASSERT_TRUE(writer) << "the same uid may do that: the seal, not the descriptor, is the boundary";
  for (const int descriptor : {reader.get(), writer.get(), segment.descriptor()}) {
    EXPECT_FALSE(can_map_writable(descriptor));
    EXPECT_NE(::pwrite(descriptor, "x", 1, 0), 1);
    EXPECT_NE(::fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                          static_cast<off_t>(kBytes)),
              0);
    expect_size_is_fixed(descriptor);
  }
  void* const mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, writer.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_NE(::mprotect(mapped, kPage, PROT_READ | PROT_WRITE), 0);
  segment.data()[7] = std::byte{7};
  EXPECT_EQ(static_cast<std::byte*>(mapped)[7], std::byte{7});
  ::munmap(mapped, kPage);
}

TEST(SealedSegment, a_read_only_descriptor_works_before_the_write_seal_too) {
  Segment pool = Segment::create_sealed("test", kBytes, SealMode::later);
  const UniqueFd owner = pool.duplicate_descriptor();
  const UniqueFd reader = pool.read_only_descriptor();
  EXPECT_FALSE(can_map_writable(reader.get()));
  void* const owned = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, owner.get(), 0);
  ASSERT_NE(owned, MAP_FAILED);
  EXPECT_TRUE(pool.seal_writes());
  EXPECT_FALSE(can_map_writable(owner.get()));
  expect_size_is_fixed(owner.get());
  static_cast<std::byte*>(owned)[1] = std::byte{5};
  EXPECT_EQ(pool.data()[1], std::byte{5});
  ::munmap(owned, kBytes);
}

TEST(SealedSegment, seal_writes_tells_when_an_owner_was_faster_with_other_seals) {
  Segment pool = Segment::create_sealed("test", kBytes, SealMode::later);
  ASSERT_EQ(::fcntl(pool.descriptor(), F_ADD_SEALS, F_SEAL_SEAL), 0);
  EXPECT_FALSE(pool.seal_writes());
}

TEST(SealedSegment, growing_and_shrinking_within_the_maximum_do_nothing) {
  Segment segment = Segment::create_sealed("test", kBytes, SealMode::broker_written);
  EXPECT_EQ(segment.grow_to(kBytes), GrowOutcome::ok);
  EXPECT_EQ(segment.grow_to(kBytes + 1), GrowOutcome::limit);
  EXPECT_TRUE(segment.shrink_to(kPage));
  EXPECT_EQ(segment.file_bytes(), kBytes);
  EXPECT_TRUE(segment.unlink());
}

TEST(AdoptedDescriptor, maps_what_the_broker_sent) {
  Segment broker = Segment::create_sealed("test", kBytes, SealMode::broker_written);
  test::write_header(broker);
  OpenOptions options;
  options.map_bytes = kBytes;
  options.required_seals = kSizeSeals | F_SEAL_FUTURE_WRITE;
  options.kind = SegmentKind::route;
  const Segment guest =
      Segment::adopt_descriptor(broker.read_only_descriptor(), Access::read_only, options).value();
  EXPECT_EQ(guest.backing(), Backing::sealed);
  EXPECT_EQ(guest.size(), kBytes);
  EXPECT_EQ(std::memcmp(guest.data(), broker.data(), kPage), 0);
}

TEST(AdoptedDescriptor, a_cursor_page_is_writable_from_both_sides) {
  Segment broker = Segment::create_sealed("test", kBytes, SealMode::guest_writable);
  test::write_header(broker, SegmentKind::cursor);
  const Segment guest =
      Segment::adopt_descriptor(broker.duplicate_descriptor(), Access::read_write, {}).value();
  guest.data()[kPage] = std::byte{1};
  EXPECT_EQ(broker.data()[kPage], std::byte{1});
}

TEST(AdoptedDescriptor, refusals_have_names) {
  Segment broker = Segment::create_sealed("test", kBytes, SealMode::later);
  OpenOptions options;
  const auto adopt = [&](Access access = Access::read_only) {
    return Segment::adopt_descriptor(broker.duplicate_descriptor(), access, options).outcome;
  };
  EXPECT_EQ(adopt(), OpenOutcome::not_ready);
  test::write_header(broker);
  EXPECT_EQ(adopt(), OpenOutcome::ok);
  options.required_seals = kSizeSeals;
  EXPECT_EQ(adopt(), OpenOutcome::wrong_seals);
  ASSERT_TRUE(broker.seal_writes());
  EXPECT_EQ(adopt(), OpenOutcome::ok);
  EXPECT_EQ(adopt(Access::read_write), OpenOutcome::system_error) << "FUTURE_WRITE refuses";
  options.map_bytes = 2 * kBytes;
  EXPECT_EQ(adopt(), OpenOutcome::truncated);
  options.minimum_file_bytes = 2 * kBytes;
  EXPECT_EQ(adopt(), OpenOutcome::truncated);
  EXPECT_EQ(Segment::adopt_descriptor(UniqueFd(), Access::read_only, {}).outcome,
            OpenOutcome::system_error);
}

TEST(AdoptedDescriptor, a_mode_that_another_reader_changed_can_be_ignored) {
  Segment broker = Segment::create_sealed("test", kBytes, SealMode::broker_written);
  test::write_header(broker);
  ASSERT_EQ(::fchmod(broker.descriptor(), 0666), 0);
  OpenOptions options;
  const auto adopt = [&] {
    return Segment::adopt_descriptor(broker.read_only_descriptor(), Access::read_only, options)
        .outcome;
  };
  EXPECT_EQ(adopt(), OpenOutcome::wrong_mode);
  options.check_mode = false;
  EXPECT_EQ(adopt(), OpenOutcome::ok);
}

}  // namespace
}  // namespace fairlead::shm

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include <gtest/gtest.h>

#include <fairlead/shm/segment.hpp>

#include "support/expect_error.hpp"
#include "support/test_segment.hpp"

namespace fairlead::shm {
namespace {

using test::TestName;

using test::kPage;

struct stat look_at(int descriptor) {
  struct stat found {};
  EXPECT_EQ(::fstat(descriptor, &found), 0);
  return found;
}

TEST(NamedSegment, is_allocated_in_full_private_and_zero) {
  const TestName name;
  const Segment segment = Segment::create_named(name.name(), 64 * kPage, 3 * kPage);
  const struct stat found = look_at(segment.descriptor());
  EXPECT_EQ(found.st_mode & 07777, 0600u);
  EXPECT_EQ(found.st_size, static_cast<off_t>(3 * kPage));
  EXPECT_GE(found.st_blocks * 512, static_cast<blkcnt_t>(3 * kPage));
  EXPECT_EQ(segment.size(), 64 * kPage);
  EXPECT_EQ(segment.file_bytes(), 3 * kPage);
  EXPECT_EQ(segment.backing(), Backing::named);
  EXPECT_EQ(::fcntl(segment.descriptor(), F_GETFD), FD_CLOEXEC);
  for (std::size_t i = 0; i < 3 * kPage; ++i) ASSERT_EQ(segment.data()[i], std::byte{0});
}

TEST(NamedSegment, mode_0600_whatever_the_umask) {
  const TestName name;
  const mode_t before = ::umask(0277);
  const Segment segment = Segment::create_named(name.name(), kPage, kPage);
  ::umask(before);
  EXPECT_EQ(look_at(segment.descriptor()).st_mode & 07777, 0600u);
}

TEST(NamedSegment, a_taken_name_is_refused_and_the_owner_named) {
  const TestName name;
  const UniqueFd squatter(::open(name.path().c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644));
  ASSERT_TRUE(squatter);
  ASSERT_EQ(::fchmod(squatter.get(), 0644), 0);
  const std::string sentence = test::expect_error(
      ErrorCode::name_taken, [&] { (void)Segment::create_named(name.name(), kPage, kPage); });
  EXPECT_NE(sentence.find("uid " + std::to_string(::geteuid())), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("mode 0644"), std::string::npos) << sentence;
  EXPECT_TRUE(name.exists()) << "what somebody else made is not ours to remove";
}

TEST(NamedSegment, a_dangling_symbolic_link_takes_a_name_too) {
  const TestName name;
  ASSERT_EQ(::symlink("/tmp/fairlead_must_not_be_created", name.path().c_str()), 0);
  test::expect_error(ErrorCode::name_taken,
                     [&] { (void)Segment::create_named(name.name(), kPage, kPage); });
  EXPECT_NE(::access("/tmp/fairlead_must_not_be_created", F_OK), 0);
}

TEST(NamedSegment, bad_sizes_and_names_are_refused_before_anything_is_made) {
  const TestName name;
  const auto create = [&](const std::string& text, std::size_t maximum, std::size_t initial) {
    test::expect_error(ErrorCode::invalid_argument,
                       [&] { (void)Segment::create_named(text, maximum, initial); });
  };
  create(name.name(), 0, 0);
  create(name.name(), kPage, 0);
  create(name.name(), kPage, kPage + 1);
  create(name.name(), SIZE_MAX, kPage);
  create("", kPage, kPage);
  create("../" + name.name(), kPage, kPage);
  EXPECT_FALSE(name.exists());
}

TEST(NamedSegment, what_cannot_be_mapped_leaves_no_file_behind) {
  const TestName name;
  const std::size_t more_than_an_address_space = std::size_t{1} << 60;
  test::expect_error(ErrorCode::out_of_memory, [&] {
    (void)Segment::create_named(name.name(), more_than_an_address_space, kPage);
  });
  EXPECT_FALSE(name.exists());
}

TEST(NamedSegment, grows_underneath_its_mapping_up_to_the_maximum) {
  const TestName name;
  Segment segment = Segment::create_named(name.name(), 8 * kPage, kPage);
  std::byte* const before = segment.data();
  EXPECT_EQ(segment.grow_to(kPage + 1), GrowOutcome::ok);
  EXPECT_EQ(segment.file_bytes(), 2 * kPage);
  EXPECT_EQ(segment.grow_to(8 * kPage), GrowOutcome::ok);
  EXPECT_GE(look_at(segment.descriptor()).st_blocks * 512, static_cast<blkcnt_t>(8 * kPage));
  segment.data()[8 * kPage - 1] = std::byte{7};
  EXPECT_EQ(segment.data(), before);
  EXPECT_EQ(segment.grow_to(8 * kPage + 1), GrowOutcome::limit);
  EXPECT_EQ(segment.grow_to(SIZE_MAX), GrowOutcome::limit);
}

TEST(NamedSegment, shrinks_from_the_end_and_comes_back_as_zero) {
  const TestName name;
  Segment segment = Segment::create_named(name.name(), 8 * kPage, 8 * kPage);
  std::memset(segment.data(), 0xff, 8 * kPage);
  EXPECT_TRUE(segment.shrink_to(2 * kPage + 1));
  EXPECT_EQ(segment.file_bytes(), 3 * kPage);
  EXPECT_EQ(look_at(segment.descriptor()).st_size, static_cast<off_t>(3 * kPage));
  EXPECT_EQ(segment.data()[3 * kPage - 1], std::byte{0xff});
  EXPECT_EQ(segment.grow_to(4 * kPage), GrowOutcome::ok);
  EXPECT_EQ(segment.data()[3 * kPage], std::byte{0});
}

TEST(NamedSegment, outlives_its_object_until_it_is_unlinked) {
  const TestName name;
  { const Segment segment = Segment::create_named(name.name(), kPage, kPage); }
  EXPECT_TRUE(name.exists());
  ::unlink(name.path().c_str());
  Segment again = Segment::create_named(name.name(), kPage, kPage);
  EXPECT_TRUE(again.unlink());
  EXPECT_FALSE(name.exists());
  EXPECT_TRUE(again.unlink()) << "gone is gone";
  again.data()[0] = std::byte{1};
}

TEST(NamedSegment, unlink_leaves_somebody_elses_file_of_that_name) {
  const TestName name;
  Segment ours = Segment::create_named(name.name(), kPage, kPage);
  ASSERT_EQ(::unlink(name.path().c_str()), 0);
  const Segment theirs = Segment::create_named(name.name(), kPage, kPage);
  EXPECT_TRUE(ours.unlink());
  EXPECT_TRUE(name.exists());
}

TEST(NamedSegment, a_read_only_descriptor_refuses_writable_mappings) {
  const TestName name;
  const Segment segment = Segment::create_named(name.name(), kPage, kPage);
  const UniqueFd reader = segment.read_only_descriptor();
  EXPECT_EQ(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reader.get(), 0),
            MAP_FAILED);
  EXPECT_EQ(errno, EACCES);
  void* const mapped = ::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, reader.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_NE(::mprotect(mapped, kPage, PROT_READ | PROT_WRITE), 0);
  segment.data()[5] = std::byte{9};
  EXPECT_EQ(static_cast<std::byte*>(mapped)[5], std::byte{9});
  EXPECT_NE(::ftruncate(reader.get(), 0), 0);
  ::munmap(mapped, kPage);
}

TEST(NamedSegment, moving_hands_over_mapping_and_descriptor) {
  const TestName name;
  Segment first = Segment::create_named(name.name(), kPage, kPage);
  std::byte* const data = first.data();
  Segment second = std::move(first);
  EXPECT_FALSE(first.valid());
  EXPECT_EQ(first.data(), nullptr);
  EXPECT_EQ(second.data(), data);
  Segment third;
  third = std::move(second);
  EXPECT_EQ(third.data(), data);
  EXPECT_EQ(third.name(), name.name());
  third = Segment();
  EXPECT_FALSE(third.valid());
}

}  // namespace
}  // namespace fairlead::shm

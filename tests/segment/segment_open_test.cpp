#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <fairlead/shm/segment.hpp>

#include "support/child_process.hpp"
#include "support/expect_error.hpp"
#include "support/test_segment.hpp"

namespace fairlead::shm {
namespace {

using test::TestName;

using test::kPage;

OpenOptions mine() {
  OpenOptions options;
  options.owner = ::geteuid();
  return options;
}

/// A finished route segment, and what opening it says after `spoil` had its way with it.
class OpenNamedSegment : public ::testing::Test {
 protected:
  Segment make() {
    Segment segment = Segment::create_named(name_.name(), 4 * kPage, 2 * kPage);
    test::write_header(segment);
    return segment;
  }

  void expect(OpenOutcome outcome, const std::string& words, OpenOptions options = mine()) {
    const OpenResult result = Segment::open_named_read_only(name_.name(), options);
    EXPECT_EQ(to_string(result.outcome), to_string(outcome));
    EXPECT_NE(result.sentence.find(words), std::string::npos) << result.sentence;
    EXPECT_EQ(result.segment.valid(), outcome == OpenOutcome::ok);
  }

  TestName name_;
};

TEST_F(OpenNamedSegment, ok_sees_the_writers_bytes_and_cannot_write) {
  const Segment writer = make();
  const Segment reader = Segment::open_named_read_only(name_.name(), mine()).value();
  EXPECT_EQ(reader.size(), 2 * kPage);
  EXPECT_EQ(reader.access(), Access::read_only);
  EXPECT_EQ(reader.backing(), Backing::named);
  writer.data()[kPage] = std::byte{42};
  EXPECT_EQ(reader.data()[kPage], std::byte{42});
  EXPECT_NE(::mprotect(reader.data(), kPage, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(::fcntl(reader.descriptor(), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_NE(::fcntl(reader.descriptor(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(OpenNamedSegment, a_mapping_of_the_maximum_sees_the_file_grow) {
  Segment writer = make();
  OpenOptions options = mine();
  options.map_bytes = 4 * kPage;
  const Segment reader = Segment::open_named_read_only(name_.name(), options).value();
  ASSERT_EQ(writer.grow_to(4 * kPage), GrowOutcome::ok);
  writer.data()[4 * kPage - 1] = std::byte{3};
  EXPECT_EQ(reader.data()[4 * kPage - 1], std::byte{3});
}

TEST_F(OpenNamedSegment, missing) {
  expect(OpenOutcome::missing, "no segment");
  EXPECT_EQ(Segment::open_named_read_only("../etc/passwd", mine()).outcome, OpenOutcome::missing);
}

TEST_F(OpenNamedSegment, not_ready_until_the_version_is_published) {
  Segment segment = Segment::create_named(name_.name(), kPage, kPage);
  expect(OpenOutcome::not_ready, "not finished");
  test::write_header(segment, SegmentKind::route, 0);
  expect(OpenOutcome::not_ready, "not finished");
}

TEST_F(OpenNamedSegment, wrong_magic) {
  Segment segment = make();
  test::write_header(segment, SegmentKind::route, kLayoutVersion, kLayoutHash, 0x1234);
  expect(OpenOutcome::wrong_magic, "not a fairlead segment");
}

TEST_F(OpenNamedSegment, wrong_version) {
  Segment segment = make();
  test::write_header(segment, SegmentKind::route, kLayoutVersion + 1);
  expect(OpenOutcome::wrong_version, "version " + std::to_string(kLayoutVersion + 1));
}

TEST_F(OpenNamedSegment, wrong_layout) {
  Segment segment = make();
  test::write_header(segment, SegmentKind::route, kLayoutVersion, kLayoutHash ^ 1);
  expect(OpenOutcome::wrong_layout, "another struct layout");
}

TEST_F(OpenNamedSegment, wrong_kind) {
  const Segment segment = make();
  OpenOptions options = mine();
  options.kind = SegmentKind::table;
  expect(OpenOutcome::wrong_kind, "is a route segment, expected table", options);
}

TEST_F(OpenNamedSegment, wrong_owner) {
  const Segment segment = make();
  OpenOptions options = mine();
  options.owner = ::geteuid() + 1;
  expect(OpenOutcome::wrong_owner, "belongs to uid " + std::to_string(::geteuid()), options);
}

TEST_F(OpenNamedSegment, wrong_owner_is_said_even_of_a_file_that_we_may_not_read) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be two users";
  const Segment segment = make();
  test::ChildProcess other([&]() -> std::string {
    if (::setresuid(65'534, 65'534, 65'534) != 0) return "setresuid";
    const OpenResult result = Segment::open_named_read_only(name_.name(), mine());
    return std::string(to_string(result.outcome)) + ": " + result.sentence;
  });
  const std::string said = other.result();
  EXPECT_TRUE(said.starts_with("wrong_owner:")) << said;
  EXPECT_NE(said.find("belongs to uid 0"), std::string::npos) << said;
}

TEST_F(OpenNamedSegment, wrong_mode) {
  const Segment segment = make();
  ASSERT_EQ(::fchmod(segment.descriptor(), 0640), 0);
  expect(OpenOutcome::wrong_mode, "mode 0640");
}

TEST_F(OpenNamedSegment, too_small) {
  const Segment segment = make();
  ASSERT_EQ(::ftruncate(segment.descriptor(), sizeof(SegmentHeader) - 1), 0);
  expect(OpenOutcome::too_small, "255 bytes");
}

TEST_F(OpenNamedSegment, truncated) {
  const Segment segment = make();
  OpenOptions options = mine();
  options.minimum_file_bytes = 2 * kPage;
  expect(OpenOutcome::ok, "", options);
  ASSERT_EQ(::ftruncate(segment.descriptor(), kPage), 0);
  expect(OpenOutcome::truncated, "was cut to 4096 bytes", options);
}

TEST_F(OpenNamedSegment, not_regular_is_neither_followed_nor_waited_for) {
  ASSERT_EQ(::symlink("/etc/passwd", name_.path().c_str()), 0);
  expect(OpenOutcome::not_regular, "not a regular file");
  ASSERT_EQ(::unlink(name_.path().c_str()), 0);
  ASSERT_EQ(::mkfifo(name_.path().c_str(), 0600), 0);
  expect(OpenOutcome::not_regular, "not a regular file");
}

TEST_F(OpenNamedSegment, out_of_memory_when_the_mapping_does_not_fit) {
  const Segment segment = make();
  OpenOptions options = mine();
  options.map_bytes = std::uint64_t{1} << 60;
  expect(OpenOutcome::out_of_memory, "cannot map", options);
}

TEST_F(OpenNamedSegment, value_throws_the_code_that_belongs_to_the_outcome) {
  const auto open = [&] { (void)Segment::open_named_read_only(name_.name(), mine()).value(); };
  test::expect_error(ErrorCode::not_found, open);
  const Segment segment = Segment::create_named(name_.name(), kPage, kPage);
  test::expect_error(ErrorCode::not_ready, open);
  ASSERT_EQ(::fchmod(segment.descriptor(), 0666), 0);
  test::expect_error(ErrorCode::foreign_segment, open);
}

TEST_F(OpenNamedSegment, read_write_takes_a_segment_over_and_grows_it) {
  const Segment first = make();
  OpenOptions options;
  options.map_bytes = 4 * kPage;
  Segment second = Segment::open_named_read_write(name_.name(), options).value();
  EXPECT_EQ(second.file_bytes(), 2 * kPage);
  EXPECT_EQ(second.grow_to(4 * kPage), GrowOutcome::ok);
  second.data()[4 * kPage - 1] = std::byte{8};
  EXPECT_EQ(first.data()[4 * kPage - 1], std::byte{8});
  EXPECT_TRUE(second.unlink());
  EXPECT_FALSE(name_.exists());
}

TEST_F(OpenNamedSegment, read_write_never_takes_over_what_another_uid_owns) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const Segment segment = make();
  ASSERT_EQ(::fchown(segment.descriptor(), 65'534, 65'534), 0);
  EXPECT_EQ(Segment::open_named_read_write(name_.name(), {}).outcome, OpenOutcome::wrong_owner);
}

TEST(OpenOutcomes, each_has_a_name_and_a_code) {
  EXPECT_EQ(to_string(OpenOutcome::system_error), "system_error");
  EXPECT_EQ(to_string(OpenOutcome::wrong_seals), "wrong_seals");
  EXPECT_EQ(to_string(static_cast<OpenOutcome>(200)), "unknown");
  for (int i = 1; i <= static_cast<int>(OpenOutcome::system_error); ++i) {
    EXPECT_NE(to_string(error_code(static_cast<OpenOutcome>(i))), "unknown");
  }
}

}  // namespace
}  // namespace fairlead::shm

// When the broker signals a guest that has registered to sleep (R28).
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string_view>

#include <fairlead/shm/route_writer.hpp>

#include "support/heap_memory.hpp"

namespace fairlead::test {
namespace {

class Registration : public testing::Test {
 protected:
  static constexpr std::uint32_t kLanes = shm::kLanesPerPage;

  Registration()
      : segment_(shm::kRouteArenaOffset + (1U << 20U)),
        cursors_(shm::cursor_segment_bytes(kLanes)) {
    shm::RouteIdentity identity{};
    identity.budget_bytes = identity.cap_bytes = 1U << 20U;
    identity.lane_capacity = kLanes;
    (void)segment_.grow_to(shm::kRouteArenaOffset);
    shm::format_route(segment_.data(), identity, shm::SegmentHeader{});
    shm::format_cursors(cursors_.data(), shm::SegmentHeader{});
    writer_ = std::make_unique<shm::RouteWriter>(segment_, cursors_.data());
    lane_ = *writer_->open_lane("alice");
  }

  void append_and_ring() {
    constexpr std::string_view kText = "x";
    ASSERT_EQ(writer_->append(lane_, {}, "t", std::as_bytes(std::span(kText))),
              shm::RouteWriter::Append::ok);
    writer_->move_doorbell();
  }
  void register_sleeper() {
    reinterpret_cast<shm::CursorHeader*>(cursors_.data())->wait_count.fetch_add(1);
  }
  void arm() { reinterpret_cast<shm::CursorHeader*>(cursors_.data())->arm_count.fetch_add(1); }
  bool settle() {
    bool armed = false;
    return writer_->settle(armed);
  }
  bool settle_armed() {
    bool armed = false;
    (void)writer_->settle(armed);
    return armed;
  }

  tests::HeapMemory segment_;
  tests::HeapMemory cursors_;
  std::unique_ptr<shm::RouteWriter> writer_;
  shm::Lane lane_ = 0;
};

TEST_F(Registration, R28_a_sleeper_that_registered_after_it_saw_a_ring_is_woken_by_the_next_one) {
  append_and_ring();
  register_sleeper();  // it saw the doorbell moved, and took the message already
  EXPECT_TRUE(settle());
  append_and_ring();  // the signal just given may have come before it slept
  EXPECT_TRUE(settle());
}

TEST_F(Registration, R28_nobody_is_signalled_when_nobody_has_registered) {
  append_and_ring();
  EXPECT_FALSE(settle());
}

TEST_F(Registration, R28_a_registration_is_signalled_no_more_than_twice) {
  register_sleeper();
  for (int ring = 0; ring < 2; ++ring) {
    append_and_ring();
    EXPECT_TRUE(settle());
  }
  append_and_ring();
  EXPECT_FALSE(settle());
}

// ---- the pollable descriptor: one signal for each time that the guest asked --------------------

TEST_F(Registration, R28_the_very_first_arm_is_signalled_by_the_next_ring_and_by_no_other) {
  arm();  // before anything was published
  append_and_ring();
  EXPECT_TRUE(settle_armed());
  append_and_ring();
  EXPECT_FALSE(settle_armed());
}

TEST_F(Registration, R28_a_ring_before_the_first_arm_signals_nobody) {
  append_and_ring();
  EXPECT_FALSE(settle_armed());
  arm();
  append_and_ring();
  EXPECT_TRUE(settle_armed());
}

TEST_F(Registration, R28_arming_again_and_again_is_signalled_again_and_again) {
  for (int question = 0; question < 3; ++question) {
    arm();
    arm();  // two workers ask for the same ring
    append_and_ring();
    EXPECT_TRUE(settle_armed());
    append_and_ring();
    EXPECT_FALSE(settle_armed());
  }
}

}  // namespace
}  // namespace fairlead::test

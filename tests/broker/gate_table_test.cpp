// The route table shows each route's own gate (R13), whatever was opened and retired.
#include <memory>

#include <gtest/gtest.h>

#include <fairlead/shm/layout/table_layout.hpp>
#include <fairlead/shm/segment_name.hpp>

#include "delivery/gate.hpp"
#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

class GateTable : public testing::Test {
 protected:
  std::unique_ptr<RawRoute> subscribe(bool staged) {
    auto packet = guest_->subscribe_packet("t");
    packet.staged = staged ? 1 : 0;
    return guest_->subscribe(packet);
  }
  /// As the table has it.
  std::uint64_t gate_of(const RawRoute& route) const {
    shm::OpenOptions options;
    options.kind = shm::SegmentKind::table;
    options.check_mode = false;
    const shm::Segment table =
        shm::Segment::open_named_read_only(shm::table_segment_name(broker_.name()), options)
            .value();
    const auto* const entries =
        reinterpret_cast<const shm::TableEntry*>(table.data() + shm::kTableEntriesOffset);
    for (std::size_t each = 0; each < 8; ++each) {
      if (entries[each].identity.subscription == route.answer.subscription)
        return entries[each].gate.load();
    }
    ADD_FAILURE() << "not in the table";
    return 0;
  }
  /// Whether a message passes the gate, and whether the table says so.
  void expect(RawRoute& route, bool open, const char* what) {
    const std::uint64_t gate = gate_of(route);
    (void)broker_->publish("bob", "t", "x");
    const auto got = route.drain();
    EXPECT_EQ(!got.empty(), open) << what;
    EXPECT_EQ(gate != broker::Gate::kNever, open) << what;
    if (!got.empty()) {
      EXPECT_LE(gate, got.back().sequence) << what;
    }
  }

  TestBroker broker_;
  std::unique_ptr<RawGuest> guest_ = broker_.guest("alice");
};

TEST_F(GateTable, R13_opening_shows_only_those_that_were_staged) {
  const auto unstaged = subscribe(false);
  const auto staged = subscribe(true);
  expect(*unstaged, true, "unstaged");
  expect(*staged, false, "staged");
  const std::uint64_t before = gate_of(*unstaged);
  guest_->set_gate(true);
  EXPECT_EQ(gate_of(*unstaged), before) << "it was open already";
  expect(*unstaged, true, "unstaged, opened");
  expect(*staged, true, "staged, opened");
  const std::uint64_t opened = gate_of(*staged);
  const auto late = subscribe(true);
  expect(*late, false, "staged later");
  guest_->set_gate(true);
  EXPECT_EQ(gate_of(*staged), opened) << "it was open already";
  expect(*late, true, "staged later, opened");
}

TEST_F(GateTable, R13_retired_ones_are_never_until_they_are_opened_again) {
  const auto unstaged = subscribe(false);
  const auto staged = subscribe(true);
  guest_->set_gate(false);
  expect(*unstaged, false, "retired");
  expect(*staged, false, "staged, retired");
  const auto late = subscribe(false);
  expect(*late, true, "unstaged after that");
  guest_->set_gate(true);
  for (RawRoute* const route : {unstaged.get(), staged.get(), late.get()})
    expect(*route, true, "opened again");
}

}  // namespace
}  // namespace fairlead::test

// R28: slots of dead workers, at every point where two sweeps and a new owner can meet. Without
// processes: a test says who is dead, and lets things happen while it is asked.
#include "worker_slots.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace fairlead::shm {
namespace {

// Owners that are not us; numbers of processes that nobody has.
constexpr ProcessIdentity kDead = make_process_identity(1 << 22, 7);
constexpr ProcessIdentity kOther = make_process_identity((1 << 22) + 1, 7);

class Slots : public testing::Test {
 protected:
  using Holds = WorkerSlots<std::atomic<std::uint64_t>>;

  Holds view() { return {pins_, owners_}; }
  void give(std::uint32_t slot, ProcessIdentity owner, std::uint64_t pin) {
    owners_[slot] = owner;
    pins_[slot] = pin;
  }
  void expect(std::uint32_t slot, ProcessIdentity owner, std::uint64_t pin) {
    EXPECT_EQ(owners_[slot].load(), owner) << slot;
    EXPECT_EQ(pins_[slot].load(), pin) << slot;
  }
  static bool only_that_one(ProcessIdentity owner) { return owner == kDead; }

  std::array<std::atomic<std::uint64_t>, 4> pins_{};
  std::array<std::atomic<ProcessIdentity>, 4> owners_{};
};

TEST_F(Slots, R28_a_late_sweep_leaves_the_slot_to_whoever_took_it_meanwhile) {
  give(0, kDead, 11);
  view().sweep([&](ProcessIdentity owner) {
    // We have found it dead and stand still; another worker sweeps, and a third one takes the slot.
    view().sweep(only_that_one);
    give(0, kOther, 22);
    return owner == kDead;
  });
  expect(0, kOther, 22);
}

TEST_F(Slots, R28_a_late_sweep_leaves_the_slot_to_us_if_we_took_it_meanwhile) {
  give(0, kDead, 11);
  view().sweep([&](ProcessIdentity owner) {
    view().sweep(only_that_one);
    EXPECT_EQ(view().claim(), 0U);
    pins_[0] = 22;
    return owner == kDead;
  });
  expect(0, this_process(), 22);
}

TEST_F(Slots, R28_a_slot_is_its_new_owners_before_its_pin_is_set) {
  give(0, kDead, 11);
  view().sweep(only_that_one);
  ASSERT_EQ(view().claim(), 0U);
  view().sweep([](ProcessIdentity) { return true; });  // nobody asks about a living owner: us
  expect(0, this_process(), 0);
}

TEST_F(Slots, R28_a_worker_may_die_at_every_step) {
  give(0, kDead, 0);   // claimed, no pin yet; or gave the pin back, still the owner
  give(1, kDead, 11);  // in use
  give(2, kOther, 33);
  view().sweep(only_that_one);
  expect(0, 0, 0);
  expect(1, 0, 0);
  expect(2, kOther, 33);
}

TEST_F(Slots, R28_a_sweeper_may_die_in_the_middle_of_its_sweep) {
  give(0, kDead, 11);
  owners_[0] = kOther;  // who found it dead took it over, and died before it cleared the pin
  view().sweep([](ProcessIdentity owner) { return owner == kOther; });
  expect(0, 0, 0);
}

TEST_F(Slots, R28_who_had_our_number_before_us_is_dead) {
  give(0, this_process() ^ std::uint64_t{1} << 32, 11);
  EXPECT_TRUE(is_dead(owners_[0]));
  view().sweep(is_dead);
  expect(0, 0, 0);
}

TEST_F(Slots, R28_scribbled_owners_are_nobody_and_cost_no_slot_for_ever) {
  give(0, make_process_identity(-1, 3), 11);
  give(1, make_process_identity(0, 3), 11);
  give(2, ~std::uint64_t{0}, 11);
  give(3, 0, 11);  // a pin without an owner: overwritten by whoever claims the slot
  std::set<std::uint32_t> claimed;
  for (int i = 0; i < 4; ++i) claimed.insert(view().claim().value_or(99));
  EXPECT_EQ(claimed, (std::set<std::uint32_t>{0, 1, 2, 3}));
  EXPECT_FALSE(view().claim());
}

TEST_F(Slots, R22_only_the_owner_gives_back) {
  give(1, kOther, 11);
  EXPECT_FALSE(view().give_back(1));
  EXPECT_FALSE(view().give_back(0));  // nobody's
  EXPECT_FALSE(view().give_back(4));  // no such slot
  expect(1, kOther, 11);
  ASSERT_EQ(view().claim(), 0U);
  pins_[0] = 22;
  EXPECT_TRUE(view().give_back(0));
  EXPECT_FALSE(view().give_back(0));
  expect(0, 0, 0);
}

TEST_F(Slots, R28_an_owner_of_many_is_asked_about_once_and_we_never) {
  ASSERT_EQ(view().claim(), 0U);
  for (std::uint32_t slot = 1; slot < 4; ++slot) give(slot, kOther, 11);
  int asked = 0;
  view().sweep([&](ProcessIdentity owner) {
    EXPECT_EQ(owner, kOther);
    ++asked;
    return false;
  });
  EXPECT_EQ(asked, 1);
}

// Everybody sweeps all the time, everything is dead at once that is not ours.
TEST_F(Slots, R28_threads_that_sweep_and_claim_never_share_a_slot) {
  constexpr int kRounds = 20'000;
  std::array<std::atomic<int>, 4> users{};
  std::atomic<int> collisions{0};
  std::array<std::thread, 3> threads;
  for (std::size_t thread = 0; thread < threads.size(); ++thread) {
    threads[thread] = std::thread([&, thread] {
      for (int i = 0; i < kRounds; ++i) {
        const auto slot = view().claim();
        if (!slot) continue;
        if (users[*slot].fetch_add(1) != 0) ++collisions;
        pins_[*slot].store(thread + 1);
        if (pins_[*slot].load() != thread + 1) ++collisions;
        users[*slot].fetch_sub(1);
        if (i % 3 == 0) {
          owners_[*slot].store(kDead);  // dies here, in a way
        } else if (!view().give_back(*slot)) {
          ++collisions;
        }
        view().sweep([](ProcessIdentity) { return true; });
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(collisions.load(), 0);
  for (std::uint32_t slot = 0; slot < 4; ++slot) expect(slot, 0, 0);
}

}  // namespace
}  // namespace fairlead::shm

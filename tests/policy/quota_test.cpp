#include "policy/quota.hpp"

#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "policy/quota_ledger.hpp"

namespace fairlead::broker {
namespace {

using Result = std::variant<QuotaCharge, QuotaRefusal>;

constexpr QuotaAmounts kPlenty{.guests = 1'000'000,
                               .routes = 1'000'000,
                               .budget_bytes = 1ULL << 50,
                               .descriptors = 1'000'000,
                               .outbox_bytes = 1ULL << 50,
                               .in_flight = 1'000'000};

std::shared_ptr<QuotaAccount> lone_account(const QuotaAmounts& limits) {
  return QuotaAccount::make_root("alice", limits, {});
}

QuotaCharge accepted(Result result) {
  EXPECT_TRUE(std::holds_alternative<QuotaCharge>(result));
  return std::holds_alternative<QuotaCharge>(result) ? std::move(std::get<QuotaCharge>(result))
                                                     : QuotaCharge();
}

QuotaRefusal refused(Result result) {
  EXPECT_TRUE(std::holds_alternative<QuotaRefusal>(result));
  return std::holds_alternative<QuotaRefusal>(result) ? std::get<QuotaRefusal>(result)
                                                      : QuotaRefusal{};
}

TEST(Quota, R32_a_charge_up_to_the_limit_is_accepted_and_one_beyond_is_not) {
  const auto account = lone_account({.routes = 3});
  QuotaCharge held = accepted(account->charge({.routes = 2}));
  const QuotaRefusal refusal = refused(account->charge({.routes = 2}));
  EXPECT_EQ(refusal.account, "alice");
  EXPECT_EQ(refusal.resource, QuotaResource::routes);
  EXPECT_EQ(refusal.asked, 2U);
  EXPECT_EQ(refusal.used, 2U);
  EXPECT_EQ(refusal.limit, 3U);
  EXPECT_FALSE(refusal.shared);
  const QuotaCharge last = accepted(account->charge({.routes = 1}));
  EXPECT_EQ(account->used().routes, 3U);
}

TEST(Quota, R32_every_resource_has_a_limit_of_its_own) {
  for (const QuotaResource resource : kAllQuotaResources) {
    QuotaAmounts limits = kPlenty;
    limits.of(resource) = 0;
    QuotaAmounts asked{.guests = 1,
                       .routes = 1,
                       .budget_bytes = 1,
                       .descriptors = 1,
                       .outbox_bytes = 1,
                       .in_flight = 1};
    EXPECT_EQ(refused(lone_account(limits)->charge(asked)).resource, resource);
    asked.of(resource) = 0;
    EXPECT_EQ(accepted(lone_account(limits)->charge(asked)).amounts(), asked);
  }
}

TEST(Quota, R32_a_refused_charge_charges_nothing_anywhere) {
  const auto root = QuotaAccount::make_root("the broker", {.routes = 1'000, .descriptors = 5}, {});
  const auto account = root->make_child("alice", kPlenty);
  const QuotaRefusal refusal = refused(account->charge({.routes = 1, .descriptors = 6}));
  EXPECT_EQ(refusal.account, "the broker");
  EXPECT_EQ(account->used(), QuotaAmounts{});
  EXPECT_EQ(root->used(), QuotaAmounts{});
}

TEST(Quota, R32_amounts_near_the_end_of_64_bits_do_not_wrap_around) {
  const auto root = QuotaAccount::make_root("the broker", {.budget_bytes = UINT64_MAX}, {});
  const auto account = root->make_child("alice", {.budget_bytes = UINT64_MAX});
  const QuotaCharge half = accepted(account->charge({.budget_bytes = UINT64_MAX / 2}));
  EXPECT_FALSE(refused(account->charge({.budget_bytes = UINT64_MAX})).shared);
  EXPECT_TRUE(refused(account->charge({.budget_bytes = UINT64_MAX / 2})).shared);
  EXPECT_EQ(account->used().budget_bytes, UINT64_MAX / 2);
}

TEST(Quota, R32_what_was_charged_comes_back_when_the_charge_ends) {
  const auto root = QuotaAccount::make_root("the broker", kPlenty, {});
  const auto account = root->make_child("alice", {.routes = 1});
  {
    const QuotaCharge charge = accepted(account->charge({.routes = 1}));
    EXPECT_EQ(root->used().routes, 1U);
    refused(account->charge({.routes = 1}));
  }
  EXPECT_EQ(account->used(), QuotaAmounts{});
  EXPECT_EQ(root->used(), QuotaAmounts{});
  EXPECT_EQ(accepted(account->charge({.routes = 1})).amounts().routes, 1U);
}

TEST(Quota, R32_a_moved_charge_is_given_back_once) {
  const auto account = lone_account({.routes = 10});
  QuotaCharge first = accepted(account->charge({.routes = 3}));
  QuotaCharge second(std::move(first));
  EXPECT_EQ(account->used().routes, 3U);
  QuotaCharge third = accepted(account->charge({.routes = 5}));
  third = std::move(second);  // gives back the five
  EXPECT_EQ(account->used().routes, 3U);
  first.release();
  second.release();
  EXPECT_EQ(account->used().routes, 3U);
  third.release();
  third.release();
  EXPECT_EQ(account->used().routes, 0U);
}

TEST(Quota, R32_a_part_can_be_given_back_but_never_more_than_is_held) {
  const auto account = lone_account({.routes = 10, .descriptors = 10});
  QuotaCharge other = accepted(account->charge({.routes = 4}));
  QuotaCharge charge = accepted(account->charge({.routes = 2, .descriptors = 6}));
  charge.reduce({.descriptors = 2});
  EXPECT_EQ(account->used(), (QuotaAmounts{.routes = 6, .descriptors = 4}));
  charge.reduce({.routes = 100, .descriptors = 100});
  EXPECT_EQ(account->used(), (QuotaAmounts{.routes = 4}));
}

TEST(Quota, R32_a_charge_keeps_its_account_alive) {
  QuotaCharge charge;
  std::weak_ptr<QuotaAccount> watched;
  {
    const auto account = lone_account({.routes = 1});
    watched = account;
    charge = accepted(account->charge({.routes = 1}));
  }
  EXPECT_FALSE(watched.expired());
  charge.release();
  EXPECT_TRUE(watched.expired());
}

TEST(Quota, R32_a_lowered_limit_takes_nothing_away_and_refuses_what_comes) {
  const auto account = lone_account({.routes = 10});
  QuotaCharge charge = accepted(account->charge({.routes = 8}));
  account->set_limits({.routes = 5});
  EXPECT_EQ(refused(account->charge({.routes = 1})).used, 8U);
  charge.reduce({.routes = 4});
  EXPECT_EQ(accepted(account->charge({.routes = 1})).amounts().routes, 1U);
}

// Takes all that the account may still have, one at a time.
std::uint64_t take_all(QuotaAccount& account, std::vector<QuotaCharge>& held) {
  std::uint64_t taken = 0;
  while (true) {
    Result result = account.charge({.routes = 1});
    if (std::holds_alternative<QuotaRefusal>(result)) return taken;
    held.push_back(std::move(std::get<QuotaCharge>(result)));
    ++taken;
  }
}

TEST(Quota, R32_greedy_principals_leave_the_next_one_a_share) {
  constexpr std::uint64_t kLimit = 12'000;
  const auto root = QuotaAccount::make_root("the broker", {.routes = kLimit}, {});
  std::vector<QuotaCharge> held;
  std::vector<std::shared_ptr<QuotaAccount>> accounts;
  for (std::uint64_t n = 1; n <= 10; ++n) {
    accounts.push_back(root->make_child("p" + std::to_string(n), kPlenty));
    EXPECT_EQ(take_all(*accounts.back(), held), kLimit / (n * (n + 1))) << n;
    EXPECT_TRUE(refused(accounts.front()->charge({.routes = 1})).shared);
  }
}

TEST(Quota, R32_a_share_is_the_same_taken_at_once_or_bit_by_bit) {
  const auto root = QuotaAccount::make_root("the broker", {.routes = 120}, {});
  const auto alice = root->make_child("alice", kPlenty);
  const auto bob = root->make_child("bob", kPlenty);
  EXPECT_TRUE(refused(alice->charge({.routes = 61})).shared);
  const QuotaCharge first = accepted(alice->charge({.routes = 60}));
  EXPECT_TRUE(refused(bob->charge({.routes = 21})).shared);
  const QuotaCharge second = accepted(bob->charge({.routes = 20}));
}

TEST(Quota, R32_shares_grow_again_when_others_have_left) {
  const auto root = QuotaAccount::make_root("the broker", {.routes = 120}, {});
  const auto alice = root->make_child("alice", kPlenty);
  const auto bob = root->make_child("bob", kPlenty);
  std::vector<QuotaCharge> alices;
  std::vector<QuotaCharge> bobs;
  EXPECT_EQ(take_all(*alice, alices), 60U);
  EXPECT_EQ(take_all(*bob, bobs), 20U);
  alices.clear();
  EXPECT_EQ(take_all(*bob, bobs), 40U);
}

TEST(Quota, R32_what_one_ordinary_guest_needs_is_given_to_the_last) {
  const auto root = QuotaAccount::make_root("the broker", {.routes = 100}, {.routes = 1});
  std::vector<QuotaCharge> held;
  std::vector<std::shared_ptr<QuotaAccount>> accounts;
  for (int count = 0; count < 100; ++count) {
    accounts.push_back(root->make_child("p", kPlenty));
    held.push_back(accepted(accounts.back()->charge({.routes = 1})));
  }
  EXPECT_FALSE(refused(root->make_child("late", kPlenty)->charge({.routes = 1})).shared);
}

TEST(Quota, R32_random_charges_never_exceed_a_limit_and_sum_up) {
  std::mt19937 random(32);
  const QuotaAmounts limits{.routes = 500, .descriptors = 300};
  const auto root = QuotaAccount::make_root("the broker", limits, {.descriptors = 70});
  std::vector<std::shared_ptr<QuotaAccount>> accounts;
  for (int count = 0; count < 7; ++count) {
    accounts.push_back(root->make_child("p", {.routes = 50, .descriptors = 70}));
  }
  std::vector<QuotaCharge> held;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 3 != 0 || held.empty()) {
      const auto& account = accounts[random() % accounts.size()];
      Result result = account->charge({.routes = random() % 20, .descriptors = random() % 20});
      if (auto* charge = std::get_if<QuotaCharge>(&result)) held.push_back(std::move(*charge));
    } else {
      std::swap(held[random() % held.size()], held.back());
      if (random() % 2 == 0)
        held.back().reduce({.routes = random() % 20});
      else
        held.pop_back();
    }
    QuotaAmounts sum;
    for (const auto& account : accounts) {
      ASSERT_LE(account->used().routes, 50U);
      ASSERT_LE(account->used().descriptors, 70U);
      sum.routes += account->used().routes;
      sum.descriptors += account->used().descriptors;
    }
    ASSERT_EQ(root->used(), sum);
    ASSERT_LE(sum.routes, limits.routes);
    ASSERT_LE(sum.descriptors, limits.descriptors);
  }
  held.clear();
  EXPECT_EQ(root->used(), QuotaAmounts{});
}

TEST(QuotaLedger, R32_all_connections_of_a_principal_share_one_account) {
  QuotaLedger ledger(kPlenty, kPlenty);
  const auto first = ledger.account_of("alice", {.routes = 2});
  const QuotaCharge held = accepted(first->charge({.routes = 1}));
  EXPECT_EQ(ledger.account_of("alice", {.routes = 3}), first);
  EXPECT_EQ(first->limits().routes, 3U);
  EXPECT_NE(ledger.account_of("bob", {.routes = 2}), first);
  EXPECT_EQ(ledger.account_of("", {})->name(), "system");
  EXPECT_EQ(ledger.total().used().routes, 1U);
}

TEST(QuotaLedger, R32_a_principal_cannot_shed_its_charges_by_leaving_and_coming_back) {
  QuotaLedger ledger(kPlenty, kPlenty);
  const QuotaCharge held =
      accepted(ledger.account_of("alice", {.routes = 1})->charge({.routes = 1}));
  for (int count = 0; count < 1'000; ++count) {
    EXPECT_NE(ledger.account_of("visitor" + std::to_string(count), {}), nullptr);
  }
  EXPECT_EQ(refused(ledger.account_of("alice", {.routes = 1})->charge({.routes = 1})).used, 1U);
}

}  // namespace
}  // namespace fairlead::broker

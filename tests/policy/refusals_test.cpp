#include "policy/refusals.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

TEST(Refusals, of_publishing_are_worded_for_the_publisher) {
  EXPECT_EQ(refusals::bad_topic("a b", shm::TopicProblem::bad_byte),
            "cannot publish on 'a b': it holds a byte other than letters, digits, '_', ':', '-' "
            "and the dot between segments (R04)");
  EXPECT_EQ(refusals::may_not_publish("", "a.b"),
            "principal 'system' may not publish on 'a.b': no publish pattern of its policy "
            "matches it");
  EXPECT_EQ(refusals::payload_too_large(6'000'000),
            "a payload of 6000000 bytes is too large: at most 5242880 bytes travel outside a pool "
            "(R31)");
  EXPECT_EQ(refusals::publish_rate("alice", 4'096),
            "principal 'alice' publishes too fast: its rate is 4096 bytes per second (R31)");
  EXPECT_EQ(refusals::larger_than_burst(100, 50),
            "a message of 100 bytes, topic included, is larger than the publish burst of 50 "
            "bytes, so waiting would not help: raise publish_burst_bytes or send less (R31)");
}

TEST(Refusals, of_attaching_too_often_say_how_often_is_allowed) {
  EXPECT_EQ(refusals::attach_rate("alice", 120),
            "principal 'alice' attaches too often: its quota is 120 attaches per minute");
}

TEST(Refusals, R32_of_quotas_say_how_much_is_in_use) {
  EXPECT_EQ(refusals::quota({.account = "alice",
                             .resource = QuotaResource::routes,
                             .asked = 1,
                             .used = 64,
                             .limit = 64,
                             .shared = false}),
            "1 routes more would exceed the quota of 'alice': 64 of 64 are in use (R32)");
  EXPECT_EQ(refusals::quota({.account = "the broker",
                             .resource = QuotaResource::descriptors,
                             .asked = 3,
                             .used = 50,
                             .limit = 100,
                             .shared = true}),
            "3 descriptors more would leave too little for others: of the 100 of 'the broker' "
            "this principal has 50 already (R32)");
}

TEST(Refusals, show_foreign_text_printable_and_short) {
  EXPECT_EQ(shown("plain text"), "'plain text'");
  EXPECT_EQ(shown(std::string_view("a\n\x1b[31m'\\\xff\0", 11)),
            "'a\\x0a\\x1b[31m\\x27\\x5c\\xff\\x00'");
  EXPECT_EQ(shown("~\x7f"), "'~\\x7f'");
  EXPECT_EQ(shown("abcdef", 3), "'abc...'");
  EXPECT_EQ(shown("abc", 3), "'abc'");
  EXPECT_EQ(shown("ab\ncd", 6), "'ab\\x0a...'");
  EXPECT_EQ(shown("ab\ncd", 5), "'ab...'");
}

// Whatever a guest sends: one printable line that fits into the control packet.
TEST(Refusals, fit_into_a_control_packet_whatever_the_guest_sent) {
  const std::string hostile(10'000, '\n');
  const Peer peer{.uid = UINT32_MAX, .gid = UINT32_MAX};
  const auto most = UINT64_MAX;
  std::vector<std::string> all = {
      refusals::no_policy_file(peer, UINT32_MAX),
      refusals::unknown_principal(hostile),
      refusals::not_this_user(hostile, peer),
      refusals::must_be_minted(hostile),
      refusals::no_own_principal(peer),
      refusals::several_principals(peer, {hostile, hostile, hostile, hostile}),
      refusals::pinned(hostile, hostile),
      refusals::not_a_minter(peer),
      refusals::may_not_mint(peer, hostile),
      refusals::not_mintable(hostile),
      refusals::attach_rate(hostile, most),
      refusals::may_not_publish(hostile, hostile),
      refusals::payload_too_large(most),
      refusals::publish_rate(hostile, most),
      refusals::larger_than_burst(most, most),
      refusals::may_not_subscribe(hostile, hostile),
      refusals::unknown_number("eviction policy", most),
      refusals::admission_too_wide(hostile, shm::AdmissionKind::principal_or_system, hostile,
                                   AdmissionLimit::own_or_system),
      refusals::eviction_not_allowed(hostile, shm::EvictionPolicy::fair_share,
                                     std::vector(3, shm::EvictionPolicy::oldest_head)),
      refusals::budget_too_small(most, most),
      refusals::budget_too_large(most, most),
      refusals::cap_too_large(most, most),
      refusals::too_many_lanes(most, most),
  };
  for (int problem = 1; problem <= 7; ++problem) {
    all.push_back(refusals::bad_topic(hostile, static_cast<shm::TopicProblem>(problem)));
    all.push_back(refusals::bad_pattern(hostile, static_cast<shm::TopicProblem>(problem)));
  }
  for (int problem = 1; problem <= 3; ++problem) {
    all.push_back(refusals::bad_principal(hostile, static_cast<shm::PrincipalProblem>(problem)));
    all.push_back(refusals::bad_admitted(hostile, static_cast<shm::PrincipalProblem>(problem)));
  }
  for (const QuotaResource resource : kAllQuotaResources) {
    for (const bool shared : {false, true}) {
      all.push_back(refusals::quota({hostile, resource, most, most, most, shared}));
    }
  }
  for (const std::string& sentence : all) {
    EXPECT_LE(sentence.size(), refusals::kLongestRefusal) << sentence;
    EXPECT_TRUE(std::all_of(sentence.begin(), sentence.end(), [](char byte) {
      return byte >= ' ' && byte <= '~';
    })) << sentence;
  }
}

}  // namespace
}  // namespace fairlead::broker

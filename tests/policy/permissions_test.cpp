#include <fairlead/broker/permissions.hpp>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

using shm::AdmissionKind;
using shm::EvictionPolicy;

PrincipalRule rule_with(AdmissionLimit admission) {
  PrincipalRule rule;
  rule.publish = PatternSet({"a.*", "b.*.c"});
  rule.subscribe = PatternSet({"a.*", "b.*.c"});
  rule.admission = admission;
  return rule;
}

const PrincipalRule kOwn = rule_with(AdmissionLimit::own);

TEST(Permissions, R05_publish_patterns_match_topics_as_delivery_does) {
  EXPECT_TRUE(may_publish(kOwn, "a.x"));
  EXPECT_TRUE(may_publish(kOwn, "a.x.y"));
  EXPECT_TRUE(may_publish(kOwn, "b.x.c"));
  EXPECT_FALSE(may_publish(kOwn, "a"));
  EXPECT_FALSE(may_publish(kOwn, "b.x.y.c"));
  EXPECT_FALSE(may_publish(kOwn, "a."));
  EXPECT_FALSE(may_publish(kOwn, "a.*"));
  EXPECT_FALSE(may_publish(PrincipalRule{}, "a"));
}

TEST(Permissions, R05_subscribe_patterns_cover_the_whole_of_what_is_asked_for) {
  EXPECT_TRUE(may_subscribe(kOwn, "a.x"));
  EXPECT_TRUE(may_subscribe(kOwn, "a.*"));
  EXPECT_TRUE(may_subscribe(kOwn, "a.*.z"));
  EXPECT_TRUE(may_subscribe(kOwn, "b.*.c"));
  EXPECT_FALSE(may_subscribe(kOwn, "*"));
  EXPECT_FALSE(may_subscribe(kOwn, "b.*"));
  EXPECT_FALSE(may_subscribe(kOwn, "*.x"));
  EXPECT_FALSE(may_subscribe(kOwn, "a"));
  EXPECT_FALSE(may_subscribe(PrincipalRule{}, "a"));
}

TEST(Permissions, R12_an_admission_lets_a_route_see_no_more_than_the_policy_says) {
  struct Case {
    AdmissionKind kind;
    std::string_view admitted;
    bool own, own_or_system, all;
  };
  const Case cases[] = {
      {AdmissionKind::all, "", false, false, true},
      {AdmissionKind::exactly, "alice", true, true, true},
      {AdmissionKind::exactly, "", false, true, true},
      {AdmissionKind::exactly, "bob", false, false, true},
      {AdmissionKind::principal_or_system, "alice", false, true, true},
      {AdmissionKind::principal_or_system, "", false, true, true},
      {AdmissionKind::principal_or_system, "bob", false, false, true},
      {AdmissionKind{0}, "alice", false, false, false},
      {AdmissionKind{4}, "alice", false, false, false},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::to_string(static_cast<int>(each.kind)) + " " + std::string(each.admitted));
    const auto allowed = [&each](AdmissionLimit limit) {
      return admission_allowed(rule_with(limit), "alice", each.kind, each.admitted);
    };
    EXPECT_EQ(allowed(AdmissionLimit::own), each.own);
    EXPECT_EQ(allowed(AdmissionLimit::own_or_system), each.own_or_system);
    EXPECT_EQ(allowed(AdmissionLimit::all), each.all);
  }
}

TEST(Permissions, R12_what_the_system_principal_calls_its_own_is_the_systems) {
  EXPECT_TRUE(admission_allowed(kOwn, "", AdmissionKind::exactly, ""));
  EXPECT_TRUE(admission_allowed(kOwn, "", AdmissionKind::principal_or_system, ""));
  EXPECT_FALSE(admission_allowed(kOwn, "", AdmissionKind::exactly, "alice"));
  EXPECT_FALSE(admission_allowed(kOwn, "", AdmissionKind::all, ""));
}

TEST(Subscription, R12_one_that_asks_for_no_admission_gets_the_widest_allowed) {
  const auto made = [](AdmissionLimit limit) {
    return decide_subscription(rule_with(limit), "alice", {.pattern = "a.x"});
  };
  EXPECT_EQ(made(AdmissionLimit::own).admission, AdmissionKind::exactly);
  EXPECT_EQ(made(AdmissionLimit::own).admitted_principal, "alice");
  EXPECT_EQ(made(AdmissionLimit::own_or_system).admission, AdmissionKind::principal_or_system);
  EXPECT_EQ(made(AdmissionLimit::own_or_system).admitted_principal, "alice");
  EXPECT_EQ(made(AdmissionLimit::all).admission, AdmissionKind::all);
  EXPECT_EQ(made(AdmissionLimit::all).admitted_principal, "");
}

TEST(Subscription, R15_zeros_stand_for_the_defaults_of_the_policy) {
  PrincipalRule rule = kOwn;
  rule.eviction_default = EvictionPolicy::reject;
  rule.budget_bytes = 5'000;
  rule.hard_cap_factor = 3;
  rule.quota.lanes_per_route = 100;
  SubscriptionDecision made = decide_subscription(rule, "alice", {.pattern = "a.x"});
  EXPECT_TRUE(made.allowed);
  EXPECT_EQ(made.eviction, EvictionPolicy::reject);
  EXPECT_EQ(made.budget_bytes, 5'000U);
  EXPECT_EQ(made.cap_bytes, 15'000U);
  EXPECT_EQ(made.lanes, 100U);
  rule.quota.lanes_per_route = shm::kMaximumLanesPerRoute;
  rule.segment_cap_bytes = 70'000;
  made = decide_subscription(rule, "alice", {.pattern = "a.x", .budget_bytes = 6'000});
  EXPECT_EQ(made.budget_bytes, 6'000U);
  EXPECT_EQ(made.cap_bytes, 70'000U);
  EXPECT_EQ(made.lanes, shm::kDefaultLanesPerRoute);
}

TEST(Subscription, what_is_asked_for_within_the_policy_is_granted) {
  const SubscriptionDecision made = decide_subscription(rule_with(AdmissionLimit::all), "alice",
                                                        {.pattern = "a.*",
                                                         .admission = AdmissionKind::exactly,
                                                         .admitted_principal = "bob",
                                                         .eviction = EvictionPolicy::fair_share,
                                                         .budget_bytes = 8'192,
                                                         .cap_bytes = 10'000,
                                                         .lanes = 7});
  EXPECT_TRUE(made.allowed) << made.sentence;
  EXPECT_EQ(made.admission, AdmissionKind::exactly);
  EXPECT_EQ(made.admitted_principal, "bob");
  EXPECT_EQ(made.eviction, EvictionPolicy::fair_share);
  EXPECT_EQ(made.budget_bytes, 8'192U);
  EXPECT_EQ(made.cap_bytes, 10'000U);
  EXPECT_EQ(made.lanes, 7U);
}

TEST(Subscription, R32_what_exceeds_the_policy_is_refused_with_a_reason) {
  PrincipalRule rule = kOwn;
  rule.eviction_allowed = {EvictionPolicy::oldest_head, EvictionPolicy::reject};
  struct Case {
    SubscriptionWish wish;
    ErrorCode code;
    std::string_view sentence;
  };
  const Case cases[] = {
      {{.pattern = "a..b"},
       ErrorCode::invalid_pattern,
       "cannot subscribe to 'a..b': it has an empty segment: no leading, trailing or doubled dot "
       "is allowed (R04)"},
      {{.pattern = "*"},
       ErrorCode::denied,
       "principal 'alice' may not subscribe to '*': no subscribe pattern of its policy covers all "
       "of it"},
      {{.pattern = "a.x", .admission = AdmissionKind::all},
       ErrorCode::denied,
       "principal 'alice' may not have a route that admits all principals: the admission of its "
       "policy is 'own'"},
      {{.pattern = "a.x", .admission = AdmissionKind::exactly, .admitted_principal = "bob"},
       ErrorCode::denied,
       "principal 'alice' may not have a route that admits exactly 'bob': the admission of its "
       "policy is 'own'"},
      {{.pattern = "a.x",
        .admission = AdmissionKind::principal_or_system,
        .admitted_principal = "alice"},
       ErrorCode::denied,
       "principal 'alice' may not have a route that admits 'alice' or system: the admission of "
       "its policy is 'own'"},
      {{.pattern = "a.x", .admission = AdmissionKind{9}},
       ErrorCode::invalid_argument,
       "the request holds an unknown admission (9): guest and broker may be of different versions"},
      {{.pattern = "a.x", .admission = AdmissionKind::exactly, .admitted_principal = "b b"},
       ErrorCode::invalid_principal,
       "a route cannot admit 'b b': it holds a byte other than letters, digits, '_', '.', ':', "
       "'@' and '-'"},
      {{.pattern = "a.x", .eviction = EvictionPolicy{4}},
       ErrorCode::invalid_argument,
       "the request holds an unknown eviction policy (4): guest and broker may be of different "
       "versions"},
      {{.pattern = "a.x", .eviction = EvictionPolicy::fair_share},
       ErrorCode::denied,
       "principal 'alice' may not have a route with eviction 'fair-share': its policy allows "
       "'oldest-head', 'reject'"},
      {{.pattern = "a.x", .budget_bytes = 4'095},
       ErrorCode::invalid_argument,
       "a route budget of 4095 bytes is too small: it must be at least 4096, or 0 for the policy's "
       "default"},
      {{.pattern = "a.x", .budget_bytes = 16'777'217},
       ErrorCode::quota_exceeded,
       "a route budget of 16777217 bytes is too large: the policy allows 16777216 "
       "(maximum_budget_bytes)"},
      {{.pattern = "a.x", .budget_bytes = 4'096, .cap_bytes = 16'385},
       ErrorCode::quota_exceeded,
       "a route segment of 16385 bytes is too large: for this budget the policy allows 16384 "
       "(hard_cap_factor or segment_cap_bytes)"},
      {{.pattern = "a.x", .lanes = 8'193},
       ErrorCode::quota_exceeded,
       "a route of 8193 lanes is too large: the policy allows 8192 (quota.lanes_per_route)"},
  };
  for (const Case& each : cases) {
    const SubscriptionDecision made = decide_subscription(rule, "alice", each.wish);
    EXPECT_FALSE(made.allowed) << each.sentence;
    EXPECT_EQ(made.sentence, each.sentence);
    EXPECT_EQ(made.code, each.code) << each.sentence;
  }
}

}  // namespace
}  // namespace fairlead::broker

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <fairlead/broker/permissions.hpp>
#include <fairlead/broker/policy.hpp>

#include "minimal_policy.hpp"

namespace fairlead::broker {
namespace {

constexpr Peer kOwner{.uid = kOwnUid, .gid = 50};
constexpr Peer kAlice{.uid = 1000, .gid = 100};
constexpr Peer kBob{.uid = 1001, .gid = 100};
constexpr Peer kStranger{.uid = 9999, .gid = 999};

Policy example() {
  return Policy::parse(R"(
[[principal]]
name = "system"
uid = "self"

[[principal]]
name = "alice"
uid = 1000

[[principal]]
name = "users"
gid = 100

[[principal]]
name = "team.*"
uid = 1000

[[principal]]
name = "agent.*"
minted = true

[[principal]]
name = "agent.scout.*"
minted = true
uid = 1001

[[principal]]
name = "agent.fixed"
uid = 1001

[[minter]]
uid = "self"
names = ["agent.*"]

[[minter]]
uid = "self"
names = ["agent.scout.*"]

[[minter]]
gid = 999
names = ["agent.x"]
)",
                       "p.toml", kOwnUid);
}

// "ok PRINCIPAL by RULE" or the refusal.
std::string outcome(const AttachDecision& decision) {
  if (!decision.allowed) {
    EXPECT_EQ(decision.rule, nullptr);
    EXPECT_FALSE(decision.sentence.empty());
    return decision.sentence;
  }
  EXPECT_EQ(decision.sentence, "");
  return "ok '" + decision.principal + "' by " + decision.rule->names.text();
}

TEST(PolicyDecision, a_listed_user_or_group_may_attach) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_attach(kAlice, "alice")), "ok 'alice' by alice");
  EXPECT_EQ(outcome(policy.decide_attach(kBob, "users")), "ok 'users' by users");
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "system")), "ok '' by system");
  EXPECT_EQ(outcome(policy.decide_attach(kAlice, "team.x")), "ok 'team.x' by team.*");
}

TEST(PolicyDecision, others_may_not_attach_not_even_the_brokers_own_user) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_attach(kBob, "alice")),
            "uid 1001 (gid 100) may not attach as principal 'alice': its [[principal]] in the "
            "policy lists neither this uid nor this gid");
  EXPECT_FALSE(policy.decide_attach(kOwner, "alice").allowed);
  EXPECT_FALSE(policy.decide_attach(kStranger, "system").allowed);
  EXPECT_EQ(outcome(policy.decide_attach(kAlice, "carol")),
            "principal 'carol' is not in the policy: add a [[principal]] whose name matches it");
  EXPECT_EQ(policy.decide_attach(kAlice, "carol").code, ErrorCode::denied);
}

TEST(PolicyDecision, the_exact_name_goes_before_the_longest_prefix) {
  const Policy policy = example();
  EXPECT_EQ(policy.rule_of("agent.x")->names.text(), "agent.*");
  EXPECT_EQ(policy.rule_of("agent.scout.1")->names.text(), "agent.scout.*");
  EXPECT_EQ(policy.rule_of("agent.fixed")->names.text(), "agent.fixed");
  EXPECT_EQ(policy.rule_of("agent.fixed.1")->names.text(), "agent.*");
  EXPECT_EQ(policy.rule_of("agent."), nullptr);  // a prefix means names that go on after it
  EXPECT_EQ(policy.rule_of("agent"), nullptr);
  EXPECT_EQ(policy.rule_of("")->names.text(), "system");
}

TEST(PolicyDecision, without_a_name_the_only_principal_of_the_user_is_taken) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "")), "ok '' by system");
  EXPECT_EQ(outcome(policy.decide_attach(kAlice, "")),
            "uid 1000 (gid 100) may attach as several principals: say which ('alice', 'users')");
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "")),
            "the policy has no principal for uid 9999 (gid 999): ask for one by name, or add a "
            "[[principal]] that lists this uid");
}

TEST(PolicyDecision, a_name_that_breaks_the_grammar_is_refused) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_attach(kAlice, "al ice")),
            "'al ice' cannot be a principal: it holds a byte other than letters, digits, '_', "
            "'.', ':', '@' and '-'");
  EXPECT_EQ(policy.decide_attach(kAlice, "al ice").code, ErrorCode::invalid_principal);
  EXPECT_EQ(policy.decide_mint(kOwner, "agent.*").code, ErrorCode::invalid_principal);
}

TEST(PolicyDecision, a_minter_may_mint_the_names_it_lists) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_mint(kOwner, "agent.a")), "ok 'agent.a' by agent.*");
  EXPECT_EQ(outcome(policy.decide_mint(kOwner, "agent.scout.1")),
            "ok 'agent.scout.1' by agent.scout.*");
  EXPECT_EQ(outcome(policy.decide_mint(kStranger, "agent.x")), "ok 'agent.x' by agent.*");
  EXPECT_EQ(outcome(policy.decide_mint(kStranger, "agent.y")),
            "uid 9999 (gid 999) may not mint principal 'agent.y': no [[minter]] of the policy "
            "that lists it has a matching name");
  EXPECT_EQ(outcome(policy.decide_mint(kAlice, "agent.x")),
            "uid 1000 (gid 100) may not mint principals: no [[minter]] of the policy lists it");
}

TEST(PolicyDecision, what_is_not_minted_cannot_be_minted_and_what_is_only_minted_not_attached) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_mint(kOwner, "agent.fixed")),
            "principal 'agent.fixed' cannot be minted: its [[principal]] in the policy does not "
            "say minted = true");
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "agent.a")),
            "principal 'agent.a' can only be minted: start the guest with 'fairlead run "
            "--principal' as a user that a [[minter]] of the policy lists");
  EXPECT_TRUE(policy.decide_attach(kBob, "agent.scout.1").allowed);
}

TEST(PolicyDecision, a_minted_connection_is_for_that_principal_only) {
  const Policy policy = example();
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "", "agent.a")), "ok 'agent.a' by agent.*");
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "agent.a", "agent.a")),
            "ok 'agent.a' by agent.*");
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "system", "agent.a")),
            "this connection was minted for principal 'agent.a' and cannot become principal "
            "'system'");
  EXPECT_FALSE(policy.decide_attach(kOwner, "agent.b", "agent.a").allowed);
  // A reloaded policy may have taken the right away meanwhile.
  EXPECT_FALSE(policy.decide_attach(kStranger, "", "agent.fixed").allowed);
  EXPECT_FALSE(policy.decide_attach(kStranger, "", "gone").allowed);
}

TEST(PolicyDecision, an_attached_system_guest_stays_the_system_when_asked_again) {
  const Policy policy = Policy::parse(
      "[[principal]]\nname = 'alice'\nuid = 500\n"
      "[[principal]]\nname = 'system'\nuid = 600\n",
      "p.toml", kOwnUid);
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "")), "ok 'alice' by alice");
  EXPECT_FALSE(policy.decide_again(kOwner, "").allowed);
  EXPECT_EQ(outcome(policy.decide_again({.uid = 600, .gid = 1}, "")), "ok '' by system");
  EXPECT_EQ(outcome(policy.decide_again(kOwner, "alice")), "ok 'alice' by alice");
}

TEST(PolicyDecision, without_a_file_the_brokers_own_user_may_do_everything) {
  const Policy policy = Policy::without_file(kOwnUid);
  EXPECT_FALSE(policy.has_file());
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "")), "ok '' by system");
  EXPECT_EQ(outcome(policy.decide_attach(kOwner, "alice")), "ok 'alice' by *");
  EXPECT_EQ(outcome(policy.decide_mint(kOwner, "agent.x")), "ok 'agent.x' by *");
  EXPECT_EQ(outcome(policy.decide_mint(kOwner, "system")), "ok '' by system");
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "", "agent.x")), "ok 'agent.x' by *");
  for (const char* principal : {"", "alice"}) {
    const auto rule = policy.rule_of(principal);
    ASSERT_NE(rule, nullptr);
    EXPECT_TRUE(may_publish(*rule, "any.topic"));
    EXPECT_TRUE(may_subscribe(*rule, "*"));
    EXPECT_TRUE(admission_allowed(*rule, principal, shm::AdmissionKind::all, ""));
    EXPECT_GE(rule->quota.routes, policy.broker().maximum_routes);
    EXPECT_EQ(rule->budget_bytes, shm::kDefaultBudgetBytes);
  }
}

TEST(PolicyDecision, without_a_file_nobody_else_may_do_anything) {
  const Policy policy = Policy::without_file(kOwnUid);
  const std::string refusal =
      "uid 9999 (gid 999) may not attach: the broker has no policy file, so only its own user "
      "(uid 500) may; start it with --policy FILE to let others in";
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "")), refusal);
  EXPECT_EQ(outcome(policy.decide_attach(kStranger, "alice")), refusal);
  EXPECT_EQ(outcome(policy.decide_mint(kStranger, "agent.x")), refusal);
}

TEST(PolicyDecision, R32_a_name_that_the_guest_chose_itself_pays_with_its_family) {
  const Policy policy = example();
  EXPECT_EQ(policy.decide_attach(kAlice, "team.a").payer, "team.* of uid 1000");
  EXPECT_EQ(policy.decide_attach(kAlice, "team.b").payer, "team.* of uid 1000");
  EXPECT_EQ(policy.decide_attach(kBob, "agent.scout.a").payer, "agent.scout.* of uid 1001");
  EXPECT_EQ(policy.decide_again(kBob, "agent.scout.a").payer, "agent.scout.* of uid 1001");
}

TEST(PolicyDecision, R32_a_name_that_somebody_else_chose_pays_for_itself) {
  const Policy policy = example();
  EXPECT_EQ(policy.decide_attach(kAlice, "alice").payer, "alice");
  EXPECT_EQ(policy.decide_attach(kOwner, "system").payer, "");
  EXPECT_EQ(policy.decide_attach(kBob, "agent.fixed").payer, "agent.fixed");
  EXPECT_EQ(policy.decide_mint(kOwner, "agent.scout.a").payer, "agent.scout.a");
  EXPECT_EQ(policy.decide_attach(kOwner, "", "agent.scout.a").payer, "agent.scout.a");
  EXPECT_EQ(policy.decide_again(kBob, "agent.scout.a", "agent.scout.a").payer, "agent.scout.a");
  EXPECT_EQ(Policy::without_file(kOwnUid).decide_attach(kOwner, "any").payer, "any");
}

TEST(PolicyDecision, a_rule_outlives_its_policy) {
  std::shared_ptr<const PrincipalRule> rule;
  {
    const Policy policy = example();
    rule = policy.decide_attach(kAlice, "alice").rule;
  }
  EXPECT_EQ(rule->names.text(), "alice");
}

}  // namespace
}  // namespace fairlead::broker

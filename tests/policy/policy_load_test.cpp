#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/broker/policy.hpp>

#include "policy/policy_keys.hpp"

#include "minimal_policy.hpp"

namespace fairlead::broker {
namespace {

using Lines = std::vector<std::string>;

Lines problems(std::string_view text) { return Policy::problems_of(text, "p.toml", kOwnUid); }

// The problems that lines appended to a valid [[principal]] bring.
Lines problems_with(std::string_view lines) {
  return problems(std::string(kMinimal) + std::string(lines));
}

TEST(PolicyLoad, a_minimal_file_gets_the_defaults) {
  const Policy policy = Policy::parse(kMinimal, "p.toml", kOwnUid);
  ASSERT_EQ(policy.principals().size(), 1U);
  const PrincipalRule& rule = *policy.principals().front();
  EXPECT_EQ(rule.names, (PrincipalNames{"alice", true}));
  EXPECT_EQ(rule.peers.uids, std::vector<std::uint32_t>{1000});
  EXPECT_TRUE(rule.peers.gids.empty());
  EXPECT_FALSE(rule.minted);
  EXPECT_TRUE(rule.publish.patterns().empty());
  EXPECT_TRUE(rule.subscribe.patterns().empty());
  EXPECT_EQ(rule.admission, AdmissionLimit::own);
  EXPECT_EQ(rule.budget_bytes, 1024U * 1024U);
  EXPECT_EQ(rule.cap_bytes_for(1'000), 4'000U);
  EXPECT_EQ(rule.publish_rate_bytes_per_second, 0U);
  EXPECT_EQ(rule.quota, PrincipalQuota{});
  EXPECT_EQ(policy.broker(), BrokerLimits{});
  EXPECT_TRUE(policy.minters().empty());
  EXPECT_TRUE(policy.has_file());
}

TEST(PolicyLoad, every_value_arrives_where_it_belongs) {
  const Policy policy = Policy::parse(R"(
[broker]
maximum_guests = 1
maximum_routes = 2
total_budget_bytes = 4097
total_outbox_bytes = 4098
descriptor_reserve = 16
descriptors_in_flight = 6
attach_deadline_ms = 107
spin_us = 8

[[principal]]
name = "agent.*"
uid = [3, "self"]
gid = 7
minted = true
publish = ["a.*", "b"]
subscribe = ["*"]
admission = "own-or-system"
budget_bytes = 5000
maximum_budget_bytes = 6000
segment_cap_bytes = 70000
eviction_default = "reject"
eviction_allowed = ["reject", "fair-share"]
publish_rate_bytes_per_second = 9
publish_burst_bytes = 10
publish_rate_capsules = 22
[principal.quota]
guests = 11
routes = 12
lanes_per_route = 13
total_budget_bytes = 14
descriptors = 15
attaches_per_minute = 16
outbox_bytes = 17
hold_slots = 18

[[minter]]
uid = 19
gid = [20, 21]
names = ["agent.*", "agent.x"]
)",
                                      "p.toml", kOwnUid);
  const BrokerLimits broker{1, 2, 4097, 4098, 16, 6, 107, 8};
  EXPECT_EQ(policy.broker(), broker);
  const PrincipalRule& rule = *policy.principals().at(0);
  EXPECT_EQ(rule.names, (PrincipalNames{"agent.", false}));
  EXPECT_EQ(rule.peers.uids, (std::vector<std::uint32_t>{3, kOwnUid}));
  EXPECT_EQ(rule.peers.gids, std::vector<std::uint32_t>{7});
  EXPECT_TRUE(rule.minted);
  EXPECT_EQ(rule.publish.patterns(), (Lines{"a.*", "b"}));
  EXPECT_EQ(rule.subscribe.patterns(), Lines{"*"});
  EXPECT_EQ(rule.admission, AdmissionLimit::own_or_system);
  EXPECT_EQ(rule.budget_bytes, 5'000U);
  EXPECT_EQ(rule.maximum_budget_bytes, 6'000U);
  EXPECT_EQ(rule.cap_bytes_for(5'000), 70'000U);
  EXPECT_EQ(rule.eviction_default, shm::EvictionPolicy::reject);
  EXPECT_EQ(rule.eviction_allowed,
            (std::vector{shm::EvictionPolicy::reject, shm::EvictionPolicy::fair_share}));
  EXPECT_EQ(rule.publish_rate_bytes_per_second, 9U);
  EXPECT_EQ(rule.publish_burst_bytes, 10U);
  EXPECT_EQ(rule.publish_rate_capsules, 22U);
  EXPECT_EQ(rule.quota, (PrincipalQuota{11, 12, 13, 14, 15, 16, 17, 18}));
  const MinterRule& minter = policy.minters().at(0);
  EXPECT_EQ(minter.peers.uids, std::vector<std::uint32_t>{19});
  EXPECT_EQ(minter.peers.gids, (std::vector<std::uint32_t>{20, 21}));
  EXPECT_EQ(minter.names, (std::vector<PrincipalNames>{{"agent.", false}, {"agent.x", true}}));
}

TEST(PolicyLoad, the_defaults_are_those_of_the_key_table) {
  std::string text = "[broker]\n";
  const auto write = [&text](PolicyTable table) {
    for (const PolicyKey& key : kPolicyKeys) {
      if (key.table != table || key.type != PolicyType::integer) continue;
      if (key.standard.find_first_not_of("0123456789") != std::string_view::npos) continue;
      text += std::string(key.name) + " = " + std::string(key.standard) + "\n";
    }
  };
  write(PolicyTable::broker);
  text += kMinimal;
  write(PolicyTable::principal);
  text += "[principal.quota]\n";
  write(PolicyTable::quota);
  const Policy policy = Policy::parse(text, "p.toml", kOwnUid);
  const PrincipalRule& rule = *policy.principals().at(0);
  const PrincipalRule standard;
  EXPECT_EQ(policy.broker(), BrokerLimits{});
  EXPECT_EQ(rule.quota, PrincipalQuota{});
  EXPECT_EQ(rule.budget_bytes, standard.budget_bytes);
  EXPECT_EQ(rule.maximum_budget_bytes, standard.maximum_budget_bytes);
  EXPECT_EQ(rule.hard_cap_factor, standard.hard_cap_factor);
}

std::string table_with(const PolicyKey& key, const std::string& value) {
  const std::string line = std::string(key.name) + " = " + value + "\n";
  switch (key.table) {
    case PolicyTable::broker:
      return "[broker]\n" + line + std::string(kMinimal);
    case PolicyTable::quota:
      return std::string(kMinimal) + "[principal.quota]\n" + line;
    case PolicyTable::principal:
    case PolicyTable::minter:
      break;
  }
  return std::string(kMinimal) + line;
}

TEST(PolicyLoad, every_number_has_the_range_of_the_key_table) {
  for (const PolicyKey& key : kPolicyKeys) {
    if (key.type != PolicyType::integer) continue;
    SCOPED_TRACE(key.name);
    const std::string wording = "'" + std::string(key.name) + "' must be ";
    const auto in_range = [&](const std::string& value) {
      for (const std::string& line : problems(table_with(key, value))) {
        if (line.find(wording) != std::string::npos) return false;
      }
      return true;
    };
    EXPECT_TRUE(in_range(std::to_string(key.minimum)));
    EXPECT_TRUE(in_range(std::to_string(key.maximum)));
    EXPECT_FALSE(in_range(std::to_string(key.maximum + 1)));
    EXPECT_FALSE(in_range(key.minimum == 0 ? "-1" : std::to_string(key.minimum - 1)));
    EXPECT_FALSE(in_range("\"1\""));
    EXPECT_FALSE(in_range("1.5"));
  }
}

struct Case {
  std::string_view lines;  // after the minimal [[principal]], so from line 4
  std::string_view problem;
};

TEST(PolicyLoad, says_where_and_what_is_wrong_with_a_principal) {
  const Case cases[] = {
      {"publsh = []", "p.toml:4:1: unknown key 'publsh' in [[principal]]; did you mean 'publish'?"},
      {"budget_bytes = 12", "p.toml:4:16: 'budget_bytes' must be 4096 to 1073741824 bytes, not 12"},
      {"budget_bytes = 'x'", "p.toml:4:16: 'budget_bytes' must be a whole number, not a text"},
      {"minted = 1", "p.toml:4:10: 'minted' must be true or false, not a whole number"},
      {"publish = 'a'", "p.toml:4:11: 'publish' must be a list, not a text"},
      {"publish = ['a', 2]",
       "p.toml:4:17: 'publish' must be a list of texts, but this is a whole number"},
      {"publish = [1.5]",
       "p.toml:4:12: 'publish' must be a list of texts, but this is a fraction or date"},
      {"publish = ['a*']",
       "p.toml:4:12: 'a*' cannot be a pattern: it holds a '*' beside other bytes: in a pattern "
       "'*' must be a whole segment (R04)"},
      {"subscribe = ['a', 'b..c']",
       "p.toml:4:19: 'b..c' cannot be a pattern: it has an empty segment: no leading, trailing or "
       "doubled dot is allowed (R04)"},
      {"gid = -1",
       "p.toml:4:7: 'gid' must be a number of 0 to 4294967294, a list of them, or \"self\" for the "
       "broker's own"},
      {"gid = [1, 4294967295]",
       "p.toml:4:11: 'gid' must be a number of 0 to 4294967294, a list of them, or \"self\" for "
       "the broker's own"},
      {"gid = 'wheel'",
       "p.toml:4:7: 'gid' must be a number of 0 to 4294967294, a list of them, or \"self\" for the "
       "broker's own"},
      {"admission = 'some'",
       "p.toml:4:13: 'admission' must be \"own\", \"own-or-system\" or \"all\", not 'some'"},
      {"budget_bytes = 16777217",
       "p.toml:4:16: 'budget_bytes' is more than 'maximum_budget_bytes' (16777216)"},
      {"segment_cap_bytes = 20000000\nhard_cap_factor = 4",
       "p.toml:4:21: 'segment_cap_bytes' and 'hard_cap_factor' exclude each other"},
      {"segment_cap_bytes = 65536",
       "p.toml:4:21: 'segment_cap_bytes' is less than 'maximum_budget_bytes' (16777216), so that "
       "budget could never be used"},
      {"eviction_default = 'newest'",
       "p.toml:4:20: an eviction policy is \"oldest-head\", \"fair-share\" or \"reject\", not "
       "'newest'"},
      {"eviction_allowed = ['reject', 'all']\neviction_default = 'reject'",
       "p.toml:4:31: an eviction policy is \"oldest-head\", \"fair-share\" or \"reject\", not "
       "'all'"},
      {"eviction_allowed = ['oldest-hed']",
       "p.toml:4:21: an eviction policy is \"oldest-head\", \"fair-share\" or \"reject\", not "
       "'oldest-hed'"},
      {"eviction_allowed = ['reject']",
       "p.toml:4:20: 'eviction_default' ('oldest-head') is not among 'eviction_allowed'"},
      {"eviction_allowed = ['reject']\neviction_default = 'fair-share'",
       "p.toml:5:20: 'eviction_default' ('fair-share') is not among 'eviction_allowed'"},
      {"publish_burst_bytes = 5",
       "p.toml:4:23: 'publish_burst_bytes' needs a 'publish_rate_bytes_per_second'"},
      {"publish_rate_capsules = 2",
       "p.toml:4:25: 'publish_rate_capsules' needs a 'publish_rate_bytes_per_second'"},
      {"quota = 3", "p.toml:4:9: 'quota' must be a table, not a whole number"},
      {"[principal.quota]\nlanes = 1",
       "p.toml:5:1: unknown key 'lanes' in [principal.quota]; it may hold guests, routes, "
       "lanes_per_route, total_budget_bytes, descriptors, attaches_per_minute, outbox_bytes, "
       "hold_slots"},
      {"[[principal]]\nname = 'alice'\nuid = 2",
       "p.toml:5:8: a second [[principal]] named 'alice'; the first is in line 2"},
      {"[[principal]]\nname = 'bob'",
       "p.toml:4:1: nobody could attach as this [[principal]]: give it a 'uid', a 'gid' or "
       "minted = true"},
      {"[[principal]]\nuid = 2", "p.toml:4:1: this [[principal]] has no 'name'"},
      {"[[principal]]\nname = 2\nuid = 2", "p.toml:5:8: 'name' must be a text, not a whole number"},
      {"[[principal]]\nname = ''\nuid = 2",
       "p.toml:5:8: a name must not be empty; the system principal is written 'system'"},
      {"[[principal]]\nname = 'a*b'\nuid = 2",
       "p.toml:5:8: 'a*b' cannot be a name: it holds a byte other than letters, digits, '_', '.', "
       "':', '@' and '-', and only as the last byte a '*'"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(problems_with(each.lines), Lines{std::string(each.problem)}) << each.lines;
  }
}

TEST(PolicyLoad, says_where_and_what_is_wrong_with_a_minter_or_the_file) {
  const Case cases[] = {
      {"[[minter]]\nuid = 1", "p.toml:4:1: this [[minter]] may mint nobody: give it 'names'"},
      {"minted = true\n[[minter]]\nnames = ['alice']",
       "p.toml:5:1: this [[minter]] is nobody: give it a 'uid' or a 'gid'"},
      {"[[minter]]\nuid = 1\nnames = ['agent.*']",
       "p.toml:6:10: no [[principal]] with minted = true has a name that 'agent.*' could mean"},
      {"[[minter]]\nuid = 1\nnames = ['alice']",
       "p.toml:6:10: no [[principal]] with minted = true has a name that 'alice' could mean"},
      {"[[minter]]\nuid = 1\nnames = ['a b']",
       "p.toml:6:10: 'a b' cannot be a name: it holds a byte other than letters, digits, '_', "
       "'.', ':', '@' and '-', and only as the last byte a '*'"},
      {"[minter]\nuid = 1",
       "p.toml:4:2: write [[minter]], with two brackets: there may be several"},
      {"[[broker]]\nspin_us = 1",
       "p.toml:4:3: 'broker' must be a table: write [broker], there is only one"},
      {"[brokr]\nspin_us = 1",
       "p.toml:4:2: unknown key 'brokr' in the file; did you mean 'broker'?"},
      {"[pool]",
       "p.toml:4:2: unknown key 'pool' in the file; it may hold broker, principal, minter"},
      // An assertion of toml++ fails here where it was compiled with assertions (its #301).
      {"[[~a]]",
       "p.toml:4:3: this is not valid TOML: Error while parsing key: expected bare key starting "
       "character or string delimiter, saw '~'"},
      {"uid = 1",
       "p.toml:4:7: this is not valid TOML: Error while parsing key-value pair: cannot "
       "redefine existing integer 'uid'"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(problems_with(each.lines), Lines{std::string(each.problem)}) << each.lines;
  }
  EXPECT_EQ(problems(""), Lines{"p.toml:1:1: nobody could attach: the file has no [[principal]]"});
  EXPECT_EQ(problems("principal = [1]"),
            Lines{"p.toml:1:14: each 'principal' must be a table: write [[principal]]"});
}

TEST(PolicyLoad, reports_all_problems_in_the_order_of_the_file) {
  const std::string text =
      "[[principal]]\nname = 'x y'\nuid = 'me'\nfoo = 1\n[broker]\nspin_us = -1\n";
  const Lines lines = problems(text);
  ASSERT_EQ(lines.size(), 4U);
  EXPECT_TRUE(lines[0].starts_with("p.toml:2:8: "));
  EXPECT_TRUE(lines[1].starts_with("p.toml:3:7: "));
  EXPECT_TRUE(lines[2].starts_with("p.toml:4:1: "));
  EXPECT_TRUE(lines[3].starts_with("p.toml:6:11: "));
  try {
    (void)Policy::parse(text, "p.toml", kOwnUid);
    FAIL() << "no exception";
  } catch (const PolicyError& error) {
    EXPECT_EQ(error.code(), ErrorCode::policy_invalid);
    EXPECT_EQ(error.problems(), lines);
    EXPECT_EQ(error.what(), lines[0] + " (and 3 more problems)");
  }
}

TEST(PolicyLoad, a_prefix_may_be_any_beginning_of_names) {
  const Policy policy = Policy::parse(
      "[[principal]]\nname = 'system*'\nuid = 1\n[[principal]]\nname = '*'\nuid = 2\n", "p.toml",
      kOwnUid);
  EXPECT_EQ(policy.rule_of("system2")->names.text(), "system*");
  EXPECT_EQ(policy.rule_of("x")->names.text(), "*");
  EXPECT_EQ(policy.rule_of(""), nullptr);
}

TEST(PolicyLoad, R31_the_default_burst_is_a_second_and_at_least_the_largest_message) {
  const auto burst = [](std::string_view lines) {
    return Policy::parse(std::string(kMinimal) + std::string(lines), "p.toml", kOwnUid)
        .principals()
        .at(0)
        ->publish_burst_bytes;
  };
  EXPECT_EQ(burst("publish_rate_bytes_per_second = 1"), kLargestPublishCharge);
  EXPECT_EQ(burst("publish_rate_bytes_per_second = 10000000"), 10'000'000U);
  EXPECT_EQ(burst("publish_rate_bytes_per_second = 10\npublish_burst_bytes = 7"), 7U);
  EXPECT_EQ(kLargestPublishCharge, 5'243'135U);
}

}  // namespace
}  // namespace fairlead::broker

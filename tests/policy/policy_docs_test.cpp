// Holds docs/policy.md and docs/examples/policy.toml against what the loader accepts.
#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/broker/policy.hpp>

#include "policy/policy_keys.hpp"

namespace fairlead::broker {
namespace {

std::string contents_of(const std::string& name) {
  std::ifstream file(std::string(FAIRLEAD_SOURCE_DIR) + "/docs/" + name);
  EXPECT_TRUE(file) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Row {
  std::string type;
  std::string unit;
  std::string standard;
  std::string range;
  std::string meaning;
};
using Rows = std::map<std::pair<std::string, std::string>, Row>;  // by table and key

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::istringstream stream(line.substr(2));
  std::string cell;
  for (std::string word; stream >> word;) {
    if (word == "|") {
      cells.push_back(cell);
      cell.clear();
    } else {
      cell += (cell.empty() ? "" : " ") + word;
    }
  }
  return cells;
}

Rows documented_keys() {
  Rows rows;
  std::string table;
  std::istringstream text(contents_of("policy.md"));
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("## ")) table = line.substr(3);
    if (!line.starts_with("| `")) continue;
    const std::vector<std::string> cells = cells_of(line);
    EXPECT_EQ(cells.size(), 6U) << line;
    if (cells.size() != 6) continue;
    rows[{table, cells[0]}] = {cells[1], cells[2], cells[3], cells[4], cells[5]};
  }
  return rows;
}

std::string type_text(PolicyType type) {
  switch (type) {
    case PolicyType::integer:
      return "whole number";
    case PolicyType::boolean:
      return "true or false";
    case PolicyType::text:
      return "text";
    case PolicyType::texts:
      return "list of texts";
    case PolicyType::identities:
      break;
  }
  return "identities";
}

TEST(PolicyDocs, describe_every_key_with_its_type_unit_default_and_range) {
  const Rows rows = documented_keys();
  for (const PolicyKey& key : kPolicyKeys) {
    SCOPED_TRACE(std::string(to_string(key.table)) + " " + std::string(key.name));
    const auto row = rows.find(
        {"`" + std::string(to_string(key.table)) + "`", "`" + std::string(key.name) + "`"});
    ASSERT_NE(row, rows.end());
    EXPECT_EQ(row->second.type, type_text(key.type));
    EXPECT_EQ(row->second.unit, key.unit.empty() ? "-" : key.unit);
    EXPECT_EQ(row->second.standard, key.standard.empty() ? "required" : key.standard);
    if (key.type == PolicyType::integer) {
      EXPECT_EQ(row->second.range,
                std::to_string(key.minimum) + " to " + std::to_string(key.maximum));
    }
    EXPECT_GT(row->second.meaning.size(), 10U);
  }
}

TEST(PolicyDocs, describe_no_key_that_does_not_exist) {
  for (const auto& [name, row] : documented_keys()) {
    const auto known = [&name = name](const PolicyKey& key) {
      return name.first == "`" + std::string(to_string(key.table)) + "`" &&
             name.second == "`" + std::string(key.name) + "`";
    };
    EXPECT_TRUE(std::any_of(kPolicyKeys.begin(), kPolicyKeys.end(), known))
        << name.first << " " << name.second;
  }
}

TEST(PolicyDocs, the_example_is_a_valid_policy_and_holds_every_key) {
  const std::string text = contents_of("examples/policy.toml");
  EXPECT_EQ(Policy::problems_of(text, "policy.toml", 1), std::vector<std::string>{});
  const Policy policy = Policy::parse(text, "policy.toml", 1);
  EXPECT_TRUE(policy.decide_attach({.uid = 1, .gid = 1}, "").allowed);
  EXPECT_TRUE(policy.decide_mint({.uid = 1, .gid = 1}, "agent.scout").allowed);
  for (const PolicyKey& key : kPolicyKeys) {
    EXPECT_NE(text.find("\n" + std::string(key.name) + " = "), std::string::npos) << key.name;
  }
}

// The values that the example gives for [broker] and for alice are what its comments call defaults.
TEST(PolicyDocs, the_example_shows_the_defaults) {
  const Policy policy = Policy::parse(contents_of("examples/policy.toml"), "policy.toml", 1);
  EXPECT_EQ(policy.broker(), BrokerLimits{});
  const auto alice = policy.rule_of("alice");
  ASSERT_NE(alice, nullptr);
  const PrincipalRule standard;
  EXPECT_EQ(alice->quota, standard.quota);
  EXPECT_EQ(alice->budget_bytes, standard.budget_bytes);
  EXPECT_EQ(alice->maximum_budget_bytes, standard.maximum_budget_bytes);
  EXPECT_EQ(alice->hard_cap_factor, standard.hard_cap_factor);
  EXPECT_EQ(alice->eviction_default, standard.eviction_default);
  EXPECT_EQ(alice->eviction_allowed, standard.eviction_allowed);
}

TEST(PolicyDocs, the_examples_in_the_text_are_valid_policies) {
  std::istringstream text(contents_of("policy.md").substr(0));
  std::vector<std::string> blocks(1);
  bool in_examples = false;
  for (std::string line; std::getline(text, line);) {
    if (line == "## Examples") in_examples = true;
    if (!in_examples) continue;
    if (line.starts_with("    "))
      blocks.back() += line.substr(4) + "\n";
    else if (line.empty())
      blocks.back() += blocks.back().empty() ? "" : "\n";
    else if (!blocks.back().empty())
      blocks.emplace_back();
  }
  ASSERT_EQ(blocks.size(), 2U);
  for (const std::string& block : blocks) {
    EXPECT_EQ(Policy::problems_of(block, "example", 1), std::vector<std::string>{}) << block;
  }
}

}  // namespace
}  // namespace fairlead::broker

// Turns a policy document into a Policy, or into the list of what is wrong with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/broker/policy.hpp>

#include "policy/policy_document.hpp"
#include "policy/table_reader.hpp"

namespace fairlead::broker {

class PolicyLoader {
 public:
  PolicyLoader(PolicyProblems& problems, std::uint32_t own_uid, std::uint32_t own_gid)
      : problems_(problems), own_uid_(own_uid), own_gid_(own_gid) {}

  /// Nothing when there is any problem: a file is used as a whole or not at all.
  [[nodiscard]] std::optional<Policy> load(std::string_view text);

 private:
  void read_broker(const PolicyValue& value);
  void read_principal(const PolicyValue& value);
  void read_quota(const PolicyValue& value, PrincipalQuota& quota);
  void read_minter(const PolicyValue& value);
  void check_principal_name(const PlacedText& name, PrincipalRule& rule);
  void read_admission(TableReader& reader, PrincipalRule& rule);
  void read_budget(TableReader& reader, PrincipalRule& rule);
  void read_eviction(TableReader& reader, PrincipalRule& rule);
  void read_rate(TableReader& reader, PrincipalRule& rule);
  /// False when something is wrong with the lists, so that their being empty means nothing.
  bool read_peers(TableReader& reader, PeerList& peers);
  [[nodiscard]] PatternSet read_patterns(TableReader& reader, std::string_view key);
  [[nodiscard]] std::optional<shm::EvictionPolicy> eviction_of(const PlacedText& text);
  [[nodiscard]] std::optional<PrincipalNames> names_of(const PlacedText& text);
  void check_minters_reach_somebody();

  struct PlacedNames {
    PrincipalNames names;
    PolicyPosition position;
  };

  PolicyProblems& problems_;
  std::uint32_t own_uid_;
  std::uint32_t own_gid_;
  Policy policy_;
  std::vector<PlacedNames> principal_names_;
  std::vector<PlacedNames> minter_names_;
};

}  // namespace fairlead::broker

// PolicyLoader: the [[principal]] tables.
#include <algorithm>
#include <array>
#include <utility>

#include "policy/policy_loader.hpp"
#include "policy/shown_text.hpp"

namespace fairlead::broker {
namespace {

constexpr std::array kEvictions = {shm::EvictionPolicy::oldest_head,
                                   shm::EvictionPolicy::fair_share, shm::EvictionPolicy::reject};
constexpr std::array kAdmissions = {AdmissionLimit::own, AdmissionLimit::own_or_system,
                                    AdmissionLimit::all};

}  // namespace

void PolicyLoader::read_quota(const PolicyValue& value, PrincipalQuota& quota) {
  TableReader reader(value, PolicyTable::quota, problems_);
  reader.read("guests", quota.guests);
  reader.read("routes", quota.routes);
  reader.read("lanes_per_route", quota.lanes_per_route);
  reader.read("total_budget_bytes", quota.total_budget_bytes);
  reader.read("descriptors", quota.descriptors);
  reader.read("attaches_per_minute", quota.attaches_per_minute);
  reader.read("outbox_bytes", quota.outbox_bytes);
  reader.read("hold_slots", quota.hold_slots);
}

void PolicyLoader::check_principal_name(const PlacedText& name, PrincipalRule& rule) {
  std::optional<PrincipalNames> names = names_of(name);
  if (!names) return;
  for (const PlacedNames& earlier : principal_names_) {
    if (earlier.names == *names) {
      problems_.add(name.position, "a second [[principal]] named " + shown(name.text) +
                                       "; the first is in line " +
                                       std::to_string(earlier.position.line));
      break;
    }
  }
  rule.names = *names;
  principal_names_.push_back({std::move(*names), name.position});
}

void PolicyLoader::read_admission(TableReader& reader, PrincipalRule& rule) {
  PlacedText text{std::string(to_string(rule.admission)), {}};
  reader.read("admission", text);
  for (const AdmissionLimit limit : kAdmissions) {
    if (to_string(limit) == text.text) {
      rule.admission = limit;
      return;
    }
  }
  reader.problem_at("admission", "'admission' must be \"own\", \"own-or-system\" or \"all\", not " +
                                     shown(text.text));
}

void PolicyLoader::read_budget(TableReader& reader, PrincipalRule& rule) {
  reader.read("budget_bytes", rule.budget_bytes);
  reader.read("maximum_budget_bytes", rule.maximum_budget_bytes);
  reader.read("hard_cap_factor", rule.hard_cap_factor);
  reader.read("segment_cap_bytes", rule.segment_cap_bytes);
  if (rule.budget_bytes > rule.maximum_budget_bytes) {
    reader.problem_at("budget_bytes", "'budget_bytes' is more than 'maximum_budget_bytes' (" +
                                          std::to_string(rule.maximum_budget_bytes) + ")");
  }
  if (reader.has("segment_cap_bytes") && reader.has("hard_cap_factor")) {
    reader.problem_at("segment_cap_bytes",
                      "'segment_cap_bytes' and 'hard_cap_factor' exclude each other");
  }
  if (rule.segment_cap_bytes != 0 && rule.segment_cap_bytes < rule.maximum_budget_bytes) {
    reader.problem_at("segment_cap_bytes",
                      "'segment_cap_bytes' is less than 'maximum_budget_bytes' (" +
                          std::to_string(rule.maximum_budget_bytes) +
                          "), so that budget could never be used");
  }
}

std::optional<shm::EvictionPolicy> PolicyLoader::eviction_of(const PlacedText& placed) {
  for (const shm::EvictionPolicy policy : kEvictions) {
    if (to_string(policy) == placed.text) return policy;
  }
  problems_.add(placed.position,
                "an eviction policy is \"oldest-head\", \"fair-share\" or \"reject\", not " +
                    shown(placed.text));
  return std::nullopt;
}

void PolicyLoader::read_eviction(TableReader& reader, PrincipalRule& rule) {
  const std::size_t problems_before = problems_.count();
  std::vector<PlacedText> allowed;
  reader.read("eviction_allowed", allowed);
  if (reader.has("eviction_allowed")) {
    rule.eviction_allowed.clear();
    for (const PlacedText& placed : allowed) {
      if (const auto policy = eviction_of(placed)) rule.eviction_allowed.push_back(*policy);
    }
  }
  PlacedText standard{std::string(to_string(rule.eviction_default)),
                      reader.position_of("eviction_default")};
  reader.read("eviction_default", standard);
  const auto policy = eviction_of(standard);
  if (!policy || problems_.count() != problems_before) return;
  rule.eviction_default = *policy;
  const auto& list = rule.eviction_allowed;
  if (std::find(list.begin(), list.end(), *policy) == list.end()) {
    reader.problem_at(
        reader.has("eviction_default") ? "eviction_default" : "eviction_allowed",
        "'eviction_default' (" + shown(standard.text) + ") is not among 'eviction_allowed'");
  }
}

void PolicyLoader::read_rate(TableReader& reader, PrincipalRule& rule) {
  reader.read("publish_rate_bytes_per_second", rule.publish_rate_bytes_per_second);
  const bool has_rate = reader.has("publish_rate_bytes_per_second");
  if (has_rate)
    rule.publish_burst_bytes = std::max(rule.publish_rate_bytes_per_second, kLargestPublishCharge);
  reader.read("publish_burst_bytes", rule.publish_burst_bytes);
  reader.read("publish_rate_capsules", rule.publish_rate_capsules);
  if (has_rate) return;
  const auto needs_rate = [&reader](std::string_view key) {
    reader.problem_at(key, "'" + std::string(key) + "' needs a 'publish_rate_bytes_per_second'");
  };
  if (reader.has("publish_burst_bytes")) needs_rate("publish_burst_bytes");
  if (rule.publish_rate_capsules != 1) needs_rate("publish_rate_capsules");
}

void PolicyLoader::read_principal(const PolicyValue& value) {
  TableReader reader(value, PolicyTable::principal, problems_, {"quota"});
  PrincipalRule rule;
  if (reader.has("name")) {
    PlacedText name{"-", reader.position_of("name")};
    reader.read("name", name);
    check_principal_name(name, rule);
  } else {
    reader.problem_at("name", "this [[principal]] has no 'name'");
  }
  const bool peers_are_right = read_peers(reader, rule.peers);
  reader.read("minted", rule.minted);
  if (peers_are_right && rule.peers.empty() && !rule.minted) {
    reader.problem_at("uid",
                      "nobody could attach as this [[principal]]: give it a 'uid', a 'gid' "
                      "or minted = true");
  }
  rule.publish = read_patterns(reader, "publish");
  rule.subscribe = read_patterns(reader, "subscribe");
  read_admission(reader, rule);
  read_budget(reader, rule);
  read_eviction(reader, rule);
  read_rate(reader, rule);
  if (const PolicyValue* const quota = reader.subtable("quota")) read_quota(*quota, rule.quota);
  policy_.add(std::move(rule));
}

}  // namespace fairlead::broker

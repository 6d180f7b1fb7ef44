#include <fairlead/broker/policy.hpp>

#include <algorithm>
#include <utility>

#include <fairlead/shm/principal.hpp>

#include "policy/policy_keys.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {
namespace {

AttachDecision refuse(ErrorCode code, std::string sentence) {
  AttachDecision decision;
  decision.code = code;
  decision.sentence = std::move(sentence);
  return decision;
}

AttachDecision refuse(std::string sentence) {
  return refuse(ErrorCode::denied, std::move(sentence));
}

AttachDecision allow(std::string_view principal, std::shared_ptr<const PrincipalRule> rule) {
  AttachDecision decision;
  decision.allowed = true;
  decision.principal = principal;
  decision.payer = principal;
  decision.rule = std::move(rule);
  return decision;
}

// The space and the star keep it apart from every principal's name.
std::string family_of(const PrincipalRule& rule, const Peer& peer) {
  return rule.names.text() + " of uid " + std::to_string(peer.uid);
}

std::uint64_t greatest(PolicyTable table, std::string_view key) {
  return find_policy_key(table, key)->maximum;
}

PrincipalRule everything_for(std::uint32_t own_uid, PrincipalNames names) {
  PrincipalRule rule;
  rule.names = std::move(names);
  rule.peers.uids = {own_uid};
  rule.minted = true;
  rule.publish = PatternSet({"*"});
  rule.subscribe = PatternSet({"*"});
  rule.admission = AdmissionLimit::all;
  rule.maximum_budget_bytes = greatest(PolicyTable::principal, "maximum_budget_bytes");
  rule.quota.guests = greatest(PolicyTable::quota, "guests");
  rule.quota.routes = greatest(PolicyTable::quota, "routes");
  rule.quota.lanes_per_route = greatest(PolicyTable::quota, "lanes_per_route");
  rule.quota.total_budget_bytes = greatest(PolicyTable::quota, "total_budget_bytes");
  rule.quota.descriptors = greatest(PolicyTable::quota, "descriptors");
  rule.quota.attaches_per_minute = greatest(PolicyTable::quota, "attaches_per_minute");
  rule.quota.outbox_bytes = greatest(PolicyTable::quota, "outbox_bytes");
  return rule;
}

}  // namespace

Policy Policy::without_file(std::uint32_t own_uid) {
  Policy policy;
  policy.own_uid_ = own_uid;
  const PrincipalNames system;
  const PrincipalNames any{.prefix = "", .exact = false};
  policy.add(everything_for(own_uid, system));
  policy.add(everything_for(own_uid, any));
  policy.minters_.push_back({.peers = {.uids = {own_uid}, .gids = {}}, .names = {system, any}});
  return policy;
}

void Policy::add(PrincipalRule added) {
  auto rule = std::make_shared<const PrincipalRule>(std::move(added));
  rules_.push_back(rule);
  if (rule->names.exact) {
    exact_.emplace(rule->names.prefix, std::move(rule));
    return;
  }
  const auto longer = [](const auto& left, const auto& right) {
    return left->names.prefix.size() > right->names.prefix.size();
  };
  prefixes_.insert(std::upper_bound(prefixes_.begin(), prefixes_.end(), rule, longer), rule);
}

std::shared_ptr<const PrincipalRule> Policy::rule_of(std::string_view principal) const {
  const auto exact = exact_.find(std::string(principal));
  if (exact != exact_.end()) return exact->second;
  for (const auto& rule : prefixes_) {
    if (rule->names.match(principal)) return rule;
  }
  return nullptr;
}

AttachDecision Policy::decide_own_principal(const Peer& peer) const {
  std::vector<std::string> names;
  std::shared_ptr<const PrincipalRule> found;
  for (const auto& rule : rules_) {
    if (!rule->names.exact || !rule->peers.lists(peer)) continue;
    names.push_back(rule->names.text());
    found = rule;
  }
  if (names.empty()) return refuse(refusals::no_own_principal(peer));
  if (names.size() > 1) return refuse(refusals::several_principals(peer, names));
  return allow(found->names.prefix, found);
}

AttachDecision Policy::decide_attach(const Peer& peer, std::string_view requested,
                                     std::optional<std::string_view> pinned) const {
  const std::string_view principal = shm::canonical_principal(requested);
  const shm::PrincipalProblem problem = shm::check_principal(principal);
  if (problem != shm::PrincipalProblem::none) {
    return refuse(ErrorCode::invalid_principal, refusals::bad_principal(requested, problem));
  }
  if (pinned) {
    if (!requested.empty() && principal != *pinned) {
      return refuse(refusals::pinned(*pinned, principal));
    }
    auto rule = rule_of(*pinned);
    if (!rule) return refuse(refusals::unknown_principal(*pinned));
    if (!rule->minted) return refuse(refusals::not_mintable(*pinned));
    return allow(*pinned, std::move(rule));
  }
  if (!has_file_ && peer.uid != own_uid_) return refuse(refusals::no_policy_file(peer, own_uid_));
  if (requested.empty()) return decide_own_principal(peer);
  auto rule = rule_of(principal);
  if (!rule) return refuse(refusals::unknown_principal(principal));
  if (rule->peers.lists(peer)) {
    AttachDecision decision = allow(principal, std::move(rule));
    // Else a new name would be a new quota. Without a file our own user is trusted anyway.
    if (has_file_ && !decision.rule->names.exact) decision.payer = family_of(*decision.rule, peer);
    return decision;
  }
  if (rule->peers.empty()) return refuse(refusals::must_be_minted(principal));
  return refuse(refusals::not_this_user(principal, peer));
}

AttachDecision Policy::decide_again(const Peer& peer, std::string_view principal,
                                    std::optional<std::string_view> pinned) const {
  return decide_attach(peer, shm::displayed_principal(principal), pinned);
}

AttachDecision Policy::decide_mint(const Peer& peer, std::string_view requested) const {
  const std::string_view principal = shm::canonical_principal(requested);
  const shm::PrincipalProblem problem = shm::check_principal(principal);
  if (problem != shm::PrincipalProblem::none) {
    return refuse(ErrorCode::invalid_principal, refusals::bad_principal(requested, problem));
  }
  if (!has_file_ && peer.uid != own_uid_) return refuse(refusals::no_policy_file(peer, own_uid_));
  bool is_minter = false;
  bool may_mint = false;
  for (const MinterRule& minter : minters_) {
    if (!minter.peers.lists(peer)) continue;
    is_minter = true;
    for (const PrincipalNames& names : minter.names) may_mint |= names.match(principal);
  }
  if (!is_minter) return refuse(refusals::not_a_minter(peer));
  if (!may_mint) return refuse(refusals::may_not_mint(peer, principal));
  auto rule = rule_of(principal);
  if (!rule) return refuse(refusals::unknown_principal(principal));
  if (!rule->minted) return refuse(refusals::not_mintable(principal));
  return allow(principal, std::move(rule));
}

}  // namespace fairlead::broker

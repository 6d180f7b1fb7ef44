#include "policy/refusals.hpp"

#include "policy/shown_text.hpp"

namespace fairlead::broker::refusals {
namespace {

constexpr std::size_t kTopicBytesShown = 100;
constexpr std::size_t kNameBytesShown = 48;

std::string who(std::string_view principal) {
  return "principal " + shown(shm::displayed_principal(principal), kNameBytesShown);
}

std::string who(const Peer& peer) {
  return "uid " + std::to_string(peer.uid) + " (gid " + std::to_string(peer.gid) + ")";
}

std::string topic_text(std::string_view topic) { return shown(topic, kTopicBytesShown); }

std::string admission_text(shm::AdmissionKind kind, std::string_view admitted) {
  const std::string name = shown(shm::displayed_principal(admitted), kNameBytesShown);
  switch (kind) {
    case shm::AdmissionKind::policy_default:
      return "the policy's default";
    case shm::AdmissionKind::all:
      return "all principals";
    case shm::AdmissionKind::exactly:
      return "exactly " + name;
    case shm::AdmissionKind::principal_or_system:
      return name + " or system";
  }
  return "something unknown";
}

std::string_view resource_text(QuotaResource resource) {
  switch (resource) {
    case QuotaResource::guests:
      return "attached guests";
    case QuotaResource::routes:
      return "routes";
    case QuotaResource::budget_bytes:
      return "bytes of route budgets";
    case QuotaResource::descriptors:
      return "descriptors";
    case QuotaResource::outbox_bytes:
      return "bytes of outboxes";
    case QuotaResource::in_flight:
      return "descriptors in flight";
  }
  return "units";
}

}  // namespace

std::string bad_principal(std::string_view name, shm::PrincipalProblem problem) {
  return shown(name) + " cannot be a principal: " + std::string(shm::sentence_of(problem));
}

std::string unknown_user(std::uint32_t uid) {
  return "uid " + std::to_string(uid) +
         " may not attach: the broker runs in a user namespace that lacks this user, so it may be "
         "anybody; map the user there, or let a keeper (fairlead run) connect for it";
}

std::string no_policy_file(const Peer& peer, std::uint32_t own_uid) {
  return who(peer) + " may not attach: the broker has no policy file, so only its own user (uid " +
         std::to_string(own_uid) + ") may; start it with --policy FILE to let others in";
}

std::string unknown_principal(std::string_view principal) {
  return who(principal) + " is not in the policy: add a [[principal]] whose name matches it";
}

std::string not_this_user(std::string_view principal, const Peer& peer) {
  return who(peer) + " may not attach as " + who(principal) +
         ": its [[principal]] in the policy lists neither this uid nor this gid";
}

std::string must_be_minted(std::string_view principal) {
  return who(principal) +
         " can only be minted: start the guest with 'fairlead run --principal' as " +
         "a user that a [[minter]] of the policy lists";
}

std::string no_own_principal(const Peer& peer) {
  return "the policy has no principal for " + who(peer) +
         ": ask for one by name, or add a [[principal]] that lists this uid";
}

std::string several_principals(const Peer& peer, const std::vector<std::string>& names) {
  std::string sentence = who(peer) + " may attach as several principals: say which (";
  constexpr std::size_t kShownAtMost = 3;
  for (std::size_t index = 0; index < names.size() && index < kShownAtMost; ++index) {
    sentence += (index == 0 ? "" : ", ") + shown(names[index], kNameBytesShown);
  }
  return sentence + (names.size() > kShownAtMost ? ", ...)" : ")");
}

std::string pinned(std::string_view pinned_principal, std::string_view requested) {
  return "this connection was minted for " + who(pinned_principal) + " and cannot become " +
         who(requested);
}

std::string not_a_minter(const Peer& peer) {
  return who(peer) + " may not mint principals: no [[minter]] of the policy lists it";
}

std::string may_not_mint(const Peer& peer, std::string_view principal) {
  return who(peer) + " may not mint " + who(principal) +
         ": no [[minter]] of the policy that lists it has a matching name";
}

std::string not_mintable(std::string_view principal) {
  return who(principal) +
         " cannot be minted: its [[principal]] in the policy does not say minted = true";
}

std::string attach_rate(std::string_view principal, std::uint64_t per_minute) {
  return who(principal) + " attaches too often: its quota is " + std::to_string(per_minute) +
         " attaches per minute";
}

std::string bad_topic(std::string_view topic, shm::TopicProblem problem) {
  return "cannot publish on " + topic_text(topic) + ": " + std::string(shm::sentence_of(problem));
}

std::string may_not_publish(std::string_view principal, std::string_view topic) {
  return who(principal) + " may not publish on " + topic_text(topic) +
         ": no publish pattern of its policy matches it";
}

std::string payload_too_large(std::uint64_t bytes) {
  return "a payload of " + std::to_string(bytes) + " bytes is too large: at most " +
         std::to_string(shm::kMaximumInlinePayloadBytes) + " bytes travel outside a pool (R31)";
}

std::string publish_rate(std::string_view principal, std::uint64_t bytes_per_second) {
  return who(principal) + " publishes too fast: its rate is " + std::to_string(bytes_per_second) +
         " bytes per second (R31)";
}

std::string larger_than_burst(std::uint64_t bytes, std::uint64_t burst) {
  return "a message of " + std::to_string(bytes) +
         " bytes, topic included, is larger than the publish burst of " + std::to_string(burst) +
         " bytes, so waiting would not help: raise publish_burst_bytes or send less (R31)";
}

std::string bad_pattern(std::string_view pattern, shm::TopicProblem problem) {
  return "cannot subscribe to " + topic_text(pattern) + ": " +
         std::string(shm::sentence_of(problem));
}

std::string may_not_subscribe(std::string_view principal, std::string_view pattern) {
  return who(principal) + " may not subscribe to " + topic_text(pattern) +
         ": no subscribe pattern of its policy covers all of it";
}

std::string unknown_number(std::string_view what, std::uint64_t number) {
  return "the request holds an unknown " + std::string(what) + " (" + std::to_string(number) +
         "): guest and broker may be of different versions";
}

std::string bad_admitted(std::string_view name, shm::PrincipalProblem problem) {
  return "a route cannot admit " + shown(name) + ": " + std::string(shm::sentence_of(problem));
}

std::string admission_too_wide(std::string_view principal, shm::AdmissionKind asked,
                               std::string_view admitted, AdmissionLimit limit) {
  return who(principal) + " may not have a route that admits " + admission_text(asked, admitted) +
         ": the admission of its policy is '" + std::string(to_string(limit)) + "'";
}

std::string eviction_not_allowed(std::string_view principal, shm::EvictionPolicy asked,
                                 const std::vector<shm::EvictionPolicy>& allowed) {
  std::string sentence = who(principal) + " may not have a route with eviction '" +
                         std::string(to_string(asked)) + "': its policy allows ";
  for (std::size_t index = 0; index < allowed.size(); ++index) {
    sentence += (index == 0 ? "'" : ", '") + std::string(to_string(allowed[index])) + "'";
  }
  return sentence;
}

std::string budget_too_small(std::uint64_t asked, std::uint64_t minimum) {
  return "a route budget of " + std::to_string(asked) +
         " bytes is too small: it must be at least " + std::to_string(minimum) +
         ", or 0 for the policy's default";
}

std::string budget_too_large(std::uint64_t asked, std::uint64_t maximum) {
  return "a route budget of " + std::to_string(asked) + " bytes is too large: the policy allows " +
         std::to_string(maximum) + " (maximum_budget_bytes)";
}

std::string cap_too_large(std::uint64_t asked, std::uint64_t maximum) {
  return "a route segment of " + std::to_string(asked) +
         " bytes is too large: for this budget the policy allows " + std::to_string(maximum) +
         " (hard_cap_factor or segment_cap_bytes)";
}

std::string too_many_lanes(std::uint64_t asked, std::uint64_t maximum) {
  return "a route of " + std::to_string(asked) + " lanes is too large: the policy allows " +
         std::to_string(maximum) + " (quota.lanes_per_route)";
}

std::string quota(const QuotaRefusal& refusal) {
  const std::string asked =
      std::to_string(refusal.asked) + " " + std::string(resource_text(refusal.resource));
  if (refusal.shared) {
    return asked + " more would leave too little for others: of the " +
           std::to_string(refusal.limit) + " of " + shown(refusal.account, kNameBytesShown) +
           " this principal has " + std::to_string(refusal.used) + " already (R32)";
  }
  return asked + " more would exceed the quota of " + shown(refusal.account, kNameBytesShown) +
         ": " + std::to_string(refusal.used) + " of " + std::to_string(refusal.limit) +
         " are in use (R32)";
}

}  // namespace fairlead::broker::refusals

#include <fairlead/broker/policy_model.hpp>

#include <algorithm>

#include <fairlead/shm/principal.hpp>

namespace fairlead::broker {

std::string PrincipalNames::text() const {
  return exact ? std::string(shm::displayed_principal(prefix)) : prefix + "*";
}

bool PeerList::lists(const Peer& peer) const noexcept {
  return std::find(uids.begin(), uids.end(), peer.uid) != uids.end() ||
         std::find(gids.begin(), gids.end(), peer.gid) != gids.end();
}

std::string_view to_string(AdmissionLimit limit) noexcept {
  switch (limit) {
    case AdmissionLimit::own:
      return "own";
    case AdmissionLimit::own_or_system:
      return "own-or-system";
    case AdmissionLimit::all:
      return "all";
  }
  return "unknown";
}

std::string_view to_string(shm::EvictionPolicy policy) noexcept {
  switch (policy) {
    case shm::EvictionPolicy::policy_default:
      return "policy-default";
    case shm::EvictionPolicy::oldest_head:
      return "oldest-head";
    case shm::EvictionPolicy::fair_share:
      return "fair-share";
    case shm::EvictionPolicy::reject:
      return "reject";
  }
  return "unknown";
}

}  // namespace fairlead::broker

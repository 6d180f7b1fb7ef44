// How a program gets its connection to a broker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/unique_fd.hpp>
#include <fairlead/shm/uuid.hpp>

namespace fairlead::guest {

/// Name of the environment variable that holds the number of an inherited, connected descriptor.
inline constexpr const char* kInheritedDescriptorVariable = "FAIRLEAD_FD";
/// Of the one with the number of a descriptor over which whoever started us connects us anew.
inline constexpr const char* kKeeperDescriptorVariable = "FAIRLEAD_KEEPER_FD";

/// Every way out has a name of its own: see Guest::attach().
struct AttachOptions {
  /// Where the broker listens. Empty, and no `descriptor`: the inherited descriptor is taken.
  std::string socket_path{};
  /// Already connected to a broker, nothing said on it yet (but for `mint`). Goes before the
  /// others. If that broker is gone, `reconnect` is asked for the next one; as is the keeper, for
  /// the inherited descriptor.
  shm::UniqueFd descriptor{};
  /// As whom to publish and subscribe; "" is whom the policy names for this uid, or as minted.
  /// The policy has the last word.
  std::string principal{};
  /// Identity of the deployed program; several attachments may share one. Default: random.
  std::optional<shm::Uuid> capsule{};
  /// For the broker's log and the dump tool, at most 64 bytes; "" is what the kernel calls us.
  std::string program{};
  /// For the attach, and for each later question to the broker.
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  /// How long to try to come back to a broker that is gone without farewell: killed, or restarted
  /// (R34). Counted from when that is noticed. Meanwhile nothing is there, and nothing is lost.
  /// Zero: not at all.
  std::chrono::nanoseconds resume_for = std::chrono::seconds(30);
  /// The way back, if it is not the one we came: connects within that time, or returns an invalid
  /// descriptor while the broker is not there. Without it: `socket_path` again, or for the
  /// inherited descriptor the keeper that FAIRLEAD_KEEPER_FD names; there is no way back for
  /// `descriptor`. Called by whichever thread of the guest's notices that the broker is gone, one
  /// at a time.
  std::function<shm::UniqueFd(std::chrono::nanoseconds)> reconnect{};
};

/// What the broker said of itself and of us.
struct Welcome {
  std::string broker;                            // its name
  std::uint64_t epoch = 0;                       // its life; grows with every restart
  std::uint64_t guest = 0;                       // our number in its log
  std::string principal;                         // who we are; "" is system
  shm::Boundary boundary = shm::Boundary::none;  // what holds between us and other guests
  std::string boundary_reason;                   // in one sentence
};

}  // namespace fairlead::guest

// For programs that start guests (`fairlead run`): a guest without access to any file is handed a
// connection whose principal is fixed already, and another one when the broker was restarted.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::guest {

/// Connects to the broker at `socket_path` and has it fix the connection's principal: whoever gets
/// this descriptor can attach as `principal` and as nobody else. "system" or "" is system. The
/// descriptor is close-on-exec, see let_children_inherit().
///
/// Throws Error: broker_gone, denied (the policy does not let this uid mint that principal),
/// invalid_principal, timeout, protocol, system.
[[nodiscard]] shm::UniqueFd connect_as(const std::string& socket_path, std::string_view principal,
                                       std::chrono::nanoseconds timeout = std::chrono::seconds(10));

/// Clears close-on-exec and returns "FAIRLEAD_FD=<number>", for the environment of the child that
/// shall find it with Guest::attach(). Every child started from now on inherits it: do this in the
/// child between fork() and exec(), or close the descriptor right after. Throws Error.
[[nodiscard]] std::string let_children_inherit(const shm::UniqueFd& descriptor);

/// Connects one guest again after its broker was restarted (R34), as the principal that it had. The
/// guest finds its end of a socket under the number in FAIRLEAD_KEEPER_FD and asks there; its
/// library does so by itself.
///
/// The guest is not trusted: it gets one connection a second in the long run, has one answer
/// waiting at most, and none any more after a packet that makes no sense, a descriptor, or a flood
/// of questions. Not thread-safe. No call waits for anything.
class Keeper {
 public:
  /// How long the broker may take to answer; then the guest has to ask again.
  static constexpr std::chrono::nanoseconds kPatience = std::chrono::seconds(1);

  /// For guests that get their first connection with connect_as() of the same two. Throws Error:
  /// invalid_principal, system.
  Keeper(std::string socket_path, std::string_view principal);
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  /// Close-on-exec until the child that shall have it clears that, as for FAIRLEAD_FD.
  [[nodiscard]] int guests_end() const noexcept;
  /// To be called when the child has begun: else nobody notices its end.
  void close_guests_end() noexcept;

  /// To be polled, together with whatever else the program waits for: readable when serve() has
  /// something to do. The same number for life.
  [[nodiscard]] int descriptor() const noexcept;
  /// Does what is due. False once the guest has closed its end, or has lost its right to it: then
  /// the descriptor is not to be polled any more.
  bool serve() noexcept;

 private:
  class Content;
  std::unique_ptr<Content> content_;
};

}  // namespace fairlead::guest

// The broker: routes, guests that attach, and publishing. Embed it in a host's process, or run the
// daemon fairlead-broker, which is a thin main() around it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <fairlead/broker/loan.hpp>
#include <fairlead/broker/options.hpp>
#include <fairlead/broker/publish.hpp>
#include <fairlead/broker/statistics.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::broker {

struct PublishOptions {
  /// Wait so long for room in routes of policy `reject` instead of being refused (R21). Only the
  /// calling thread waits. Zero: do not wait.
  std::chrono::nanoseconds block_for{0};
};

// All calls are thread-safe. Nothing that a guest does (or does not do) can delay a call, but for
// block_for and memory bandwidth. Control calls throw Error; publish() and Loan::commit() do not.
//
// Principals are given as people write them: "alice", "agent.scout", "system" (or an empty name).
class Broker {
 public:
  /// Takes the name and the socket, reads the policy, creates the route table. Throws Error:
  /// name_taken, socket_taken, policy_invalid, invalid_argument, out_of_memory, denied, system.
  /// Guests are served once start() or run() was called; publishing works at once.
  explicit Broker(BrokerOptions options);

  /// stop(), if that was not called.
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// Serves guests in a thread of the broker's own until stop().
  void start();
  /// Serves guests in the calling thread until another thread calls stop().
  void run();
  /// Ends everything: guests are disconnected and see their routes closed, all segments and the
  /// socket are removed. Idempotent. The broker cannot be started again.
  void stop() noexcept;

  /// As stop(), but for the next broker of this name: routes, what is queued in them and outboxes
  /// stay in shared memory, as if this one had been killed between two messages. Guests come back
  /// to the next one by themselves (R34).
  void hand_over() noexcept;

  /// Delivers to every matching route before it returns (R06). The host is trusted: no permission
  /// is asked and no rate is charged. A broker that was stopped says route_closed; an unusable
  /// principal not_permitted.
  PublishReport publish(std::string_view principal, std::string_view topic,
                        std::span<const std::byte> payload, PublishOptions options = {}) noexcept;
  PublishReport publish(std::string_view principal, std::string_view topic,
                        std::string_view payload, PublishOptions options = {}) noexcept {
    return publish(principal, topic, std::as_bytes(std::span(payload)), options);
  }

  /// Room for `bytes` of payload. Throws Error: invalid_topic, invalid_principal, limit (more than
  /// 5 MiB, R31), out_of_memory, disconnected (stopped).
  [[nodiscard]] Loan loan(std::string_view principal, std::string_view topic, std::uint64_t bytes);

  /// A guest's end of a connection that is `principal` already: hand it to a process that the host
  /// starts. Throws Error: denied (the policy has no rule for it), limit, system.
  [[nodiscard]] shm::UniqueFd connect(std::string_view principal);

  /// R13: all routes of the guest admit from the next publish on, or from then on nothing any more.
  /// Throws Error(not_found) when the guest has gone.
  void open_gate(std::uint64_t guest);
  void retire_gate(std::uint64_t guest);

  /// Reads the policy file again and applies it to those attached, too: a guest that may not attach
  /// any more is disconnected, a route that it may not have any more is ended. Throws Error and
  /// keeps the old policy when the file is bad.
  void reload_policy();

  [[nodiscard]] BrokerStatistics statistics() const;
  [[nodiscard]] std::uint64_t epoch() const noexcept;
  /// Empty when the broker does not listen.
  [[nodiscard]] const std::string& socket_path() const noexcept;

 private:
  class Content;
  std::unique_ptr<Content> content_;
};

}  // namespace fairlead::broker

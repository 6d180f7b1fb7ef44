// The service thread's work: connections, outboxes, maintenance.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <fairlead/shm/control_socket.hpp>

#include "attach/event_loop.hpp"
#include "attach/lingering.hpp"
#include "attach/session.hpp"
#include "state/broker_state.hpp"

namespace fairlead::broker {

class AttachServer {
 public:
  /// Listens if the state's options name a socket path. Throws Error.
  explicit AttachServer(BrokerState& state);
  ~AttachServer();
  AttachServer(const AttachServer&) = delete;
  AttachServer& operator=(const AttachServer&) = delete;

  /// Until request_stop(); then all connections are closed. One thread.
  void run();
  /// With `hand_over` guests just see the connection break, and try to come back.
  void request_stop(bool hand_over = false) noexcept;
  void wake() noexcept { loop_.wake(); }

  /// Thread-safe: our end of a connection whose principal the host vouches for.
  void hand_in(shm::UniqueFd socket, std::string principal);

 private:
  using SessionId = std::uint64_t;
  static constexpr SessionId kListener = 1;
  static constexpr SessionId kFirstSession = 16;

  void turn();
  void tell_of(const std::exception& error) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> sleep_nanoseconds();
  void accept_some();
  void accept_handed_in();
  void reserve_descriptor() noexcept;
  [[nodiscard]] bool shed_connection();
  void turn_away(int socket, std::string_view sentence);
  void stop_listening_for_now() noexcept;
  void listen_again(std::uint64_t now);
  [[nodiscard]] bool too_many_unknown(const shm::PeerCredentials& peer) const;
  void admit(shm::UniqueFd socket, const shm::PeerCredentials& peer,
             std::optional<std::string> pinned);
  void on_event(std::uint64_t tag);
  void after(SessionId id, Session& session);
  void serve_outboxes();
  void maintain();
  void expire_away();
  void carry_out(const EndOrder& order);
  void expire(std::uint64_t now);
  void retry_deferred();
  void set_deadline(SessionId id, const Session& session);
  void remove(SessionId id);
  void end_replaced(GuestId guest);
  void close_all();
  [[nodiscard]] Session* session_of(GuestId guest, SessionId& id);

  BrokerState& state_;
  EventLoop loop_;
  shm::ControlListener listener_;
  Lingering lingering_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> hand_over_{false};
  std::optional<std::uint64_t> away_deadline_ = 0;  // of guests of an earlier epoch; first at once
  SessionId next_session_ = kFirstSession;
  std::unordered_map<SessionId, std::unique_ptr<Session>> sessions_;
  std::unordered_map<GuestId, SessionId> by_guest_;
  std::multimap<std::uint64_t, SessionId> deadlines_;
  std::unordered_map<SessionId, std::multimap<std::uint64_t, SessionId>::iterator> deadline_of_;
  std::vector<SessionId> deferred_;
  bool retry_soon_ = false;  // there may be room for some of them
  shm::UniqueFd spare_;      // given up to be able to refuse when descriptors run out
  std::optional<std::uint64_t> listen_again_nanoseconds_;  // while it does not even help
  std::mutex handing_in_;
  std::vector<std::pair<shm::UniqueFd, std::string>> handed_in_;
};

}  // namespace fairlead::broker

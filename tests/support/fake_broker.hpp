// A broker's end of the control protocol, with routes and outboxes driven by hand, so that tests of
// the guest decide what happens when. It answers in a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "support/fake_outbox.hpp"
#include "support/fake_route.hpp"

namespace fairlead::shm {
class ControlListener;
}

namespace fairlead::test {

namespace control = shm::control;

/// One guest's connection.
struct FakeSession {
  shm::UniqueFd socket;
  bool hung_up = false;

  /// `header` of the packet is filled in: an answer to `request`, if it wants one.
  template <class Packet>
  void answer(control::Kind kind, std::uint64_t request, Packet packet,
              std::initializer_list<int> descriptors = {}) const {
    if (request == control::kNoAnswer) return;
    packet.header = {kind, sizeof packet, request};
    send(std::as_bytes(std::span(&packet, 1)), descriptors);
  }
  void send(std::span<const std::byte> packet, std::initializer_list<int> descriptors = {}) const;
  void refuse(std::uint64_t request, ErrorCode code, std::string_view sentence) const;
};

class FakeBroker {
 public:
  /// Runs in the broker's thread.
  using Handler =
      std::function<void(FakeSession&, const control::Header&, std::span<const std::byte>)>;

  FakeBroker();
  ~FakeBroker();
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  /// A guest's end of a new connection.
  [[nodiscard]] shm::UniqueFd connect();
  /// Also lets guests connect to that path.
  void listen(const std::string& path);
  /// Closes all connections and the brokers' ends of wake-up sockets, as its death would.
  void hang_up();

  /// What to do with packets of that kind instead of the usual.
  void on(control::Kind kind, Handler handler);
  /// How subscriptions are made, but for pattern, number and wake-up.
  void set_route_options(const FakeRouteOptions& options);

  /// How many packets of that kind have come.
  [[nodiscard]] std::size_t count(control::Kind kind);
  /// Waits until so many have come; false after 30 seconds.
  [[nodiscard]] bool wait_for(control::Kind kind, std::size_t packets);
  /// In the order in which they were asked for.
  [[nodiscard]] FakeRoute& route(std::size_t index);
  [[nodiscard]] FakeOutbox& outbox();

 private:
  void serve();
  void accept();
  void receive(FakeSession& session);
  void handle(FakeSession& session, const control::Header& header,
              std::span<const std::byte> packet);
  void subscribe(FakeSession& session, const control::Header& header,
                 std::span<const std::byte> packet);
  void open_outbox(FakeSession& session, const control::Header& header,
                   std::span<const std::byte> packet);
  void wake_server() noexcept;

  shm::UniqueFd wake_;  // an eventfd
  std::unique_ptr<shm::ControlListener> listener_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> hang_up_{false};
  std::mutex mutex_;
  std::condition_variable counted_;
  std::deque<std::unique_ptr<FakeSession>> sessions_;
  std::deque<std::unique_ptr<FakeRoute>> routes_;
  std::unique_ptr<FakeOutbox> outbox_;
  std::map<control::Kind, Handler> handlers_;
  std::map<control::Kind, std::size_t> counts_;
  FakeRouteOptions route_options_;
  std::thread thread_;
};

template <class Packet>
Packet packet_as(std::span<const std::byte> bytes) {
  Packet packet{};
  if (bytes.size() == sizeof packet) std::memcpy(&packet, bytes.data(), sizeof packet);
  return packet;
}

}  // namespace fairlead::test

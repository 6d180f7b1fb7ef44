// A guest without the guest library: speaks the control protocol by hand, so that a test can say
// anything, also what no honest guest would.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/route_reader.hpp>
#include <fairlead/shm/segment.hpp>

namespace fairlead::test {

/// Long enough for any machine; nothing waits that long unless it fails.
inline constexpr std::chrono::seconds kPatience{10};

[[nodiscard]] shm::Uuid test_capsule(std::uint8_t number = 1);

/// One packet of the broker.
struct Reply {
  shm::ReceiveOutcome outcome = shm::ReceiveOutcome::nothing;
  std::vector<std::byte> bytes;
  std::vector<shm::UniqueFd> descriptors;

  [[nodiscard]] shm::control::Kind kind() const;
  template <class Packet>
  [[nodiscard]] Packet as() const {
    Packet packet{};
    EXPECT_EQ(bytes.size(), sizeof packet);
    if (bytes.size() == sizeof packet) std::memcpy(&packet, bytes.data(), sizeof packet);
    return packet;
  }
};

/// What was drained, copied out.
struct RawMessage {
  std::string principal;
  std::string topic;
  std::string payload;
  std::uint64_t sequence = 0;
  std::uint64_t publisher = 0;
  std::uint64_t publish_number = 0;
  friend bool operator==(const RawMessage&, const RawMessage&) = default;
};

/// A subscription's mappings.
class RawRoute {
 public:
  RawRoute(const shm::control::Subscribed& answer, std::vector<shm::UniqueFd> descriptors);

  /// Everything that is there now.
  [[nodiscard]] std::vector<RawMessage> drain();
  /// The same, as payloads.
  [[nodiscard]] std::vector<std::string> payloads();
  /// Waits until `count` messages were drained in all calls of this.
  [[nodiscard]] std::vector<RawMessage> drain_until(std::size_t count);

  [[nodiscard]] shm::CursorHeader& cursors() noexcept;
  [[nodiscard]] shm::LaneCursor& lane(std::uint32_t number) noexcept;
  [[nodiscard]] const shm::RouteHeader& header() const noexcept;
  [[nodiscard]] shm::RouteReader& reader() noexcept { return *reader_; }
  [[nodiscard]] int wake_descriptor() const noexcept { return wake_.get(); }
  [[nodiscard]] int route_descriptor() const noexcept { return route_.descriptor(); }

  shm::control::Subscribed answer;

 private:
  shm::Segment route_;
  shm::Segment cursors_;
  shm::UniqueFd wake_;
  std::unique_ptr<shm::RouteReader> reader_;
};

/// A publishing guest's mappings, and a writer that is honest unless told otherwise.
class RawOutbox {
 public:
  RawOutbox(const shm::control::OutboxOpened& answer, std::vector<shm::UniqueFd> descriptors);

  /// Writes a record at the tail without moving it; pieces of it may be wrong on purpose.
  void write(std::string_view topic, std::string_view payload, std::uint64_t block_until = 0,
             const std::function<void(shm::OutboxRecord&)>& tweak = {});
  /// Shows everything written. True when the broker sleeps and wants a kick.
  bool show();
  void set_tail(std::uint64_t tail);
  [[nodiscard]] std::uint64_t tail() const noexcept { return tail_; }
  [[nodiscard]] std::uint64_t newest() const noexcept { return number_; }

  [[nodiscard]] const shm::ReceiptHeader& receipts() const noexcept;
  [[nodiscard]] std::uint64_t accepted() const noexcept;
  /// Waits until the publish is acknowledged; the test fails when it never is.
  const shm::Receipt& wait_for(std::uint64_t number) const;

  shm::control::OutboxOpened answer;

 private:
  shm::Segment outbox_;
  shm::Segment receipts_;
  std::uint64_t tail_ = 0;
  std::uint64_t number_ = 0;
};

class RawGuest {
 public:
  explicit RawGuest(shm::UniqueFd socket) : socket_(std::move(socket)) {}
  explicit RawGuest(const std::string& path) : RawGuest(shm::connect_control(path, kPatience)) {}

  template <class Packet>
  [[nodiscard]] Packet packet(shm::control::Kind kind) {
    Packet made;
    std::memset(static_cast<void*>(&made), 0, sizeof made);
    made.header = {kind, sizeof made, ++request_};
    return made;
  }
  template <class Packet>
  void send(const Packet& packet, std::span<const int> descriptors = {}) {
    send_bytes(std::as_bytes(std::span(&packet, 1)), descriptors);
  }
  void send_bytes(std::span<const std::byte> bytes, std::span<const int> descriptors = {});
  void plain(shm::control::Kind kind, std::uint64_t value = 0);
  void acknowledge(std::uint64_t request);

  [[nodiscard]] Reply receive();
  [[nodiscard]] bool nothing_to_receive();
  /// The next packet, which must be a refusal: its sentence. `code` gets its code.
  std::string refusal(ErrorCode expected);
  /// Waits for the broker to hang up.
  [[nodiscard]] bool hung_up();

  [[nodiscard]] shm::control::Hello hello_packet(std::string_view principal = {},
                                                 std::uint8_t capsule = 1);
  shm::control::Welcome hello(std::string_view principal = {}, std::uint8_t capsule = 1);
  [[nodiscard]] shm::control::Subscribe subscribe_packet(std::string_view pattern);
  [[nodiscard]] std::unique_ptr<RawRoute> subscribe(const shm::control::Subscribe& packet);
  [[nodiscard]] std::unique_ptr<RawRoute> subscribe(std::string_view pattern) {
    return subscribe(subscribe_packet(pattern));
  }
  [[nodiscard]] std::unique_ptr<RawOutbox> open_outbox(std::uint64_t ring_bytes = 0);
  /// Shows what was written and kicks if the broker wants that.
  void publish(RawOutbox& outbox);
  /// One message, to its receipt.
  const shm::Receipt& publish(RawOutbox& outbox, std::string_view topic, std::string_view payload);
  void set_gate(bool open);
  void done();  // the next packet must be `done`

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] std::uint64_t request() const noexcept { return request_; }
  void leave() { socket_.reset(); }

 private:
  shm::UniqueFd socket_;
  std::uint64_t request_ = 0;
};

}  // namespace fairlead::test

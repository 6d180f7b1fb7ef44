// A guest of its own that attaches as any other and then does what it likes with all that it was
// given, until the broker throws it out or it has had enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "page.hpp"

namespace fairlead::hostile_processes {

/// A mapping of the whole file behind a descriptor.
class Mapping {
 public:
  Mapping(shm::UniqueFd descriptor, std::uint64_t bytes, bool writable);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, bytes_}; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  template <class Layout>
  [[nodiscard]] Layout& as() const noexcept {
    return *reinterpret_cast<Layout*>(data_);
  }

 private:
  shm::UniqueFd descriptor_;
  std::byte* data_ = nullptr;
  std::size_t bytes_;
};

class Intruder {
 public:
  Intruder(std::string socket, std::size_t slot, std::uint64_t seed, Page& page);
  ~Intruder();
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

  /// One life. Throws std::runtime_error when something was possible that must not be.
  void live();

 private:
  struct Route {
    shm::control::Subscribed answer;
    Mapping segment;  // read-only
    Mapping cursors;
    shm::UniqueFd wake;
  };

  // intruder.cpp: as honest guests do
  [[nodiscard]] bool attach();
  void subscribe();
  void open_outbox();
  bool send(std::span<const std::byte> packet, std::span<const int> descriptors = {});
  void read_all();
  void take(std::span<const std::byte> packet, std::vector<shm::UniqueFd> descriptors);
  void publish();
  void claim();
  void act();

  // scribbling.cpp: what may be written
  void scribble_cursors();
  void scribble_outbox();
  void scribble_where(std::span<std::byte> memory, std::size_t offset, std::size_t words);
  void move_heads();
  void move_tail();
  void punch_holes();
  void ring_doorbells();
  void pin_memory();
  void replay();
  [[nodiscard]] std::uint64_t nonsense(std::uint64_t truth);

  // packets.cpp: what may be said
  void storm_of_kicks();
  void flood_wake_socket();
  void random_packet();
  void half_packet();
  void foreign_descriptors();
  void many_requests();
  void crowd_of_connections();
  [[nodiscard]] std::vector<std::byte> some_packet();

  // forbidden.cpp: what must not work
  void try_forbidden();
  void must_fail(bool worked, const char* what);

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool one_in(std::uint64_t times) { return below(times) == 0; }
  template <class Packet>
  [[nodiscard]] Packet packet(shm::control::Kind kind) {
    Packet made;
    std::memset(static_cast<void*>(&made), 0, sizeof made);
    made.header = {kind, sizeof made, ++request_};
    return made;
  }
  template <class Packet>
  bool send_packet(const Packet& made) {
    return send(std::as_bytes(std::span(&made, 1)));
  }
  [[nodiscard]] std::span<std::byte> some_memory();

  std::string path_;
  std::size_t slot_;
  Page& page_;
  IntruderProgress& progress_;
  std::mt19937_64 random_;
  shm::UniqueFd socket_;
  std::uint64_t guest_ = 0;
  std::uint64_t request_ = 0;
  bool thrown_out_ = false;
  bool reads_ = true;  // its socket
  std::vector<std::unique_ptr<Route>> routes_;
  std::unique_ptr<Mapping> outbox_;
  std::unique_ptr<Mapping> receipts_;
  std::uint64_t ring_bytes_ = 0;
  std::uint64_t tail_ = 0;
  std::uint64_t number_ = 0;
  std::vector<std::byte> old_;  // what some memory held before
  std::vector<std::uint64_t> seen_;
  std::vector<shm::UniqueFd> crowd_;
};

/// Forks one life after the other until the page says stop: whoever was thrown out comes back as a
/// new process. As another user where we are root.
void keep_intruding(const std::string& socket, std::size_t slot, std::uint64_t seed, Page& page);

/// Whom intruders are, so that the policy can let them in.
[[nodiscard]] std::uint32_t intruder_user(std::size_t slot) noexcept;
[[nodiscard]] bool intruders_are_other_users() noexcept;

}  // namespace fairlead::hostile_processes

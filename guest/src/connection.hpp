// The guest's end of the attach socket: one question at a time, and whatever the broker says
// unasked.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <fairlead/guest/route_end.hpp>
#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/unique_fd.hpp>

#include "fork_watch.hpp"

namespace fairlead::guest {

using shm::control::Kind;

template <class Packet>
[[nodiscard]] std::span<const std::byte> bytes_of(const Packet& packet) noexcept {
  static_assert(shm::control::kIsPacket<Packet>);
  return std::as_bytes(std::span(&packet, 1));
}

/// Thread-safe. Lives as long as anything that was made through it: the guest, its subscriptions,
/// its publisher, batches that are out. The socket closes with it, and then the broker ends all
/// that is left.
///
/// After a breach of the protocol, a hang-up or a question without an answer in time it is gone for
/// good: what an answer that comes late belongs to would be guesswork. The next one is the Link's
/// business. A forked child may look whether the broker is there, and nothing else: the
/// conversation is its parent's.
class Connection {
 public:
  /// `socket`: connected, SOCK_SEQPACKET. `timeout`: for each question.
  Connection(shm::UniqueFd socket, std::chrono::nanoseconds timeout) noexcept
      : socket_(std::move(socket)), timeout_(timeout) {}

  template <class Reply>
  struct Answer {
    Reply reply;
    std::vector<shm::UniqueFd> descriptors;
  };

  /// Asks and waits. `question.header` is filled in here. Throws Error: what the broker refuses
  /// with, disconnected, timeout, protocol.
  template <class Reply, class Question>
  [[nodiscard]] Answer<Reply> ask(Kind kind, Question question, Kind expected,
                                  std::size_t descriptors = 0) {
    static_assert(shm::control::kIsPacket<Reply>);
    const std::lock_guard guard(exchange_mutex_);
    question.header = {kind, sizeof question, ++last_request_};
    Answer<Reply> answer{};
    answer.descriptors = exchange(bytes_of(question), last_request_, expected, descriptors,
                                  std::as_writable_bytes(std::span(&answer.reply, 1)));
    return answer;
  }

  /// Says something that wants no answer. If the socket is full it is said before whatever is said
  /// or asked next. Data path.
  template <class Statement>
  void tell(Kind kind, Statement statement) noexcept {
    statement.header = {kind, sizeof statement, shm::control::kNoAnswer};
    say(bytes_of(statement));
  }

  /// The same over another descriptor of a connection that is not ours: from a worker. Data path.
  template <class Statement>
  static void tell_over(const shm::UniqueFd& socket, Kind kind, Statement statement) noexcept {
    statement.header = {kind, sizeof statement, shm::control::kNoAnswer};
    if (socket) (void)shm::send_packet(socket.get(), bytes_of(statement));
  }

  /// The descriptors of the answer to `request` have arrived.
  void acknowledge(std::uint64_t request) noexcept;
  /// "Look at my outbox". False when the broker is gone. Data path.
  bool kick(std::uint64_t outbox) noexcept;

  /// Whether the broker has hung up, as far as is known; costs nothing. Data path.
  [[nodiscard]] bool gone() const noexcept { return gone_.load(std::memory_order_acquire); }
  /// Asks the kernel (one system call), and takes in what the broker said unasked. Data path.
  bool look_whether_gone() noexcept;

  /// For whoever wants to come back: takes in what was said before the hang-up, and makes sure that
  /// a broker that is still there sees us leave.
  void conclude() noexcept;
  /// The broker said that it ends for good.
  [[nodiscard]] bool said_farewell() const noexcept {
    return farewell_.load(std::memory_order_relaxed);
  }

  /// How and why a route ended, if the broker says so before the time is over.
  [[nodiscard]] std::optional<RouteEnd> end_of(std::uint64_t subscription,
                                               std::chrono::nanoseconds timeout = {});
  void forget_end_of(std::uint64_t subscription) noexcept;

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  /// Gives the socket away.
  [[nodiscard]] shm::UniqueFd release() && noexcept { return std::move(socket_); }

 private:
  static constexpr std::size_t kMostEnds = 65'536;  // kept; a broker has no more routes than that

  std::vector<shm::UniqueFd> exchange(std::span<const std::byte> question, std::uint64_t request,
                                      Kind expected, std::size_t descriptors,
                                      std::span<std::byte> reply);
  shm::SendOutcome sent_now(std::span<const std::byte> packet) noexcept;
  void say(std::span<const std::byte> packet) noexcept;
  [[nodiscard]] shm::SendOutcome say_unsaid() noexcept;
  shm::SendOutcome send_question(std::span<const std::byte> question,
                                 std::chrono::steady_clock::time_point deadline);
  void take_news();
  void read_news();
  bool take_unasked(const shm::control::Header& header, std::span<const std::byte> packet);
  [[noreturn]] void throw_gone();
  [[noreturn]] void give_up(ErrorCode code, const std::string& sentence);

  shm::UniqueFd socket_;
  const std::chrono::nanoseconds timeout_;
  const HomeProcess home_;
  std::atomic<bool> gone_{false};
  std::atomic<bool> farewell_{false};
  std::atomic<std::uint64_t> kick_owed_{0};  // for this outbox: the last one could not be sent
  std::mutex exchange_mutex_;
  std::uint64_t last_request_ = 0;  // guarded by exchange_mutex_
  std::mutex unsaid_mutex_;
  std::deque<std::vector<std::byte>> unsaid_;  // packets that could not be sent; in order
  std::mutex ends_mutex_;
  std::map<std::uint64_t, RouteEnd> ends_;  // by subscription number
  std::optional<Error> last_words_;         // why the broker hung up, if it said so
};

}  // namespace fairlead::guest

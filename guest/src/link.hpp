// The guest's tie to its broker, over all of the broker's lives.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fairlead/guest/attach.hpp>
#include <fairlead/shm/control_protocol.hpp>

#include "back_off.hpp"
#include "connection.hpp"
#include "deadline.hpp"
#include "fork_watch.hpp"
#include "way_back.hpp"

namespace fairlead::guest {

class Outbox;
class ResumableRoute;

/// Thread-safe. Without a way back it is a connection and nothing else.
///
/// Who finds the connection gone calls try_to_come_back() or come_back(). One thread at a time is
/// at it; it resumes all routes and the outbox before anybody sees the new connection here.
class Link {
 public:
  enum class State : std::uint8_t {
    attached,
    away,  // the broker is not back yet
    lost,  // for good
  };
  enum class Rest : std::uint8_t { over, interrupted };

  enum class Socket : std::uint8_t {
    ours,    // connected just now
    handed,  // somebody connected it for us, some time ago
  };

  /// Introduces us. If the broker died after somebody connected us to it, the way back is tried
  /// before we give up. Throws Error as Guest::attach() says.
  Link(shm::UniqueFd socket, Socket origin, const shm::control::Hello& hello,
       std::chrono::nanoseconds timeout, std::chrono::nanoseconds resume_for, WayBack way_back);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  /// The newest whose routes and outbox are resumed. Not null.
  [[nodiscard]] std::shared_ptr<Connection> connection() const;
  [[nodiscard]] Welcome welcome() const;
  [[nodiscard]] bool can_come_back() const noexcept { return way_back_ && home_.is_here(); }
  [[nodiscard]] bool lost() const noexcept { return lost_.load(std::memory_order_acquire); }

  /// At most one attempt, if one is due and no other thread is at it; usually short, but a broker
  /// that takes our hello has up to the time-out for it. `attached` says that the connection is not
  /// gone, as far as the kernel knows. Data path, when the broker is away.
  [[nodiscard]] State try_to_come_back() noexcept;
  /// Attempts until the deadline; `away` when it has passed.
  [[nodiscard]] State come_back(SteadyTime deadline) noexcept;
  /// Sleeps until the next attempt is due, or the deadline.
  [[nodiscard]] Rest rest(SteadyTime deadline) const noexcept;
  [[nodiscard]] SteadyTime next_attempt() const noexcept;

  template <class Reply>
  struct Asked {
    std::shared_ptr<Connection> connection;
    Connection::Answer<Reply> answer;
  };
  /// As Connection::ask(); comes back first if need be, and asks again if the broker dies
  /// meanwhile.
  template <class Reply, class Question>
  [[nodiscard]] Asked<Reply> ask(Kind kind, const Question& question, Kind expected,
                                 std::size_t descriptors = 0) {
    const SteadyTime deadline = deadline_after(timeout_);
    for (;;) {
      auto present = present_connection(deadline);
      try {
        auto answer = present->template ask<Reply>(kind, question, expected, descriptors);
        return {std::move(present), std::move(answer)};
      } catch (const Error& error) {
        if (error.code() != ErrorCode::disconnected || !can_ask_again(deadline)) throw;
      }
    }
  }

  void add(const std::shared_ptr<ResumableRoute>& route);
  /// One route of a guest that may lose its broker is watched for all of them.
  [[nodiscard]] bool wants_watch() const noexcept;
  /// Its Subscription was dropped. While the broker is away its end is told later.
  void remove(std::uint64_t subscription) noexcept;
  void set_outbox(const std::shared_ptr<Outbox>& outbox);
  /// Resumes what came too late for the others, or was put off: a route, or the outbox.
  template <class Resumable>
  void catch_up(Resumable& late) noexcept {
    const std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn) return;
    const auto present = connection();
    if (present->gone()) return;
    try {
      late.resume(present);
    } catch (...) {
      // The connection is gone again, or there is no memory: later.
    }
  }

 private:
  [[nodiscard]] shm::control::Welcome introduce(Connection& connection);
  [[nodiscard]] shm::control::Welcome introduce_patiently();
  [[nodiscard]] std::shared_ptr<Connection> present_connection(SteadyTime deadline);
  [[nodiscard]] bool can_ask_again(SteadyTime deadline) const noexcept;
  [[nodiscard]] State attempt() noexcept;
  void rouse_all() noexcept;
  void resume();
  void resume_all(const std::shared_ptr<Connection>& fresh);
  void end_all(std::string_view sentence);
  void lose(std::string_view sentence) noexcept;
  void put_off(SteadyTime until) noexcept;

  const std::chrono::nanoseconds timeout_;
  const std::chrono::nanoseconds resume_for_;
  const WayBack way_back_;  // none: as if there were no next broker
  const HomeProcess home_;
  std::atomic<bool> lost_{false};
  std::atomic<std::int64_t> next_attempt_{0};  // of steady_clock

  std::mutex turn_;  // of the one who tries to come back; also guards the next four
  std::optional<SteadyTime> away_since_;
  SteadyTime back_since_{};
  BackOff back_off_;
  shm::control::Hello hello_;

  mutable std::mutex mutex_;
  std::shared_ptr<Connection> connection_;
  Welcome welcome_;
  std::string lost_sentence_;
  std::map<std::uint64_t, std::weak_ptr<ResumableRoute>> routes_;  // by subscription
  std::weak_ptr<Outbox> outbox_;
};

}  // namespace fairlead::guest

// A guest whose broker dies and comes back, as often as a test wants, and each time as it wants.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "guest/guest_fixture.hpp"

namespace fairlead::guest {

using test::FakeOutbox;
using test::FakeRouteOptions;
using test::control::Header;
using test::control::Kind;
namespace control = shm::control;

/// How the next broker takes its guests back.
struct LifeOptions {
  bool knows_us = true;
  bool fills_at_once = true;  // routes are open as soon as their descriptors are acknowledged
  std::optional<std::uint64_t> claimed_epoch{};  // of all routes; else that of the life before
  shm::Backing backing = shm::Backing::sealed;
  /// Asked for each route and each outbox: how often it is refused before.
  std::optional<ErrorCode> refuses{};
  int refusals = 1'000'000;
};

/// One of the broker's lives but the first.
class NextLife {
 public:
  NextLife(std::uint64_t epoch, const LifeOptions& options);
  ~NextLife();

  [[nodiscard]] FakeBroker& broker() noexcept { return broker_; }
  void hang_up();

  /// What a subscription has here, once it was resumed.
  [[nodiscard]] FakeRoute& route(std::uint64_t subscription = 1);
  /// Opens a route that is being filled.
  void open(std::uint64_t subscription = 1) { route(subscription).close(shm::RouteState::open); }
  [[nodiscard]] FakeOutbox& outbox();

  [[nodiscard]] control::Hello hello();
  [[nodiscard]] control::ResumeOutbox outbox_question();
  /// All that were told of a route, in order.
  [[nodiscard]] std::vector<control::PushedBefore> pushes();

 private:
  using Packet = std::span<const std::byte>;
  void on_hello(FakeSession& session, const Header& header, Packet packet);
  void on_resume_route(FakeSession& session, const Header& header, Packet packet);
  void on_resume_outbox(FakeSession& session, const Header& header, Packet packet);
  void on_acknowledge(const Header& header);
  [[nodiscard]] bool refuse(FakeSession& session, const Header& header);

  const std::uint64_t epoch_;
  const LifeOptions options_;
  std::mutex mutex_;
  int refused_ = 0;
  control::Hello hello_{};
  control::ResumeOutbox outbox_question_{};
  std::vector<control::PushedBefore> pushes_;
  std::map<std::uint64_t, std::unique_ptr<FakeRoute>> routes_;  // by subscription
  std::map<std::uint64_t, FakeRoute*> requests_;                // not acknowledged yet
  std::vector<std::unique_ptr<FakeRoute>> replaced_;
  std::unique_ptr<FakeOutbox> outbox_;
  FakeBroker broker_;  // its thread uses the others
};

/// The way back leads to the present life, if there is one.
class Lives {
 public:
  static constexpr std::uint64_t kFirstEpoch = 3;  // the fake broker's

  Lives() = default;
  ~Lives();

  [[nodiscard]] AttachOptions options(std::chrono::nanoseconds resume_for = seconds(30));
  [[nodiscard]] Guest attach(std::chrono::nanoseconds resume_for = seconds(30)) {
    return Guest::attach(options(resume_for));
  }

  [[nodiscard]] FakeBroker& first() noexcept { return first_; }
  /// The present one is killed.
  void die();
  NextLife& begin(const LifeOptions& options = {});
  /// Both.
  NextLife& restart(const LifeOptions& options = {}) {
    die();
    return begin(options);
  }
  /// How often somebody tried to come back.
  [[nodiscard]] int attempts() const noexcept { return attempts_.load(); }

 private:
  [[nodiscard]] shm::UniqueFd reconnect();

  FakeBroker first_;
  std::deque<std::unique_ptr<NextLife>> lives_;
  std::mutex mutex_;
  FakeBroker* present_ = &first_;
  std::atomic<int> attempts_{0};
};

/// Drains until there are so many messages; fails after 30 seconds.
[[nodiscard]] std::vector<std::string> drain_texts(Subscription& subscription,
                                                   std::size_t messages);

}  // namespace fairlead::guest

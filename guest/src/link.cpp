#include "link.hpp"

#include <cstring>

#include "outbox.hpp"
#include "resumable_route.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;

Welcome to_welcome(const control::Welcome& packet) {
  return {.broker = std::string(packet.broker.view()),
          .epoch = packet.epoch,
          .guest = packet.guest,
          .principal = std::string(packet.principal.view()),
          .boundary = packet.boundary,
          .boundary_reason = std::string(packet.boundary_reason.view())};
}

}  // namespace

Link::Link(shm::UniqueFd socket, Socket origin, const control::Hello& hello,
           std::chrono::nanoseconds timeout, std::chrono::nanoseconds resume_for, WayBack way_back)
    : timeout_(timeout),
      resume_for_(resume_for),
      way_back_(std::move(way_back)),
      hello_(hello),
      connection_(std::make_shared<Connection>(std::move(socket), timeout)) {
  const bool patient = origin == Socket::handed && way_back_;
  welcome_ = to_welcome(patient ? introduce_patiently() : introduce(*connection_));
}

Link::~Link() = default;

// The token stays the same while brokers know it; one that does not gives a new one.
control::Welcome Link::introduce(Connection& connection) {
  const auto answer = connection.ask<control::Welcome>(Kind::hello, hello_, Kind::welcome);
  std::memcpy(hello_.resume_token, answer.reply.resume_token, sizeof hello_.resume_token);
  return answer.reply;
}

std::shared_ptr<Connection> Link::connection() const {
  const std::lock_guard guard(mutex_);
  return connection_;
}

Welcome Link::welcome() const {
  const std::lock_guard guard(mutex_);
  return welcome_;
}

void Link::add(const std::shared_ptr<ResumableRoute>& route) {
  if (!way_back_) return;
  const std::lock_guard guard(mutex_);
  routes_[route->subscription()] = route;
}

bool Link::wants_watch() const noexcept {
  const std::lock_guard guard(mutex_);
  return way_back_ && routes_.empty();
}

void Link::remove(std::uint64_t subscription) noexcept {
  const std::lock_guard guard(mutex_);
  if (!connection_->gone()) routes_.erase(subscription);
}

void Link::set_outbox(const std::shared_ptr<Outbox>& outbox) {
  const std::lock_guard guard(mutex_);
  outbox_ = outbox;
}

std::shared_ptr<Connection> Link::present_connection(SteadyTime deadline) {
  auto present = connection();
  if (!present->gone() || !can_come_back()) return present;
  const State state = come_back(deadline);
  if (state == State::attached) return connection();
  if (state == State::away) {
    throw Error(ErrorCode::disconnected,
                "the broker is gone; it has not come back in time, and may still do so");
  }
  const std::lock_guard guard(mutex_);
  throw Error(ErrorCode::disconnected, lost_sentence_);
}

bool Link::can_ask_again(SteadyTime deadline) const noexcept {
  return can_come_back() && !lost_.load(std::memory_order_relaxed) &&
         std::chrono::steady_clock::now() < deadline;
}

}  // namespace fairlead::guest

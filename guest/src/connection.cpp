#include "connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <utility>

#include "deadline.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;
using shm::ReceiveOutcome;
using shm::SendOutcome;

constexpr const char* kHungUp =
    "the broker closed the connection; its log says why, or it has ended";

std::optional<control::Header> header_of(std::span<const std::byte> packet) noexcept {
  control::Header header{};
  if (packet.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, packet.data(), sizeof header);
  if (header.packet_bytes != packet.size()) return std::nullopt;
  return header;
}

template <class Packet>
std::optional<Packet> packet_as(std::span<const std::byte> packet) noexcept {
  if (packet.size() != sizeof(Packet)) return std::nullopt;
  Packet copy;
  std::memcpy(&copy, packet.data(), sizeof copy);
  return copy;
}

/// The broker's own code and words. A code that this build does not know is `denied`.
Error refusal_of(const control::Refused& refused) {
  constexpr auto kLast = static_cast<std::uint32_t>(ErrorCode::system);
  const auto code =
      refused.code <= kLast ? static_cast<ErrorCode>(refused.code) : ErrorCode::denied;
  // Error::what() ends at the first NUL, and so does what the broker said.
  const std::string_view said = refused.sentence.view();
  const std::string_view sentence = said.substr(0, said.find('\0'));
  return {code,
          std::string(sentence.empty() ? "the broker refuses it without a reason" : sentence)};
}

}  // namespace

void Connection::give_up(ErrorCode code, const std::string& sentence) {
  gone_.store(true, std::memory_order_release);
  throw Error(code, sentence);
}

void Connection::throw_gone() {
  const std::lock_guard guard(ends_mutex_);
  if (last_words_) throw Error(*last_words_);
  throw Error(ErrorCode::disconnected, "the connection to the broker is gone");
}

// Sends are one system call each and packets are atomic, so they need no lock.
SendOutcome Connection::sent_now(std::span<const std::byte> packet) noexcept {
  const SendOutcome outcome = shm::send_packet(socket_.get(), packet);
  if (outcome == SendOutcome::closed) gone_.store(true, std::memory_order_release);
  return outcome;
}

void Connection::say(std::span<const std::byte> packet) noexcept {
  if (gone()) return;
  const std::lock_guard guard(unsaid_mutex_);
  if (say_unsaid() == SendOutcome::sent) {
    const SendOutcome outcome = sent_now(packet);
    // Failed: no memory in the kernel, so that later may be better.
    if (outcome != SendOutcome::full && outcome != SendOutcome::failed) return;
  }
  try {
    unsaid_.emplace_back(packet.begin(), packet.end());
  } catch (...) {
    // No memory: what it is about ends with the connection.
  }
}

/// The caller holds unsaid_mutex_. `sent`: nothing is left, or nobody would hear it.
SendOutcome Connection::say_unsaid() noexcept {
  while (!unsaid_.empty()) {
    const SendOutcome outcome = shm::send_packet(socket_.get(), unsaid_.front());
    if (outcome == SendOutcome::full || outcome == SendOutcome::failed) return outcome;
    unsaid_.pop_front();
  }
  return SendOutcome::sent;
}

SendOutcome Connection::send_question(std::span<const std::byte> question,
                                      std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    {
      const std::lock_guard guard(unsaid_mutex_);
      const SendOutcome outcome = say_unsaid();
      if (outcome == SendOutcome::failed) return outcome;
      if (outcome == SendOutcome::sent) break;
    }
    if (!shm::wait_for_events(socket_.get(), POLLOUT, deadline)) return SendOutcome::full;
  }
  return shm::send_packet_until(socket_.get(), question, {}, deadline);
}

void Connection::acknowledge(std::uint64_t request) noexcept {
  control::Plain packet{};
  packet.header = {Kind::acknowledge, sizeof packet, request};
  say(bytes_of(packet));
}

bool Connection::kick(std::uint64_t outbox) noexcept {
  control::Plain packet{};
  packet.value = outbox;
  packet.header = {Kind::kick, sizeof packet, control::kNoAnswer};
  if (gone()) return false;
  const SendOutcome outcome = sent_now(bytes_of(packet));
  // Whoever waits tries again. (With a full socket the broker has packets to wake up for, mostly.)
  if (outcome == SendOutcome::failed || outcome == SendOutcome::full)
    kick_owed_.store(outbox, std::memory_order_relaxed);
  return outcome != SendOutcome::closed;
}

/// True when the packet is none that somebody waits for.
bool Connection::take_unasked(const control::Header& header, std::span<const std::byte> packet) {
  if (header.kind == Kind::farewell) {
    farewell_.store(true, std::memory_order_relaxed);
    return true;
  }
  if (header.kind == Kind::refused && header.request == 0) {
    const auto refused = packet_as<control::Refused>(packet);
    if (!refused) give_up(ErrorCode::protocol, "the broker sent a misshapen refusal");
    const std::lock_guard guard(ends_mutex_);
    last_words_ = refusal_of(*refused);
    gone_.store(true, std::memory_order_release);
    return true;
  }
  if (header.kind != Kind::ended) return false;
  const auto ended = packet_as<control::Ended>(packet);
  if (!ended) give_up(ErrorCode::protocol, "the broker sent a misshapen 'ended' packet");
  const std::lock_guard guard(ends_mutex_);
  if (ends_.size() == kMostEnds) ends_.clear();
  ends_[ended->subscription] =
      RouteEnd{ended->state, ended->reason, std::string(ended->sentence.view())};
  return true;
}

std::vector<shm::UniqueFd> Connection::exchange(std::span<const std::byte> question,
                                                std::uint64_t request, Kind expected,
                                                std::size_t descriptors,
                                                std::span<std::byte> reply) {
  if (gone()) throw_gone();
  if (!home_.is_here()) {
    throw Error(ErrorCode::invalid_argument,
                "this connection belongs to the process that attached, not to its forked children; "
                "attach again, or use Subscription::share()");
  }
  auto deadline = std::chrono::steady_clock::now() + timeout_;
  const SendOutcome sent = send_question(question, deadline);
  if (sent == SendOutcome::full) give_up(ErrorCode::timeout, "the broker takes no packets");
  if (sent == SendOutcome::failed) {
    throw Error(ErrorCode::out_of_memory,
                "cannot ask the broker: the kernel has no memory for the packet");
  }
  // Who hung up may have said why before, which is read below; there will be no answer.
  if (sent != SendOutcome::sent) deadline = std::chrono::steady_clock::time_point::min();
  std::array<std::byte, control::kMaximumPacketBytes> buffer;
  for (;;) {
    auto received = shm::receive_packet_until(socket_.get(), buffer,
                                              control::kMaximumDescriptorsPerPacket, deadline);
    switch (received.outcome) {
      case ReceiveOutcome::nothing:
        if (sent != SendOutcome::sent) give_up(ErrorCode::disconnected, kHungUp);
        give_up(ErrorCode::timeout, "the broker did not answer in time");
      case ReceiveOutcome::closed:
        give_up(ErrorCode::disconnected, kHungUp);
      case ReceiveOutcome::malformed:
        give_up(ErrorCode::protocol, "the broker sent a packet that was cut or too large");
      case ReceiveOutcome::failed:
        give_up(ErrorCode::disconnected, "cannot receive from the broker");
      case ReceiveOutcome::received:
        break;
    }
    const auto packet = std::span<const std::byte>(buffer).first(received.bytes);
    const auto header = header_of(packet);
    if (!header) give_up(ErrorCode::protocol, "the broker sent a packet of an impossible size");
    if (take_unasked(*header, packet)) {
      if (gone()) throw_gone();
      continue;
    }
    if (header->request != request) {
      give_up(ErrorCode::protocol, "the broker answered a question that nobody asked");
    }
    if (header->kind == Kind::refused) {
      const auto refused = packet_as<control::Refused>(packet);
      if (!refused) give_up(ErrorCode::protocol, "the broker sent a misshapen refusal");
      throw refusal_of(*refused);
    }
    if (header->kind != expected || packet.size() != reply.size() ||
        received.descriptors.size() > descriptors) {
      give_up(ErrorCode::protocol, "the broker's answer is not one to this question");
    }
    std::memcpy(reply.data(), packet.data(), reply.size());
    return std::move(received.descriptors);
  }
}

void Connection::take_news() {
  if (!home_.is_here()) return;
  // Whoever holds the lock reads the news on the way to an answer.
  const std::unique_lock guard(exchange_mutex_, std::try_to_lock);
  if (guard) read_news();
}

/// The caller holds exchange_mutex_.
void Connection::read_news() {
  std::array<std::byte, control::kMaximumPacketBytes> buffer;
  for (;;) {
    const auto received = shm::receive_packet(socket_.get(), buffer, 0);
    if (received.outcome == ReceiveOutcome::nothing) return;
    const auto packet = std::span<const std::byte>(buffer).first(received.bytes);
    const auto header = header_of(packet);
    if (received.outcome != ReceiveOutcome::received || !header || !take_unasked(*header, packet)) {
      gone_.store(true, std::memory_order_release);
      return;
    }
  }
}

void Connection::conclude() noexcept {
  gone_.store(true, std::memory_order_release);
  const std::lock_guard guard(exchange_mutex_);  // whoever asks finds the hang-up, too
  try {
    read_news();
  } catch (...) {
    // No memory for the news, or one that is misshapen.
  }
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool Connection::look_whether_gone() noexcept {
  if (gone()) return true;
  if (home_.is_here()) {
    const std::lock_guard guard(unsaid_mutex_);
    (void)say_unsaid();
  }
  if (const std::uint64_t owed = kick_owed_.exchange(0, std::memory_order_relaxed); owed != 0)
    (void)kick(owed);
  pollfd entry{socket_.get(), POLLIN, 0};
  if (::poll(&entry, 1, 0) <= 0) return false;
  if ((entry.revents & POLLIN) != 0) {
    try {
      take_news();
    } catch (...) {
      // No memory for the news: the route's state says the same.
    }
  }
  if ((entry.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
    gone_.store(true, std::memory_order_release);
  }
  return gone();
}

std::optional<RouteEnd> Connection::end_of(std::uint64_t subscription,
                                           std::chrono::nanoseconds timeout) {
  const auto deadline = deadline_after(timeout);
  for (;;) {
    const bool last = look_whether_gone() || !home_.is_here();
    {
      const std::lock_guard guard(ends_mutex_);
      const auto found = ends_.find(subscription);
      if (found != ends_.end()) return found->second;
    }
    // Another thread that waits for an answer may take the words away: they are found above.
    if (last || !shm::wait_for_events(socket_.get(), POLLIN, deadline)) return std::nullopt;
  }
}

void Connection::forget_end_of(std::uint64_t subscription) noexcept {
  const std::lock_guard guard(ends_mutex_);
  ends_.erase(subscription);
}

}  // namespace fairlead::guest

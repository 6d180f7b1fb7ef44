#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include <fairlead/guest/keeper.hpp>
#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "checked_principal.hpp"
#include "keeper_protocol.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;
using shm::ReceiveOutcome;
using shm::SendOutcome;
using Clock = std::chrono::steady_clock;

// What a guest may ask for: attempts at once, and for how many of them a connection counts.
constexpr std::chrono::nanoseconds kAttemptEvery = std::chrono::milliseconds(100);
constexpr int kAttemptsAtOnce = 10;
constexpr int kAttemptsOfAConnection = 10;
// Who asks more often than this between two answers is no honest guest.
constexpr int kMostQuestions = 64;
constexpr std::uint64_t kMintRequest = 1;

}  // namespace

class Keeper::Content {
 public:
  Content(std::string socket_path, std::string_view principal)
      : socket_path_(std::move(socket_path)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    mint_.header = {control::Kind::mint, sizeof mint_, kMintRequest};
    mint_.principal.assign(checked_principal(principal));
    timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    auto [ours, guests] = shm::control_pair();
    shm::refuse_descriptors(ours.get());
    ours_ = std::move(ours);
    guests_ = std::move(guests);
    if (!epoll_ || !timer_ || !watch(timer_) || !watch(ours_)) {
      throw_system("cannot keep a guest connected");
    }
  }

  [[nodiscard]] int guests_end() const noexcept { return guests_.get(); }
  void close_guests_end() noexcept { guests_.reset(); }
  [[nodiscard]] int descriptor() const noexcept { return epoll_.get(); }

  bool serve() {
    std::uint64_t expirations = 0;
    (void)!::read(timer_.get(), &expirations, sizeof expirations);
    if (!listen_to_guest()) {
      // What it was to get goes with it.
      forget(broker_);
      forget(ours_);
      return false;
    }
    if (asked_ && !broker_) begin();
    if (broker_) go_on();
    return true;
  }

 private:
  bool watch(const shm::UniqueFd& descriptor) const noexcept {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor.get(), &event) == 0;
  }

  // Closing is not enough: its other owner keeps the epoll set's entry alive.
  void forget(shm::UniqueFd& descriptor) const noexcept {
    if (descriptor) ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor.get(), nullptr);
    descriptor.reset();
  }

  void wake_at(Clock::time_point moment) const noexcept {
    const auto nanoseconds = std::chrono::nanoseconds(moment.time_since_epoch()).count();
    const itimerspec when{{}, {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000}};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  }

  // Reads all, also when no connection is due: what lies unread counts against our whole user.
  bool listen_to_guest() {
    if (!ours_) return false;
    std::array<std::byte, 1> question{};
    for (;;) {
      const auto received = shm::receive_packet(ours_.get(), question, 0);
      if (received.outcome == ReceiveOutcome::nothing) return true;
      if (received.outcome != ReceiveOutcome::received) return false;
      if (question[0] != keeper_protocol::kConnectMe || ++questions_ > kMostQuestions) return false;
      if (!has_unread_answer()) asked_ = true;
    }
  }

  // At most one descriptor of each guest is on its way: they, too, count against our user.
  [[nodiscard]] bool has_unread_answer() const noexcept {
    int unread = 0;
    return ::ioctl(ours_.get(), SIOCOUTQ, &unread) == 0 && unread != 0;
  }

  void begin() {
    const auto now = Clock::now();
    if (now < next_) return wake_at(next_);
    next_ = std::max(next_, now - kAttemptsAtOnce * kAttemptEvery) + kAttemptEvery;
    try {
      broker_ = shm::connect_control(socket_path_, {});
    } catch (...) {
      return answer(keeper_protocol::kNotThere);
    }
    const auto packet = std::as_bytes(std::span(&mint_, 1));
    if (shm::send_packet(broker_.get(), packet) != SendOutcome::sent || !watch(broker_)) {
      return answer(keeper_protocol::kNotThere);
    }
    deadline_ = now + kPatience;
    wake_at(deadline_);
  }

  void go_on() {
    std::array<std::byte, control::kMaximumPacketBytes> packet;
    const auto received = shm::receive_packet(broker_.get(), packet, 0);
    if (received.outcome == ReceiveOutcome::nothing) {
      if (Clock::now() >= deadline_) answer(keeper_protocol::kNotThere);
      return;
    }
    control::Plain done{};
    const bool fits = received.outcome == ReceiveOutcome::received && received.bytes == sizeof done;
    if (fits) std::memcpy(&done, packet.data(), sizeof done);
    const bool minted =
        fits && done.header.kind == control::Kind::done && done.header.request == kMintRequest;
    if (minted) next_ += (kAttemptsOfAConnection - 1) * kAttemptEvery;
    answer(minted ? keeper_protocol::kConnected : keeper_protocol::kNotThere);
  }

  void answer(std::byte word) {
    const std::span<const std::byte> packet(&word, 1);
    const int connection = broker_.get();
    if (word == keeper_protocol::kConnected) {
      (void)shm::send_packet(ours_.get(), packet, std::span(&connection, 1));
    } else {
      (void)shm::send_packet(ours_.get(), packet);
    }
    forget(broker_);
    asked_ = false;
    questions_ = 0;
  }

  const std::string socket_path_;
  control::Mint mint_{};
  shm::UniqueFd epoll_;
  shm::UniqueFd timer_;
  shm::UniqueFd ours_;
  shm::UniqueFd guests_;
  shm::UniqueFd broker_;  // on its way to the guest, as soon as the principal is fixed
  bool asked_ = false;
  int questions_ = 0;             // since the last answer
  Clock::time_point next_{};      // when the next attempt may be made
  Clock::time_point deadline_{};  // of the one that is being made
};

Keeper::Keeper(std::string socket_path, std::string_view principal)
    : content_(std::make_unique<Content>(std::move(socket_path), principal)) {}
Keeper::~Keeper() = default;

int Keeper::guests_end() const noexcept { return content_->guests_end(); }
void Keeper::close_guests_end() noexcept { content_->close_guests_end(); }
int Keeper::descriptor() const noexcept { return content_->descriptor(); }

bool Keeper::serve() noexcept {
  try {
    return content_->serve();
  } catch (...) {
    return true;  // no memory: the guest asks again
  }
}

}  // namespace fairlead::guest

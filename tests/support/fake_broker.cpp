#include "support/fake_broker.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include <fairlead/shm/control_socket.hpp>

namespace fairlead::test {

using control::Kind;

void FakeSession::send(std::span<const std::byte> packet,
                       std::initializer_list<int> descriptors) const {
  (void)shm::send_packet(socket.get(), packet,
                         std::span<const int>(descriptors.begin(), descriptors.size()));
}

void FakeSession::refuse(std::uint64_t request, ErrorCode code, std::string_view sentence) const {
  control::Refused refused{};
  refused.code = static_cast<std::uint32_t>(code);
  refused.sentence.assign(sentence);
  answer(Kind::refused, request, refused);
}

FakeBroker::FakeBroker() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  thread_ = std::thread([this] { serve(); });
}

FakeBroker::~FakeBroker() {
  stop_ = true;
  wake_server();
  thread_.join();
}

void FakeBroker::wake_server() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

shm::UniqueFd FakeBroker::connect() {
  auto [ours, theirs] = shm::control_pair();
  {
    const std::lock_guard guard(mutex_);
    sessions_.push_back(std::make_unique<FakeSession>());
    sessions_.back()->socket = std::move(ours);
  }
  wake_server();
  return std::move(theirs);
}

void FakeBroker::listen(const std::string& path) {
  {
    const std::lock_guard guard(mutex_);
    listener_ = std::make_unique<shm::ControlListener>(shm::ControlListener::listen(path, 0600));
  }
  wake_server();
}

void FakeBroker::hang_up() {
  std::unique_lock guard(mutex_);
  hang_up_ = true;
  wake_server();
  counted_.wait(guard, [this] { return !hang_up_; });
  for (auto& route : routes_) route->drop_wake_up();
}

void FakeBroker::on(Kind kind, Handler handler) {
  const std::lock_guard guard(mutex_);
  handlers_[kind] = std::move(handler);
}

void FakeBroker::set_route_options(const FakeRouteOptions& options) {
  const std::lock_guard guard(mutex_);
  route_options_ = options;
}

std::size_t FakeBroker::count(Kind kind) {
  const std::lock_guard guard(mutex_);
  return counts_[kind];
}

bool FakeBroker::wait_for(Kind kind, std::size_t packets) {
  std::unique_lock guard(mutex_);
  return counted_.wait_for(guard, std::chrono::seconds(30),
                           [&] { return counts_[kind] >= packets; });
}

FakeRoute& FakeBroker::route(std::size_t index) {
  const std::lock_guard guard(mutex_);
  return *routes_.at(index);
}

FakeOutbox& FakeBroker::outbox() {
  const std::lock_guard guard(mutex_);
  return *outbox_;
}

// ---- the broker's thread -----------------------------------------------------------------------

void FakeBroker::serve() {
  while (!stop_) {
    std::vector<FakeSession*> polled;
    std::vector<pollfd> entries{{wake_.get(), POLLIN, 0}};
    {
      const std::lock_guard guard(mutex_);
      if (hang_up_) sessions_.clear();
      hang_up_ = false;
      counted_.notify_all();
      if (listener_) accept();
      std::erase_if(sessions_, [](const auto& session) { return session->hung_up; });
      for (auto& session : sessions_) {
        polled.push_back(session.get());
        entries.push_back({session->socket.get(), POLLIN, 0});
      }
      if (listener_) entries.push_back({listener_->descriptor(), POLLIN, 0});
    }
    ::poll(entries.data(), entries.size(), -1);
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &ignored, sizeof ignored);
    if (hang_up_) continue;
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (entries[i + 1].revents != 0) receive(*polled[i]);
    }
  }
  const std::lock_guard guard(mutex_);
  sessions_.clear();
}

void FakeBroker::accept() {
  auto accepted = listener_->accept();
  if (!accepted.socket) return;
  sessions_.push_back(std::make_unique<FakeSession>());
  sessions_.back()->socket = std::move(accepted.socket);
}

void FakeBroker::receive(FakeSession& session) {
  std::array<std::byte, control::kMaximumPacketBytes> buffer;
  const auto received = shm::receive_packet(session.socket.get(), buffer, 0);
  if (received.outcome == shm::ReceiveOutcome::nothing) return;
  if (received.outcome != shm::ReceiveOutcome::received) {
    session.hung_up = true;
    return;
  }
  const auto packet = std::span<const std::byte>(buffer).first(received.bytes);
  control::Header header{};
  std::memcpy(&header, packet.data(), sizeof header);
  Handler handler;
  {
    const std::lock_guard guard(mutex_);
    const auto found = handlers_.find(header.kind);
    if (found != handlers_.end()) handler = found->second;
  }
  if (handler) {
    handler(session, header, packet);
  } else {
    handle(session, header, packet);
  }
  const std::lock_guard guard(mutex_);
  ++counts_[header.kind];
  counted_.notify_all();
}

void FakeBroker::handle(FakeSession& session, const control::Header& header,
                        std::span<const std::byte> packet) {
  switch (header.kind) {
    case Kind::hello: {
      control::Welcome welcome{};
      welcome.guest = 7;
      welcome.epoch = 3;
      welcome.boundary = shm::Boundary::cooperative;
      welcome.broker.assign("fake");
      welcome.principal = packet_as<control::Hello>(packet).principal;
      welcome.boundary_reason.assign("a test has no boundary");
      return session.answer(Kind::welcome, header.request, welcome);
    }
    case Kind::subscribe:
      return subscribe(session, header, packet);
    case Kind::open_outbox:
      return open_outbox(session, header, packet);
    case Kind::mint:
    case Kind::unsubscribe:
    case Kind::set_gate:
      return session.answer(Kind::done, header.request, control::Plain{});
    default:
      return;
  }
}

void FakeBroker::subscribe(FakeSession& session, const control::Header& header,
                           std::span<const std::byte> packet) {
  const auto wish = packet_as<control::Subscribe>(packet);
  FakeRoute* route = nullptr;
  {
    const std::lock_guard guard(mutex_);
    FakeRouteOptions options = route_options_;
    options.pattern = std::string(wish.pattern.view());
    options.subscription = routes_.size() + 1;
    options.wake_up = wish.wants_descriptor != 0;
    routes_.push_back(std::make_unique<FakeRoute>(options));
    route = routes_.back().get();
  }
  control::Subscribed reply{};
  reply.subscription = route->options().subscription;
  reply.route_segment_bytes = route->route_bytes();
  reply.cursor_segment_bytes = route->cursor_bytes();
  reply.lane_capacity = route->options().lanes;
  reply.hold_slots = shm::kHoldSlots;
  reply.boundary = shm::Boundary::cooperative;
  reply.sealed = route->options().backing == shm::Backing::sealed ? 1 : 0;
  reply.has_descriptor = wish.wants_descriptor;
  const auto segment = route->guest_segment();
  const auto cursors = route->guest_cursors();
  const auto wake_up = route->take_guest_wake_up();
  if (wake_up) {
    session.answer(Kind::subscribed, header.request, reply,
                   {segment.get(), cursors.get(), wake_up.get()});
  } else {
    session.answer(Kind::subscribed, header.request, reply, {segment.get(), cursors.get()});
  }
}

void FakeBroker::open_outbox(FakeSession& session, const control::Header& header,
                             std::span<const std::byte> packet) {
  const auto wish = packet_as<control::OpenOutbox>(packet);
  control::OutboxOpened reply{};
  shm::UniqueFd outbox;
  shm::UniqueFd receipts;
  {
    const std::lock_guard guard(mutex_);
    outbox_ = std::make_unique<FakeOutbox>(wish.ring_bytes == 0 ? shm::kDefaultOutboxBytes
                                                                : wish.ring_bytes);
    reply.outbox = 11;
    reply.ring_bytes = outbox_->ring_bytes();
    reply.outbox_segment_bytes = outbox_->outbox_bytes();
    reply.receipt_segment_bytes = outbox_->receipt_bytes();
    outbox = outbox_->guest_outbox();
    receipts = outbox_->guest_receipts();
  }
  session.answer(Kind::outbox_opened, header.request, reply, {outbox.get(), receipts.get()});
}

}  // namespace fairlead::test

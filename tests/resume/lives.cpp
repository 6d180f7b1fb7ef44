#include "resume/lives.hpp"

#include <cstring>

namespace fairlead::guest {

using PacketBytes = std::span<const std::byte>;
using test::packet_as;

NextLife::NextLife(std::uint64_t epoch, const LifeOptions& options)
    : epoch_(epoch), options_(options) {
  broker_.on(Kind::hello, [this](FakeSession& session, const Header& header, PacketBytes packet) {
    on_hello(session, header, packet);
  });
  broker_.on(Kind::resume_route,
             [this](FakeSession& session, const Header& header, PacketBytes packet) {
               on_resume_route(session, header, packet);
             });
  broker_.on(Kind::resume_outbox,
             [this](FakeSession& session, const Header& header, PacketBytes packet) {
               on_resume_outbox(session, header, packet);
             });
  broker_.on(Kind::acknowledge,
             [this](FakeSession&, const Header& header, PacketBytes) { on_acknowledge(header); });
  broker_.on(Kind::pushed_before, [this](FakeSession&, const Header&, PacketBytes packet) {
    const std::lock_guard guard(mutex_);
    const auto pushed = packet_as<control::PushedBefore>(packet);
    if (!requests_.empty()) pushes_.push_back(pushed);
  });
}

NextLife::~NextLife() = default;

void NextLife::hang_up() {
  broker_.hang_up();
  const std::lock_guard guard(mutex_);
  for (auto& [subscription, route] : routes_) route->drop_wake_up();
}

FakeRoute& NextLife::route(std::uint64_t subscription) {
  const std::lock_guard guard(mutex_);
  return *routes_.at(subscription);
}

FakeOutbox& NextLife::outbox() {
  const std::lock_guard guard(mutex_);
  return *outbox_;
}

control::Hello NextLife::hello() {
  const std::lock_guard guard(mutex_);
  return hello_;
}

control::ResumeOutbox NextLife::outbox_question() {
  const std::lock_guard guard(mutex_);
  return outbox_question_;
}

std::vector<control::PushedBefore> NextLife::pushes() {
  const std::lock_guard guard(mutex_);
  return pushes_;
}

// ---- in the broker's thread --------------------------------------------------------------------

void NextLife::on_hello(FakeSession& session, const Header& header, PacketBytes packet) {
  {
    const std::lock_guard guard(mutex_);
    hello_ = packet_as<control::Hello>(packet);
  }
  control::Welcome welcome{};
  welcome.guest = 70 + epoch_;
  welcome.epoch = epoch_;
  welcome.boundary = shm::Boundary::cooperative;
  welcome.resumed = options_.knows_us ? 1 : 0;
  welcome.broker.assign("fake");
  welcome.resume_token[0] = options_.knows_us ? hello().resume_token[0] : 99;
  session.answer(Kind::welcome, header.request, welcome);
}

bool NextLife::refuse(FakeSession& session, const Header& header) {
  {
    const std::lock_guard guard(mutex_);
    if (!options_.refuses || refused_ == options_.refusals) return false;
    ++refused_;
  }
  session.refuse(header.request, *options_.refuses, "the next broker says no");
  return true;
}

void NextLife::on_resume_route(FakeSession& session, const Header& header, PacketBytes packet) {
  if (refuse(session, header)) return;
  const auto wish = packet_as<control::ResumeRoute>(packet);
  FakeRouteOptions options;
  options.subscription = wish.subscription;
  options.backing = options_.backing;
  options.wake_up = wish.wants_descriptor != 0;
  options.epoch = epoch_;
  auto route = std::make_unique<FakeRoute>(options);
  route->writer().header().state.store(shm::RouteState::filling, std::memory_order_release);
  control::Subscribed reply{};
  reply.subscription = wish.subscription;
  reply.route_segment_bytes = route->route_bytes();
  reply.cursor_segment_bytes = route->cursor_bytes();
  reply.lane_capacity = options.lanes;
  reply.hold_slots = shm::kHoldSlots;
  reply.boundary = shm::Boundary::cooperative;
  reply.sealed = options.backing == shm::Backing::sealed ? 1 : 0;
  reply.has_descriptor = wish.wants_descriptor;
  reply.claimed_epoch = options_.claimed_epoch.value_or(epoch_ - 1);
  const auto segment = route->guest_segment();
  const auto cursors = route->guest_cursors();
  const auto wake_up = route->take_guest_wake_up();
  {
    const std::lock_guard guard(mutex_);
    requests_[header.request] = route.get();
    auto& place = routes_[wish.subscription];
    if (place) replaced_.push_back(std::move(place));
    place = std::move(route);
  }
  if (wake_up) {
    session.answer(Kind::subscribed, header.request, reply,
                   {segment.get(), cursors.get(), wake_up.get()});
  } else {
    session.answer(Kind::subscribed, header.request, reply, {segment.get(), cursors.get()});
  }
}

void NextLife::on_acknowledge(const Header& header) {
  FakeRoute* route = nullptr;
  {
    const std::lock_guard guard(mutex_);
    const auto found = requests_.find(header.request);
    if (found == requests_.end()) return;
    route = found->second;
    requests_.erase(found);
  }
  if (options_.fills_at_once) route->close(shm::RouteState::open);
}

void NextLife::on_resume_outbox(FakeSession& session, const Header& header, PacketBytes packet) {
  if (refuse(session, header)) return;
  const auto wish = packet_as<control::ResumeOutbox>(packet);
  control::OutboxOpened reply{};
  shm::UniqueFd outbox;
  shm::UniqueFd receipts;
  {
    const std::lock_guard guard(mutex_);
    outbox_question_ = wish;
    outbox_ = std::make_unique<FakeOutbox>(wish.ring_bytes, wish.first_number);
    reply.outbox = wish.outbox;
    reply.ring_bytes = outbox_->ring_bytes();
    reply.outbox_segment_bytes = outbox_->outbox_bytes();
    reply.receipt_segment_bytes = outbox_->receipt_bytes();
    outbox = outbox_->guest_outbox();
    receipts = outbox_->guest_receipts();
  }
  session.answer(Kind::outbox_opened, header.request, reply, {outbox.get(), receipts.get()});
}

// ---- one after the other -----------------------------------------------------------------------

Lives::~Lives() = default;

AttachOptions Lives::options(std::chrono::nanoseconds resume_for) {
  AttachOptions options = over(first_.connect());
  options.resume_for = resume_for;
  options.reconnect = [this](std::chrono::nanoseconds) { return reconnect(); };
  return options;
}

shm::UniqueFd Lives::reconnect() {
  ++attempts_;
  const std::lock_guard guard(mutex_);
  return present_ == nullptr ? shm::UniqueFd() : present_->connect();
}

void Lives::die() {
  {
    const std::lock_guard guard(mutex_);
    present_ = nullptr;
  }
  if (lives_.empty()) {
    first_.hang_up();
  } else {
    lives_.back()->hang_up();
  }
}

NextLife& Lives::begin(const LifeOptions& options) {
  const std::lock_guard guard(mutex_);
  lives_.push_back(std::make_unique<NextLife>(kFirstEpoch + 1 + lives_.size(), options));
  present_ = &lives_.back()->broker();
  return *lives_.back();
}

std::vector<std::string> drain_texts(Subscription& subscription, std::size_t messages) {
  std::vector<std::string> found;
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (found.size() < messages && std::chrono::steady_clock::now() < deadline) {
    const Batch batch = subscription.drain();
    for (auto& text : texts(batch)) found.push_back(std::move(text));
    if (batch.empty()) (void)subscription.wait(milliseconds(100));
  }
  return found;
}

}  // namespace fairlead::guest

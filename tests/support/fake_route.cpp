#include "support/fake_route.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include <fairlead/shm/clock.hpp>
#include <fairlead/shm/segment_name.hpp>

namespace fairlead::test {
namespace {

shm::Segment make_route_segment(const FakeRouteOptions& options) {
  const auto name =
      shm::make_segment_name("fake", static_cast<std::uint64_t>(::getpid()),
                             shm::SegmentKind::route, options.epoch << 32 | options.subscription);
  const std::uint64_t bytes = shm::kRouteArenaOffset + options.cap_bytes;
  return options.backing == shm::Backing::sealed
             ? shm::Segment::create_sealed(name, bytes, shm::SealMode::broker_written)
             : shm::Segment::create_named(name, bytes, shm::kRouteArenaOffset);
}

struct Stamp {
  Stamp(const shm::Segment& segment, std::uint64_t epoch) {
    header.maximum_bytes = segment.size();
    header.epoch = epoch;
  }
  shm::SegmentHeader header{};
};

}  // namespace

FakeRoute::FakeRoute(const FakeRouteOptions& options)
    : options_(options),
      memory_(make_route_segment(options)),
      cursors_(shm::Segment::create_sealed("fake-cursors", shm::cursor_segment_bytes(options.lanes),
                                           shm::SealMode::guest_writable)) {
  shm::RouteIdentity identity{};
  identity.subscription = options.subscription;
  identity.eviction = shm::EvictionPolicy::oldest_head;
  identity.admission = shm::AdmissionKind::all;
  identity.boundary = shm::Boundary::cooperative;
  identity.cap_bytes = options.cap_bytes;
  identity.budget_bytes = options.cap_bytes / 4;
  identity.lane_capacity = options.lanes;
  identity.pattern.assign(options.pattern);
  shm::format_route(memory_.data(), identity, Stamp(memory_.segment(), options.epoch).header);
  shm::format_cursors(cursors_.data(), Stamp(cursors_, options.epoch).header);
  writer_.emplace(memory_, cursors_.data());
  if (!options.wake_up) return;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw_system("socketpair");
  }
  wake_up_.reset(ends[0]);
  guest_wake_up_.reset(ends[1]);
}

FakeRoute::~FakeRoute() {
  if (options_.backing == shm::Backing::named) memory_.segment().unlink();
}

shm::UniqueFd FakeRoute::guest_segment() { return memory_.segment().read_only_descriptor(); }

shm::UniqueFd FakeRoute::guest_cursors() { return cursors_.duplicate_descriptor(); }

std::uint64_t FakeRoute::publish(std::string_view principal, std::string_view topic,
                                 std::string_view payload) {
  const std::lock_guard guard(mutex_);
  auto found = lanes_.find(principal);
  if (found == lanes_.end()) {
    const auto lane = writer_->open_lane(principal);
    if (!lane) return 0;
    found = lanes_.emplace(std::string(principal), *lane).first;
  }
  const shm::MessageStamp stamp{sequence_ + 1, shm::monotonic_ns(), 0, sequence_ + 1};
  absorb_reports();
  if (writer_->depth(found->second) == shm::kMaximumLaneMessages) return 0;
  if (writer_->append(found->second, stamp, topic, std::as_bytes(std::span(payload))) !=
      shm::RouteWriter::Append::ok) {
    return 0;
  }
  ++sequence_;
  signal();
  return sequence_;
}

bool FakeRoute::publish_patiently(std::string_view principal, std::string_view topic,
                                  std::string_view payload) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (publish(principal, topic, payload) == 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

void FakeRoute::absorb_reports() {
  shm::Lane lane = 0;
  for (;;) {
    const auto report = writer_->next_report(lane);
    if (report == shm::RouteWriter::Report::none) return;
    if (report == shm::RouteWriter::Report::lane) (void)writer_->observe(lane);
  }
}

void FakeRoute::signal() {
  writer_->move_doorbell();
  std::atomic_thread_fence(std::memory_order_seq_cst);
  bool armed = false;
  if (writer_->settle(armed)) writer_->wake();
  const std::byte byte{1};
  if (armed && wake_up_) {
    [[maybe_unused]] const auto sent =
        ::send(wake_up_.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

bool FakeRoute::evict(std::string_view principal) {
  const std::lock_guard guard(mutex_);
  const auto found = lanes_.find(principal);
  return found != lanes_.end() &&
         writer_->evict_head(found->second) == shm::RouteWriter::Evict::evicted;
}

void FakeRoute::end_lane(std::string_view principal) {
  const std::lock_guard guard(mutex_);
  const auto found = lanes_.find(principal);
  (void)writer_->observe(found->second);
  (void)writer_->close_lane(found->second, shm::LossReason::budget);
  lanes_.erase(found);
  signal();
}

void FakeRoute::close(shm::RouteState state) {
  const std::lock_guard guard(mutex_);
  if (state == shm::RouteState::poisoned) {
    writer_->poison(shm::Refusal::route_closed);
  } else {
    writer_->header().state.store(state, std::memory_order_release);
  }
  writer_->move_doorbell();
  writer_->wake();
  const std::byte byte{1};
  if (wake_up_) {
    [[maybe_unused]] const auto sent =
        ::send(wake_up_.get(), &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace fairlead::test

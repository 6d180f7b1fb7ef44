// Any bytes as a broker's answers: a guest throws an Error that says what is wrong, or has what it
// asked for, and can use it.
//
// Input: what the broker says, ready before the guest asks (packet_script.hpp).
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/control_socket.hpp>

#include "attach/outbox_memory.hpp"
#include "attach/route_memory.hpp"
#include "packet_script.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;
using control::Kind;
using fuzz::blank;
using fuzz::PacketScript;

constexpr int kMostAnswers = 12;
constexpr std::uint64_t kRing = 4'096;

// Segments as a broker makes them, for the answers to carry.
struct Segments {
  Segments() {
    shm::RouteIdentity identity{};
    identity.subscription = 1;
    identity.eviction = shm::EvictionPolicy::oldest_head;
    identity.admission = shm::AdmissionKind::all;
    identity.budget_bytes = 4'096;
    identity.cap_bytes = 65'536;
    identity.lane_capacity = 64;
    identity.pattern.assign("a.*");
    route_bytes = broker::route_segment_bytes(identity);
    const broker::SegmentStamp stamp("fuzz-" + std::to_string(::getpid()), 1);
    route = broker::create_route(stamp, identity, shm::Backing::sealed, true);
    outbox = broker::create_outbox(stamp, {1, "p", {}, 1}, kRing, shm::Backing::sealed);
    foreign.reset(::memfd_create("foreign", MFD_CLOEXEC));
    if (::ftruncate(foreign.get(), 4'096) != 0) std::abort();
  }
  std::uint64_t route_bytes = 0;
  broker::NewRoute route;
  broker::NewOutbox outbox;
  shm::UniqueFd foreign;
};

Segments& segments() {
  static Segments made;
  return made;
}

std::vector<std::byte> answer(unsigned kind, std::uint64_t request) {
  const auto made = [&](auto packet, Kind packet_kind) {
    return PacketScript::bytes_of(packet, packet_kind, request);
  };
  switch (kind) {
    case 0: {
      auto packet = blank<control::Welcome>();
      packet.guest = 1;
      packet.epoch = 1;
      packet.boundary = shm::Boundary::enforced;
      packet.broker.assign("fuzz");
      packet.principal.assign("p");
      packet.boundary_reason.assign("so it is");
      return made(packet, Kind::welcome);
    }
    case 1: {
      auto packet = blank<control::Subscribed>();
      packet.subscription = 1;
      packet.route_segment_bytes = segments().route_bytes;
      packet.cursor_segment_bytes = shm::cursor_segment_bytes(64);
      packet.lane_capacity = 64;
      packet.boundary = shm::Boundary::enforced;
      packet.sealed = 1;
      packet.has_descriptor = 1;
      packet.hold_slots = shm::kHoldSlots;
      return made(packet, Kind::subscribed);
    }
    case 2: {
      auto packet = blank<control::OutboxOpened>();
      packet.outbox = 1;
      packet.ring_bytes = kRing;
      packet.outbox_segment_bytes = shm::kOutboxRingOffset + kRing;
      packet.receipt_segment_bytes = sizeof(shm::ReceiptHeader);
      return made(packet, Kind::outbox_opened);
    }
    case 3:
      return made(blank<control::Plain>(), Kind::done);
    case 4: {
      auto packet = blank<control::Refused>();
      packet.code = 5;
      packet.sentence.assign("no");
      return made(packet, Kind::refused);
    }
    case 5: {
      auto packet = blank<control::Ended>();
      packet.header.request = 0;
      packet.subscription = 1;
      packet.state = shm::RouteState::closed;
      packet.sentence.assign("because");
      return PacketScript::bytes_of(packet, Kind::ended, 0);
    }
    default:
      return made(blank<control::SealedSegment>(), static_cast<Kind>(kind));
  }
}

std::vector<int> descriptors(std::uint8_t choice) {
  const Segments& made = segments();
  switch (choice % 8) {
    case 0:
      return {};
    case 1:
    case 2:
      return {made.route.guest_segment.get(), made.route.guest_cursors.get(),
              made.route.guest_wake.get()};
    case 3:
      return {made.outbox.guest_outbox.get(), made.outbox.guest_receipts.get()};
    case 4:
      return {made.foreign.get(), made.foreign.get(), made.foreign.get()};
    case 5:
      return {made.route.guest_segment.get(), made.foreign.get()};
    case 6:
      return {made.route.guest_wake.get(), made.route.guest_cursors.get()};
    default:
      return {made.outbox.guest_outbox.get()};
  }
}

template <class Call>
void attempt(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    if (std::string_view(error.what()).empty()) std::abort();
  }
}

void use(Guest& guest) {
  attempt([&] {
    Subscription route = guest.subscribe("a.*", {.descriptor = true});
    for (int call = 0; call < 3; ++call) (void)route.drain();
    (void)route.wait(std::chrono::nanoseconds(0));
    (void)route.end();
    (void)route.pattern();
    attempt([&] { guest.unsubscribe(route); });
  });
  attempt([&] { guest.open_gate(); });
  attempt([&] {
    Publisher publisher = guest.publisher();
    const auto outcome =
        publisher.publish("a.b", "payload", {.wait_for_receipt = std::chrono::nanoseconds(0)});
    (void)publisher.outcome(outcome.number);
  });
}

void run(std::span<const std::uint8_t> input) {
  auto pair = shm::control_pair();  // the broker's end and the guest's
  const shm::UniqueFd& theirs = pair.first;
  PacketScript script(input);
  std::uint64_t request = 0;
  for (int count = 0; count < kMostAnswers && !script.at_end(); ++count) {
    const std::uint8_t what = script.byte();
    if (what < 192) ++request;  // else the same once more
    const auto packet = script.packet(answer(what % 8, request));
    const auto list = descriptors(script.byte());
    (void)shm::send_packet(theirs.get(), packet, list);
  }
  ::shutdown(theirs.get(), SHUT_WR);  // the guest need not wait for more
  attempt([&] {
    Guest guest =
        Guest::attach({.descriptor = std::move(pair.second), .timeout = std::chrono::seconds(1)});
    use(guest);
  });
}

}  // namespace
}  // namespace fairlead::guest

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::guest::run({data, size});
  return 0;
}

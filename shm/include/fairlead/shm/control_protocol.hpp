// What guest and broker say to each other over the attach socket (SOCK_SEQPACKET: one struct is one
// packet). Both ends are on one machine and of one layout hash, so structs travel as they are.
// A packet whose size is not exactly that of its kind, an unknown kind, a descriptor nobody asked
// for or a truncated packet ends the connection.
#pragma once

#include <cstdint>
#include <type_traits>

#include <fairlead/shm/fixed_text.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/uuid.hpp>

namespace fairlead::shm::control {

inline constexpr std::uint32_t kProtocolVersion = 2;
inline constexpr std::size_t kMaximumPacketBytes = 1'024;
inline constexpr std::size_t kMaximumDescriptorsPerPacket = 3;

enum class Kind : std::uint32_t {
  none = 0,
  // keeper -> broker, before hello: pins the connection's principal (needs a minter's right)
  mint = 1,
  // guest -> broker
  hello = 10,
  subscribe = 11,
  unsubscribe = 12,
  open_outbox = 13,
  set_gate = 14,
  acknowledge = 15,  // the descriptors of reply `request` have arrived
  kick = 16,         // there is something in my outbox
  list_sealed = 17,  // the dump tool's; only the broker's own uid may ask
  // guest -> broker, by a guest that a broker of an earlier epoch knew (R34)
  pushed_before = 18,  // what the epoch before pushed into my route; no answer
  resume_route = 19,   // answered as subscribe
  resume_outbox = 20,  // answered as open_outbox
  // broker -> guest
  welcome = 30,
  subscribed = 31,     // + descriptors: route (read-only), cursor, wake-up socket if asked for
  outbox_opened = 32,  // + descriptors: outbox, receipt (read-only)
  done = 33,
  refused = 34,
  ended = 35,           // a route was closed or poisoned; not an answer, request = 0
  sealed_segment = 36,  // + descriptor (read-only); one per packet, `done` ends the list
  farewell = 37,        // the broker ends for good: do not try to come back
};

struct Header {
  Kind kind;
  std::uint32_t packet_bytes;
  std::uint64_t request;  // chosen by the asker, repeated in the answer
};

// As `request`: whatever comes of it, the broker sends no answer. For guests that say something in
// passing, and read their socket when they ask for something the next time.
inline constexpr std::uint64_t kNoAnswer = std::uint64_t{1} << 63;

enum class BackingWish : std::uint32_t { automatic = 0, named = 1, sealed = 2 };

struct Mint {
  Header header;
  FixedText<kMaximumPrincipalBytes> principal;
};

struct Hello {
  Header header;
  std::uint32_t protocol_version;
  std::uint32_t reserved;
  std::uint64_t layout_hash;
  Uuid capsule;
  // Empty: as minted, or the policy's name for my uid. The system principal is "system" here.
  FixedText<kMaximumPrincipalBytes> principal;
  FixedText<64> program;          // for logs and dump, never trusted
  std::uint8_t resume_token[16];  // of the last Welcome; zero: I am new here
};

struct Subscribe {
  Header header;
  FixedText<kMaximumTopicBytes + 1> pattern;
  AdmissionKind admission;
  EvictionPolicy eviction;
  std::uint64_t budget_bytes;   // 0 = the policy's default
  std::uint64_t cap_bytes;      // 0 = kDefaultCapFactor x budget
  std::uint32_t lane_capacity;  // 0 = the policy's default
  BackingWish backing;
  std::uint32_t staged;            // 1: wait for set_gate (R13)
  std::uint32_t wants_descriptor;  // 1: also send a wake-up socket
  FixedText<kMaximumPrincipalBytes>
      admitted_principal;  // for the admissions other than all; empty = system
};

struct Unsubscribe {
  Header header;
  std::uint64_t subscription;
  // 1: nothing of the guest maps the route any more, so its memory may be taken. May come after a
  // first one without, or after the broker itself ended the route.
  std::uint32_t unmapped;
  std::uint32_t reserved;
};

struct OpenOutbox {
  Header header;
  std::uint64_t ring_bytes;  // 0 = default; rounded up to a power of two
};

// Newest pushes of guests into the lanes of a route's last segment, if it was sealed: the broker of
// that segment is dead, so only the guest can still read it. Up to kMaximumPushMarks a packet.
inline constexpr std::size_t kMaximumPushMarks = 48;
struct PushedBefore {
  Header header;
  std::uint64_t subscription;
  std::uint32_t count;
  std::uint32_t reserved;
  PushMark pushes[kMaximumPushMarks];
};

struct ResumeRoute {
  Header header;
  std::uint64_t subscription;
  std::uint32_t wants_descriptor;  // as at subscribe
  std::uint32_t reserved;
};

struct ResumeOutbox {
  Header header;
  std::uint64_t outbox;        // keeps its id
  std::uint64_t ring_bytes;    // as of the last one
  std::uint64_t first_number;  // of the first publish that has no receipt, or of the next
};

struct SetGate {
  Header header;
  std::uint32_t open;  // 1: admit from the next sequence number on, 0: retire
  std::uint32_t reserved;
};

struct Plain {  // acknowledge, kick, list_sealed, done, farewell
  Header header;
  std::uint64_t value;
};

struct Welcome {
  Header header;
  std::uint64_t guest;
  std::uint64_t epoch;
  Boundary boundary;  // what holds if segments are sealed or the uid differs, as reported at attach
  std::uint32_t resumed;  // 1: known by its token; else whatever it had has ended
  FixedText<kMaximumBrokerNameBytes> broker;
  FixedText<kMaximumPrincipalBytes> principal;
  FixedText<200> boundary_reason;
  std::uint8_t resume_token[16];
};

struct Subscribed {
  Header header;
  std::uint64_t subscription;
  std::uint64_t route_segment_bytes;
  std::uint64_t cursor_segment_bytes;
  std::uint32_t lane_capacity;
  Boundary boundary;
  std::uint32_t sealed;
  std::uint32_t has_descriptor;
  std::uint32_t hold_slots;  // R22; the broker does not look at those beyond
  std::uint32_t reserved;
  // Of a route that is resumed: the segment's state is `filling` until its content is there, after
  // the descriptors were acknowledged. Content that the guest has already, or that was filled into
  // a segment that it has, is of this epoch or before; 0 = of a new subscription.
  std::uint64_t claimed_epoch;
};

struct OutboxOpened {
  Header header;
  std::uint64_t outbox;
  std::uint64_t ring_bytes;
  std::uint64_t outbox_segment_bytes;
  std::uint64_t receipt_segment_bytes;
};

struct Refused {
  Header header;
  std::uint32_t code;  // fairlead::ErrorCode
  std::uint32_t reserved;
  FixedText<400> sentence;
};

struct Ended {
  Header header;
  std::uint64_t subscription;
  RouteState state;
  Refusal reason;
  FixedText<200> sentence;
};

struct SealedSegment {
  Header header;
  SegmentKind kind;
  std::uint32_t reserved;
  std::uint64_t bytes;
  std::uint64_t id;
};

template <class Packet>
inline constexpr bool kIsPacket =
    std::is_trivially_copyable_v<Packet>&& std::is_standard_layout_v<Packet> &&
    sizeof(Packet) <= kMaximumPacketBytes;
static_assert(kIsPacket<Mint> && kIsPacket<Hello> && kIsPacket<Subscribe> &&
              kIsPacket<Unsubscribe>);
static_assert(kIsPacket<OpenOutbox> && kIsPacket<SetGate> && kIsPacket<Plain> &&
              kIsPacket<Welcome>);
static_assert(kIsPacket<Subscribed> && kIsPacket<OutboxOpened> && kIsPacket<Refused> &&
              kIsPacket<Ended>);
static_assert(kIsPacket<SealedSegment> && kIsPacket<PushedBefore> && kIsPacket<ResumeRoute> &&
              kIsPacket<ResumeOutbox>);

}  // namespace fairlead::shm::control

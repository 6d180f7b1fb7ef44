// Any bytes as what a guest says on its connection: it is answered, refused or thrown out, and when
// it is gone the broker holds nothing of it.
//
// Input: one byte per step says what is sent or done, with parameters behind it
// (packet_script.hpp).
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include <fairlead/shm/control_socket.hpp>

#include "attach/session.hpp"
#include "packet_script.hpp"
#include "state/broker_state.hpp"

namespace fairlead::broker {
namespace {

namespace control = shm::control;
using control::Kind;
using fuzz::blank;
using fuzz::PacketScript;

constexpr int kMostSteps = 48;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

// One broker for all inputs: what one guest leaves, the next ones would find.
class World {
 public:
  World() : state_(options(), Policy::parse(kPolicy, "fuzz", ::geteuid())) {}

  ~World() {
    const std::lock_guard lock(state_.mutex);
    (void)state_.end_everything();  // its table has a name
  }

  BrokerState& state() { return state_; }
  void pass(std::uint64_t nanoseconds) { now_ += nanoseconds; }
  [[nodiscard]] std::uint64_t now() const { return now_; }

 private:
  static constexpr const char* kPolicy = R"([[principal]]
name = "*"
uid = "self"
minted = true
publish = ["a.*"]
subscribe = ["a.*", "b"]
admission = "all"
budget_bytes = 16384
maximum_budget_bytes = 65536
[principal.quota]
routes = 6
total_budget_bytes = 1048576
outbox_bytes = 65536
attaches_per_minute = 1000000
[[minter]]
uid = "self"
names = ["*"]
)";

  BrokerOptions options() {
    BrokerOptions options;
    options.name = "fuzz-" + std::to_string(::getpid());
    options.log_level = LogLevel::debug;
    options.clock = [this] { return now_; };
    options.logger = [](const LogRecord& record) {
      for (const char each : record.message)
        expect(each >= ' ' && each <= '~', "a line is printable");
    };
    return options;
  }

  std::uint64_t now_ = 1'000'000'000;
  BrokerState state_;
};

World& world() {
  static World world;
  return world;
}

// One guest with its connection.
class Conversation {
 public:
  Conversation(World& world, bool by_host) : world_(world) {
    auto [ours, theirs] = shm::control_pair();
    guest_ = std::move(theirs);
    const shm::PeerCredentials peer = shm::peer_credentials(ours.get());
    session_ =
        std::make_unique<Session>(world.state(), std::move(ours), peer,
                                  by_host ? std::optional<std::string>("host") : std::nullopt,
                                  [](GuestId) {});  // who speaks for another guest stays
  }
  ~Conversation() {
    session_->leave(Farewell::hang_up, "hung up");
    const std::vector<Remains> remains = session_->take_down();
    session_.reset();
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void step(PacketScript& script) {
    const std::uint8_t what = script.byte();
    switch (what % 16) {
      case 13:
        return world_.pass(std::uint64_t{script.byte()} * 100'000'000);
      case 14:
        return listen();
      case 15:
        return send({}, what >= 128 ? 1 : 3);
      default:
        return send(script.packet(well_formed(what % 16, script.byte())), what >= 192 ? 1 : 0);
    }
  }
  [[nodiscard]] bool over() const { return session_->over(); }

 private:
  std::vector<std::byte> well_formed(unsigned kind, std::uint8_t detail) {
    ++request_;
    const auto made = [&](auto packet, Kind packet_kind) {
      return PacketScript::bytes_of(packet, packet_kind, request_);
    };
    switch (kind) {
      case 0: {
        auto packet = blank<control::Mint>();
        packet.principal.assign("m");
        return made(packet, Kind::mint);
      }
      case 1:
      case 2: {
        auto packet = blank<control::Hello>();
        packet.protocol_version = control::kProtocolVersion;
        packet.layout_hash = shm::kLayoutHash;
        packet.capsule.bytes.fill(1);
        packet.principal.assign(detail % 2 == 0 ? "x" : "");
        packet.program.assign("fuzz");
        std::memset(packet.resume_token, detail / 64, sizeof packet.resume_token);
        return made(packet, Kind::hello);
      }
      case 3:
      case 4: {
        auto packet = blank<control::Subscribe>();
        packet.pattern.assign(detail % 2 == 0 ? "a.*" : "b");
        packet.budget_bytes = 4'096;
        packet.lane_capacity = 64;
        packet.wants_descriptor = detail / 2 % 2;
        packet.backing = static_cast<control::BackingWish>(detail / 4 % 3);
        packet.staged = detail / 16 % 2;
        return made(packet, Kind::subscribe);
      }
      case 5: {
        auto packet = blank<control::Unsubscribe>();
        packet.subscription = newest_subscription_ - detail % 4;
        packet.unmapped = detail / 4 % 2;
        return made(packet, Kind::unsubscribe);
      }
      case 6: {
        auto packet = blank<control::OpenOutbox>();
        packet.ring_bytes = std::uint64_t{detail} << 8U;
        return made(packet, Kind::open_outbox);
      }
      case 7: {
        auto packet = blank<control::SetGate>();
        packet.open = detail % 2;
        return made(packet, Kind::set_gate);
      }
      case 8:
      case 9: {
        auto packet = made(blank<control::Plain>(), Kind::acknowledge);
        const std::uint64_t of = request_ - 1 - detail % 4;
        std::memcpy(packet.data() + offsetof(control::Header, request), &of, sizeof of);
        return packet;
      }
      case 10:
        return made(blank<control::Plain>(), Kind::kick);
      case 11:
        return made(blank<control::Plain>(), Kind::list_sealed);
      default:
        return returning(detail);
    }
  }

  // What guests of an earlier broker ask for; or a packet that is none of theirs.
  std::vector<std::byte> returning(std::uint8_t detail) {
    switch (detail % 8) {
      case 0: {
        auto packet = blank<control::PushedBefore>();
        packet.subscription = newest_subscription_ - detail / 32;
        packet.count = detail / 8;
        return PacketScript::bytes_of(packet, Kind::pushed_before, request_);
      }
      case 1: {
        auto packet = blank<control::ResumeRoute>();
        packet.subscription = newest_subscription_ - detail / 32;
        packet.wants_descriptor = detail / 8 % 2;
        return PacketScript::bytes_of(packet, Kind::resume_route, request_);
      }
      case 2: {
        auto packet = blank<control::ResumeOutbox>();
        packet.outbox = detail / 32;
        packet.ring_bytes = 4'096;
        packet.first_number = detail / 8 % 4;
        return PacketScript::bytes_of(packet, Kind::resume_outbox, request_);
      }
      default:
        return PacketScript::bytes_of(blank<control::Welcome>(), static_cast<Kind>(detail),
                                      request_);
    }
  }

  void send(const std::vector<std::byte>& packet, int descriptors) {
    static const shm::UniqueFd foreign(::memfd_create("foreign", MFD_CLOEXEC));
    const int list[] = {foreign.get(), foreign.get(), foreign.get()};
    (void)shm::send_packet(guest_.get(), packet,
                           std::span(list).first(static_cast<std::size_t>(descriptors)));
    session_->on_readable();
    if (!session_->over() && session_->deferred()) session_->retry();
    world_.state().log.flush();
  }

  // What the broker says is of the protocol, and nothing of it is cut.
  void listen() {
    std::byte buffer[control::kMaximumPacketBytes];
    for (;;) {
      const auto packet = shm::receive_packet(guest_.get(), buffer, 3);
      if (packet.outcome != shm::ReceiveOutcome::received) break;
      control::Header header{};
      expect(packet.bytes >= sizeof header, "an answer has a header");
      std::memcpy(&header, buffer, sizeof header);
      expect(header.packet_bytes == packet.bytes, "an answer says its size");
      expect(static_cast<unsigned>(header.kind) >= 30, "an answer is of a broker's kind");
      if (header.kind == Kind::subscribed) {
        control::Subscribed answer{};
        std::memcpy(&answer, buffer, sizeof answer);
        newest_subscription_ = answer.subscription;
      }
    }
  }

  World& world_;
  shm::UniqueFd guest_;
  std::unique_ptr<Session> session_;
  std::uint64_t request_ = 0;
  std::uint64_t newest_subscription_ = 0;
};

void run(std::span<const std::uint8_t> input) {
  World& broker = world();
  PacketScript script(input);
  {
    const std::uint8_t who = script.byte();
    Conversation one(broker, who % 2 == 1);
    Conversation other(broker, who % 4 >= 2);
    for (int step = 0; step < kMostSteps && !script.at_end(); ++step) {
      Conversation& speaker = script.byte() % 4 == 0 ? other : one;
      if (speaker.over()) break;
      speaker.step(script);
      const std::lock_guard lock(broker.state().mutex);
      broker.state().maintain_slice();
    }
  }
  broker.state().log.flush();
  const std::lock_guard lock(broker.state().mutex);
  const BrokerStatistics left = broker.state().statistics();
  expect(left.guests.empty(), "a guest that is gone is no guest");
  expect(left.routes.empty(), "its routes are gone with it");
  expect(left.descriptors_in_flight == 0, "nothing is on its way to nobody");
  broker.state().orders.clear();
}

}  // namespace
}  // namespace fairlead::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::broker::run({data, size});
  return 0;
}

#include "intruder.hpp"

#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/layout/layout_hash.hpp>

namespace fairlead::hostile_processes {

namespace control = shm::control;
using control::Kind;

Mapping::Mapping(shm::UniqueFd descriptor, std::uint64_t bytes, bool writable)
    : descriptor_(std::move(descriptor)), bytes_(bytes) {
  void* const memory = ::mmap(nullptr, bytes_, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                              MAP_SHARED, descriptor_.get(), 0);
  if (memory == MAP_FAILED) throw std::runtime_error("what the broker sent cannot be mapped");
  data_ = static_cast<std::byte*>(memory);
}

Mapping::~Mapping() { ::munmap(data_, bytes_); }

Intruder::Intruder(std::string socket, std::size_t slot, std::uint64_t seed, Page& page)
    : path_(std::move(socket)),
      slot_(slot),
      page_(page),
      progress_(page.intruders[slot]),
      random_(seed) {}

Intruder::~Intruder() = default;

// ---- the connection ----------------------------------------------------------------------------

bool Intruder::send(std::span<const std::byte> packet, std::span<const int> descriptors) {
  const shm::SendOutcome outcome = shm::send_packet(socket_.get(), packet, descriptors);
  if (outcome == shm::SendOutcome::closed) thrown_out_ = true;
  return outcome == shm::SendOutcome::sent;
}

void Intruder::read_all() {
  std::byte buffer[control::kMaximumPacketBytes];
  while (!thrown_out_) {
    shm::ReceivedPacket packet =
        shm::receive_packet(socket_.get(), buffer, control::kMaximumDescriptorsPerPacket);
    switch (packet.outcome) {
      case shm::ReceiveOutcome::nothing:
        return;
      case shm::ReceiveOutcome::received:
        take(std::span(buffer).first(packet.bytes), std::move(packet.descriptors));
        break;
      default:
        thrown_out_ = true;
    }
  }
}

void Intruder::take(std::span<const std::byte> packet, std::vector<shm::UniqueFd> descriptors) {
  control::Header header{};
  std::memcpy(&header, packet.data(), std::min(packet.size(), sizeof header));
  const auto acknowledge = [&] {
    if (one_in(20)) return;  // the broker has to wait for it
    auto made = this->packet<control::Plain>(Kind::acknowledge);
    made.header.request = header.request;
    send_packet(made);
  };
  if (header.kind == Kind::subscribed && packet.size() == sizeof(control::Subscribed) &&
      descriptors.size() >= 2) {
    control::Subscribed answer{};
    std::memcpy(&answer, packet.data(), sizeof answer);
    const bool wakes = descriptors.size() > 2;
    routes_.emplace_back(new Route{answer,
                                   {std::move(descriptors[0]), answer.route_segment_bytes, false},
                                   {std::move(descriptors[1]), answer.cursor_segment_bytes, true},
                                   wakes ? std::move(descriptors[2]) : shm::UniqueFd()});
    acknowledge();
  } else if (header.kind == Kind::outbox_opened && packet.size() == sizeof(control::OutboxOpened) &&
             descriptors.size() == 2) {
    control::OutboxOpened answer{};
    std::memcpy(&answer, packet.data(), sizeof answer);
    ring_bytes_ = answer.ring_bytes;
    outbox_ =
        std::make_unique<Mapping>(std::move(descriptors[0]), answer.outbox_segment_bytes, true);
    receipts_ =
        std::make_unique<Mapping>(std::move(descriptors[1]), answer.receipt_segment_bytes, false);
    acknowledge();
  } else if (header.kind == Kind::ended && packet.size() == sizeof(control::Ended)) {
    control::Ended ended{};
    std::memcpy(&ended, packet.data(), sizeof ended);
    if (ended.state != shm::RouteState::poisoned) return;
    ++progress_.poisoned;
    if (ended.sentence.view().empty()) throw std::runtime_error("poisoned without a reason");
  }
}

bool Intruder::attach() {
  try {
    socket_ = shm::connect_control(path_, std::chrono::seconds(10));
  } catch (const Error&) {
    return false;  // the backlog is full of our own kind
  }
  auto hello = packet<control::Hello>(Kind::hello);
  hello.protocol_version = control::kProtocolVersion;
  hello.layout_hash = shm::kLayoutHash;
  hello.capsule.bytes.fill(static_cast<std::uint8_t>(1 + slot_));
  hello.principal.assign("evil." + std::to_string(slot_));
  hello.program.assign("intruder");
  send_packet(hello);
  std::byte buffer[control::kMaximumPacketBytes];
  const auto answer = shm::receive_packet_until(
      socket_.get(), buffer, 0, std::chrono::steady_clock::now() + std::chrono::seconds(10));
  control::Welcome welcome{};
  if (answer.outcome != shm::ReceiveOutcome::received || answer.bytes != sizeof welcome)
    return false;
  std::memcpy(&welcome, buffer, sizeof welcome);
  guest_ = welcome.guest;
  return welcome.header.kind == Kind::welcome;
}

void Intruder::subscribe() {
  constexpr const char* kPatterns[] = {"h.*", "shared.*", "*", "x.*", "h.stream"};
  auto made = packet<control::Subscribe>(Kind::subscribe);
  made.pattern.assign(kPatterns[below(std::size(kPatterns))]);
  made.admission = shm::AdmissionKind::all;
  made.eviction = static_cast<shm::EvictionPolicy>(1 + below(3));
  made.budget_bytes = 4'096U << below(7);
  made.lane_capacity = 64;
  made.backing = static_cast<control::BackingWish>(below(3));
  made.wants_descriptor = one_in(2) ? 1 : 0;
  send_packet(made);
}

void Intruder::open_outbox() {
  auto made = packet<control::OpenOutbox>(Kind::open_outbox);
  made.ring_bytes = 4'096U << below(6);
  send_packet(made);
}

// ---- a life ------------------------------------------------------------------------------------

std::span<std::byte> Intruder::some_memory() {
  const std::size_t which = below(routes_.size() + (outbox_ ? 1 : 0) + 1);
  if (which < routes_.size()) return routes_[which]->cursors.bytes();
  return outbox_ ? outbox_->bytes() : std::span<std::byte>();
}

void Intruder::act() {
  // Gentle ones are more frequent: who is thrown out at once attacks nothing.
  switch (below(32)) {
    case 0:
      return scribble_cursors();
    case 1:
      return scribble_outbox();
    case 2:
      return move_heads();
    case 3:
      return one_in(4) ? move_tail() : publish();
    case 4:
      return punch_holes();
    case 5:
      return pin_memory();
    case 6:
      return replay();
    case 7:
      return storm_of_kicks();
    case 8:
      return flood_wake_socket();
    case 9:
      return one_in(10) ? random_packet() : claim();
    case 10:
      return one_in(10) ? half_packet() : claim();
    case 11:
      return one_in(10) ? foreign_descriptors() : claim();
    case 12:
      return many_requests();
    case 13:
      return one_in(8) ? crowd_of_connections() : subscribe();
    case 14:
      reads_ = one_in(20) ? !reads_ : true;
      return;
    case 15:
    case 16:
      return try_forbidden();
    case 17:
    case 18:
      return ring_doorbells();
    case 19:
      return subscribe();
    case 20:
    case 21:
    case 22:
      return claim();
    default:
      return publish();
  }
}

void Intruder::live() {
  ++progress_.lives;
  if (!attach()) {
    ++progress_.refused;
    return;
  }
  subscribe();
  if (!one_in(4)) open_outbox();
  for (std::uint64_t left = 1 + below(2'000); left > 0 && !thrown_out_; --left) {
    if (page_.stop_intruders.load()) return;
    if (reads_ || one_in(64)) read_all();
    if (thrown_out_) break;
    act();
    ++progress_.actions;
  }
  if (!thrown_out_) return;
  ++progress_.ejected;
  page_.eject(guest_);
}

// ---- life after life ---------------------------------------------------------------------------

bool intruders_are_other_users() noexcept { return ::geteuid() == 0; }

std::uint32_t intruder_user(std::size_t slot) noexcept {
  return intruders_are_other_users() ? 64'001U + static_cast<std::uint32_t>(slot) : ::geteuid();
}

namespace {

void become_another_user(std::size_t slot) {
  if (!intruders_are_other_users()) return;
  const uid_t user = intruder_user(slot);
  if (::setgroups(0, nullptr) != 0 || ::setresgid(user, user, user) != 0 ||
      ::setresuid(user, user, user) != 0)
    throw std::runtime_error("cannot become another user");
}

[[noreturn]] void live_once(const std::string& socket, std::size_t slot, std::uint64_t seed,
                            Page& page) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGBUS, SIG_DFL);  // no sanitizer's business, see keep_intruding()
  try {
    // Who gets the processors is for the kernel to say, and not what is claimed here.
    (void)!::nice(10);
    become_another_user(slot);
    Intruder intruder(socket, slot, seed, page);
    intruder.live();
    if (seed % 4 == 0) ::raise(SIGKILL);  // nobody is told good-bye
  } catch (const std::exception& error) {
    page.fail("intruder of seed " + std::to_string(seed) + ": " + error.what());
  }
  ::_exit(0);
}

}  // namespace

void keep_intruding(const std::string& socket, std::size_t slot, std::uint64_t seed, Page& page) {
  for (std::uint64_t life = 0; !page.stop_intruders && !page.failed; ++life) {
    const std::uint64_t seed_of_life = (seed * kIntruders + slot) * 1'000'000 + life;
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) live_once(socket, slot, seed_of_life, page);
    int status = 0;
    ::waitpid(child, &status, 0);
    // A route that it said it maps no more, or that it forfeited, is cut: its own SIGBUS.
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGBUS) {
      page.fail("intruder of seed " + std::to_string(seed_of_life) + " died of signal " +
                std::to_string(WTERMSIG(status)));
    }
  }
}

}  // namespace fairlead::hostile_processes

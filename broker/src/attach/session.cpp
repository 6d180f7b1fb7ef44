#include "attach/session.hpp"

#include <sys/socket.h>

#include <algorithm>

#include <fairlead/shm/principal.hpp>

#include "attach/known_user.hpp"
#include "attach/packet.hpp"
#include "attach/peer_process.hpp"
#include "policy/limits_of.hpp"

namespace fairlead::broker {

namespace control = shm::control;
using control::Kind;

namespace {

constexpr int kPacketsPerTurn = 16;
// What one guest may leave unacknowledged before its next request waits.
constexpr std::uint64_t kDescriptorsPerGuest = 4 * control::kMaximumDescriptorsPerPacket;
constexpr int kPacketsAtTheEnd = 64;
// Requests that one guest may have waiting here.
constexpr std::size_t kMaximumDeferred = 16;

}  // namespace

Session::Session(BrokerState& state, shm::UniqueFd socket, const shm::PeerCredentials& connector,
                 std::optional<std::string> pinned_by_host, EndSession end_session_of)
    : state_(state),
      end_session_of_(std::move(end_session_of)),
      socket_(std::move(socket)),
      connector_(connector),
      connector_process_(open_connector(socket_.get(), connector.pid)),
      pinned_(std::move(pinned_by_host)),
      by_host_(pinned_.has_value()),
      opened_nanoseconds_(state.clock()) {
  if (pinned_) principal_ = *pinned_;
  // No policy lists that number.
  if (!says_who(IdentityKind::group, connector_.gid)) connector_.gid = static_cast<gid_t>(-1);
  const std::lock_guard lock(state_.mutex);
  attach_deadline_nanoseconds_ = state_.policy->broker().attach_deadline_ms * 1'000'000;
  ++state_.counters.connections;
  connection_ = ++state_.last_connection;
}

Session::~Session() = default;

std::optional<std::uint64_t> Session::deadline() const noexcept {
  std::optional<std::uint64_t> earliest;
  if (unknown()) earliest = opened_nanoseconds_ + attach_deadline_nanoseconds_;
  if (!unacknowledged_.empty()) {
    earliest = std::min(earliest.value_or(UINT64_MAX), unacknowledged_.front().deadline);
  }
  return earliest;
}

// ---- packets in --------------------------------------------------------------------------------

void Session::on_readable() {
  costly_ = false;
  for (int turn = 0; turn < kPacketsPerTurn && !over() && !costly_; ++turn) {
    const shm::ReceivedPacket packet = shm::receive_packet(descriptor(), buffer_, 0);
    switch (packet.outcome) {
      case shm::ReceiveOutcome::received:
        handle(std::span(buffer_).first(packet.bytes), packet.sender);
        break;
      case shm::ReceiveOutcome::nothing:
        return;
      case shm::ReceiveOutcome::malformed:
        return violate("sent a packet that is too long or carries descriptors");
      case shm::ReceiveOutcome::closed:
      case shm::ReceiveOutcome::failed:
        return leave(Farewell::hang_up, "hung up");
    }
  }
}

void Session::retry() {
  costly_ = false;
  while (!over() && !deferred_.empty() && !costly_) {
    const Header header = *header_of(deferred_.front());
    if (!find_room(header.kind)) return;
    const std::vector<std::byte> packet = std::move(deferred_.front());
    deferred_.pop_front();
    handle_request(header, packet);
  }
  if (!over() && listing_) send_listed();
}

template <class Packet>
void Session::dispatch(std::span<const std::byte> packet, void (Session::*handler)(const Packet&)) {
  const auto checked = packet_as<Packet>(packet);
  if (!checked) return violate("sent a packet of the wrong size for its kind");
  (this->*handler)(*checked);
}

void Session::handle(std::span<const std::byte> packet,
                     const std::optional<shm::PeerCredentials>& sender) {
  const auto header = header_of(packet);
  if (!header) return violate("sent a packet that is not one of the protocol's");
  if (stage_ == Stage::attached) return handle_attached(*header, packet);
  switch (header->kind) {
    case Kind::mint:
      if (stage_ == Stage::minted || by_host_ || listing_) break;
      return dispatch(packet, &Session::on_mint);
    case Kind::hello:
      if (listing_) break;
      if (const auto hello = packet_as<control::Hello>(packet)) return on_hello(*hello, sender);
      return violate("sent a packet of the wrong size for its kind");
    case Kind::list_sealed:
      if (stage_ == Stage::minted || by_host_) break;
      return dispatch(packet, &Session::on_list_sealed);
    case Kind::acknowledge:
      return dispatch(packet, &Session::on_acknowledge);
    default:
      break;
  }
  violate("sent a packet of kind " + std::to_string(static_cast<std::uint32_t>(header->kind)) +
          " before its hello");
}

void Session::handle_attached(const Header& header, std::span<const std::byte> packet) {
  wake_outbox();
  // These two never wait: what a deferred request waits for may be this very acknowledgement.
  if (header.kind == Kind::acknowledge) return dispatch(packet, &Session::on_acknowledge);
  if (header.kind == Kind::kick) return dispatch(packet, &Session::on_kick);
  if (!deferred_.empty() || !find_room(header.kind)) return defer(packet);
  handle_request(header, packet);
}

void Session::handle_request(const Header& header, std::span<const std::byte> packet) {
  answer_request(header, packet);
  const std::lock_guard lock(state_.mutex);
  room_.release();  // what the answer did not need
}

void Session::answer_request(const Header& header, std::span<const std::byte> packet) {
  switch (header.kind) {
    case Kind::subscribe:
      return dispatch(packet, &Session::on_subscribe);
    case Kind::open_outbox:
      return dispatch(packet, &Session::on_open_outbox);
    case Kind::unsubscribe:
      return dispatch(packet, &Session::on_unsubscribe);
    case Kind::set_gate:
      return dispatch(packet, &Session::on_set_gate);
    case Kind::pushed_before:
      return dispatch(packet, &Session::on_pushed_before);
    case Kind::resume_route:
      return dispatch(packet, &Session::on_resume_route);
    case Kind::resume_outbox:
      return dispatch(packet, &Session::on_resume_outbox);
    default:
      violate("sent a packet of kind " + std::to_string(static_cast<std::uint32_t>(header.kind)) +
              ", which no attached guest sends");
  }
}

// Descriptors that nobody has taken out of a socket yet count against a limit of our whole uid
// (ETOOMANYREFS), so there are never many of them: a request that would send more waits.
// Each payer has a share of that number, or one could keep all others waiting (R32).
bool Session::find_room(Kind kind) {
  std::uint64_t descriptors = 0;
  if (kind == Kind::subscribe || kind == Kind::resume_route)
    descriptors = control::kMaximumDescriptorsPerPacket;
  if (kind == Kind::open_outbox || kind == Kind::resume_outbox) descriptors = 2;
  if (descriptors == 0) return true;
  const std::lock_guard lock(state_.mutex);
  if (state_.descriptors_in_flight + descriptors > state_.policy->broker().descriptors_in_flight ||
      in_flight_ + descriptors > kDescriptorsPerGuest)
    return false;
  const Guest& guest = *state_.find_guest(guest_);
  auto charged = state_.quotas.account_of(guest.payer, quota_of(*guest.rule))
                     ->charge({.in_flight = descriptors});
  auto* charge = std::get_if<QuotaCharge>(&charged);
  if (charge == nullptr) return false;
  room_ = std::move(*charge);
  return true;
}

void Session::defer(std::span<const std::byte> packet) {
  if (deferred_.size() == kMaximumDeferred)
    return violate("sent more requests than may wait, without acknowledging descriptors");
  deferred_.emplace_back(packet.begin(), packet.end());
}

void Session::on_acknowledge(const control::Plain& packet) {
  const auto found =
      std::find_if(unacknowledged_.begin(), unacknowledged_.end(),
                   [&](const auto& sent) { return sent.request == packet.header.request; });
  if (found == unacknowledged_.end())
    return violate("acknowledged descriptors that it was never sent");
  in_flight_ -= found->descriptors;
  {
    const std::lock_guard lock(state_.mutex);
    state_.descriptors_in_flight -= found->descriptors;
    unacknowledged_.erase(found);
    if (guest_ != 0 && packet.header.request == outbox_request_)
      state_.find_guest(guest_)->outbox_settled = true;
  }
  claim_offered(packet.header.request);
  if (listing_) send_listed();
}

// ---- packets out -------------------------------------------------------------------------------

Session::Sent Session::send(std::span<const std::byte> packet, std::span<const int> descriptors) {
  switch (shm::send_packet(descriptor(), packet, descriptors)) {
    case shm::SendOutcome::sent:
      return Sent::yes;
    case shm::SendOutcome::too_many_descriptors:
      return Sent::too_many_descriptors;
    case shm::SendOutcome::full:
      leave(Farewell::unread, "does not read its socket");
      return Sent::no;
    case shm::SendOutcome::closed:
    case shm::SendOutcome::failed:
      break;
  }
  leave(Farewell::hang_up, "hung up");
  return Sent::no;
}

Session::Sent Session::send_with(std::span<const std::byte> packet, std::uint64_t request,
                                 std::initializer_list<int> descriptors) {
  std::array<int, control::kMaximumDescriptorsPerPacket> list{};
  std::uint64_t count = 0;
  for (const int descriptor : descriptors) {
    if (descriptor >= 0) list[count++] = descriptor;
  }
  const Sent sent = send(packet, std::span(list).first(count));
  if (sent != Sent::yes) return sent;
  const std::uint64_t deadline = state_.clock() + attach_deadline_nanoseconds_;
  in_flight_ += count;
  const std::lock_guard lock(state_.mutex);
  state_.descriptors_in_flight += count;
  const std::uint64_t unused =
      room_.amounts().in_flight - std::min(room_.amounts().in_flight, count);
  room_.reduce({.in_flight = unused});
  unacknowledged_.push_back({request, count, deadline, std::move(room_)});
  return sent;
}

void Session::answer_done(std::uint64_t request) {
  if (request == control::kNoAnswer) return;
  send(bytes_of(make_packet<control::Plain>(Kind::done, request)));
}

void Session::refuse(std::uint64_t request, ErrorCode code, std::string_view sentence) {
  auto packet = make_packet<control::Refused>(Kind::refused, request);
  packet.code = static_cast<std::uint32_t>(code);
  assign_cut(packet.sentence, sentence);
  if (stage_ == Stage::attached) {
    {
      const std::lock_guard lock(state_.mutex);
      ++state_.counters.request_refusals;
    }
    log(LogLevel::info, "refused a request: " + std::string(sentence));
    if (request == control::kNoAnswer) return;
  }
  send(bytes_of(packet));
}

// ---- the end -----------------------------------------------------------------------------------

void Session::violate(std::string_view what) { leave(Farewell::violation, what); }

void Session::leave(Farewell farewell, std::string_view sentence) {
  if (over()) return;
  const bool was_attached = stage_ == Stage::attached;
  stage_ = Stage::leaving;
  // One that broke the rules forfeits its memory; one that is merely slow may still read it.
  thrown_out_ = farewell == Farewell::violation;
  {
    const std::lock_guard lock(state_.mutex);
    if (farewell == Farewell::violation) ++state_.counters.protocol_violations;
    if (farewell == Farewell::unread) ++state_.counters.unread_disconnects;
    if (farewell == Farewell::expired) ++state_.counters.expired_deadlines;
  }
  if (farewell == Farewell::refused) return;  // logged with its reason
  if (farewell == Farewell::violation) tell_why(ErrorCode::protocol, "it " + std::string(sentence));
  if (farewell == Farewell::expired) tell_why(ErrorCode::timeout, "it " + std::string(sentence));
  if (thrown_out_ || farewell == Farewell::unread || farewell == Farewell::expired) {
    log(LogLevel::warning, "disconnected: it " + std::string(sentence));
  } else {
    log(was_attached ? LogLevel::info : LogLevel::debug, sentence);
  }
}

void Session::say_farewell() noexcept {
  if (stage_ != Stage::attached) return;
  (void)shm::send_packet(descriptor(), bytes_of(make_packet<control::Plain>(Kind::farewell, 0)));
  read_the_rest();
}

void Session::tell_why(ErrorCode code, std::string_view sentence) noexcept {
  auto packet = make_packet<control::Refused>(Kind::refused, 0);
  packet.code = static_cast<std::uint32_t>(code);
  assign_cut(packet.sentence, sentence);
  (void)shm::send_packet(descriptor(), bytes_of(packet));
  read_the_rest();
}

// Closed with something unread in it, the socket would drop what we have just said.
void Session::read_the_rest() noexcept {
  ::shutdown(descriptor(), SHUT_RD);  // and nothing comes after that
  for (int left = kPacketsAtTheEnd; left > 0; --left) {
    if (shm::receive_packet(descriptor(), buffer_, 0).outcome != shm::ReceiveOutcome::received)
      return;
  }
}

std::vector<Remains> Session::take_down() {
  std::vector<Remains> remains;
  const std::lock_guard lock(state_.mutex);
  state_.descriptors_in_flight -= in_flight_;
  in_flight_ = 0;
  unacknowledged_.clear();
  attach_charge_.release();
  room_.release();
  for (auto& [request, offered] : offers_) state_.take_back(offered);
  offers_.clear();
  if (guest_ == 0) return remains;
  const Guest* ours = state_.find_guest(guest_);
  if (ours == nullptr || ours->connection != connection_) return remains;  // another's by now
  Guest& guest = *state_.find_guest(std::exchange(guest_, 0));
  const bool may_return = !thrown_out_ && !state_.stopped;
  if (!may_return || !state_.send_away(guest, remains))
    remains.push_back(state_.remove_guest(guest.id, thrown_out_));
  return remains;
}

void Session::log(LogLevel level, std::string_view message, const shm::RouteIdentity* route) {
  LogLine line;
  line.level = level;
  line.guest = guest_;
  line.principal = principal_;
  line.has_principal = guest_ != 0 || pinned_.has_value();
  line.source = log_source(pinned_, connector_.uid);
  std::string who = guest_ != 0 ? "guest " + std::to_string(guest_)
                                : "connection of uid " + std::to_string(connector_.uid) + " (pid " +
                                      std::to_string(connector_.pid) + ")";
  if (line.has_principal) who += " of " + std::string(shm::displayed_principal(principal_));
  if (route != nullptr) {
    line.pattern = route->pattern.view();
    line.subscription = route->subscription;
    who += ", route " + std::to_string(line.subscription) + " on " + line.pattern;
  }
  line.message = who + ": " + std::string(message);
  state_.log.add(std::move(line));
}

}  // namespace fairlead::broker

#include "attach/attach_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <iterator>

#include "attach/packet.hpp"

namespace fairlead::broker {

namespace {

constexpr int kAcceptsPerTurn = 16;
constexpr std::size_t kVisitsPerTurn = 8;
// Connections that have not said who they are; beyond, new ones are turned away.
constexpr std::size_t kMaximumUnknown = 128;
constexpr std::size_t kMaximumUnknownPerUser = 32;
// How long nobody is accepted when not even refusing works.
constexpr std::uint64_t kListeningPauseNanoseconds = 100'000'000;

}  // namespace

AttachServer::AttachServer(BrokerState& state) : state_(state), lingering_(loop_, state.mutex) {
  reserve_descriptor();
  if (state_.options.socket_path.empty()) return;
  listener_ = shm::ControlListener::listen(state_.options.socket_path, state_.options.socket_mode);
  // Inherited by what is accepted, so that the very first packet tells its sender.
  shm::request_credentials(listener_.descriptor());
  shm::refuse_descriptors(listener_.descriptor());
  loop_.add(listener_.descriptor(), kListener);
}

AttachServer::~AttachServer() { close_all(); }

void AttachServer::request_stop(bool hand_over) noexcept {
  hand_over_.store(hand_over, std::memory_order_relaxed);
  stop_.store(true, std::memory_order_release);
  loop_.wake();
}

void AttachServer::run() {
  while (!stop_.load(std::memory_order_acquire)) {
    try {
      turn();
    } catch (const std::exception& error) {
      tell_of(error);
    }
  }
  close_all();
}

void AttachServer::tell_of(const std::exception& error) noexcept {
  try {
    state_.log.add(LogLevel::error,
                   std::string("the service thread goes on after: ") + error.what());
    state_.log.flush();
  } catch (const std::bad_alloc&) {
    // Which is what it would have told.
  }
}

void AttachServer::turn() {
  std::array<std::uint64_t, 64> tags{};
  const std::size_t ready = loop_.wait(tags, sleep_nanoseconds());
  for (std::size_t index = 0; index < ready; ++index) on_event(tags[index]);
  accept_handed_in();
  serve_outboxes();
  maintain();
  expire_away();
  expire(state_.clock());
  retry_deferred();  // after all that may have made room
  listen_again(state_.clock());
  state_.log.flush();
}

std::optional<std::uint64_t> AttachServer::sleep_nanoseconds() {
  if (retry_soon_) return 0;
  std::optional<std::uint64_t> until;
  const auto consider = [&](std::optional<std::uint64_t> moment) {
    if (moment) until = std::min(until.value_or(*moment), *moment);
  };
  {
    const std::lock_guard lock(state_.mutex);
    if (!state_.orders.empty()) return 0;
    consider(state_.outboxes.next_look());
    consider(state_.maintenance.due());
  }
  if (!deadlines_.empty()) consider(deadlines_.begin()->first);
  consider(listen_again_nanoseconds_);
  consider(away_deadline_);
  if (!until) return std::nullopt;
  const std::uint64_t now = state_.clock();
  return *until > now ? *until - now : 0;
}

// ---- connections -------------------------------------------------------------------------------

void AttachServer::on_event(std::uint64_t tag) {
  if (tag == kListener) return accept_some();
  if (Lingering::owns(tag)) return lingering_.end(tag);
  const auto found = sessions_.find(tag);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  try {
    session.on_readable();
  } catch (const std::exception& error) {
    session.leave(Farewell::stopping, std::string("cannot be served: ") + error.what());
  }
  after(tag, session);
}

void AttachServer::after(SessionId id, Session& session) {
  if (session.over()) return remove(id);
  if (session.guest() != 0) by_guest_[session.guest()] = id;
  set_deadline(id, session);
  if (session.deferred() && std::find(deferred_.begin(), deferred_.end(), id) == deferred_.end())
    deferred_.push_back(id);
}

void AttachServer::reserve_descriptor() noexcept {
  spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

// Out of descriptors, a connection that stays in the backlog would keep us awake for ever. False
// when it does: somebody else in this process was faster, or the whole machine has none left.
bool AttachServer::shed_connection() {
  if (!spare_) reserve_descriptor();
  spare_.reset();
  shm::ControlListener::Accepted accepted = listener_.accept();
  if (accepted.socket) {
    turn_away(accepted.socket.get(), "the broker has no descriptors left: try again later");
    accepted.socket.reset();
  }
  reserve_descriptor();
  return accepted.error == 0;
}

void AttachServer::turn_away(int socket, std::string_view sentence) {
  auto packet = make_packet<shm::control::Refused>(shm::control::Kind::refused, 0);
  packet.code = static_cast<std::uint32_t>(ErrorCode::limit);
  assign_cut(packet.sentence, sentence);
  (void)shm::send_packet(socket, bytes_of(packet));
  // Closed with a hello unread in it, the socket would drop what we have just said.
  ::shutdown(socket, SHUT_RD);
  std::array<std::byte, shm::control::kMaximumPacketBytes> unread{};
  (void)shm::receive_packet(socket, unread, 0);
  const std::lock_guard lock(state_.mutex);
  ++state_.counters.attach_refusals;
}

void AttachServer::stop_listening_for_now() noexcept {
  loop_.remove(listener_.descriptor());
  listen_again_nanoseconds_ = state_.clock() + kListeningPauseNanoseconds;
}

void AttachServer::listen_again(std::uint64_t now) {
  if (!listen_again_nanoseconds_ || *listen_again_nanoseconds_ > now) return;
  listen_again_nanoseconds_ = now + kListeningPauseNanoseconds;  // should this fail
  loop_.add(listener_.descriptor(), kListener);
  listen_again_nanoseconds_.reset();
}

void AttachServer::accept_some() {
  for (int count = 0; count < kAcceptsPerTurn; ++count) {
    shm::ControlListener::Accepted accepted = listener_.accept();
    if (accepted.error != 0) {
      state_.log.add(LogLevel::error,
                     "cannot accept a connection: " + system_error_text(accepted.error) +
                         "; raise the limit of open files (ulimit -n)");
      if (!shed_connection()) stop_listening_for_now();
      return;
    }
    if (!accepted.socket) return;
    const shm::PeerCredentials peer = shm::peer_credentials(accepted.socket.get());
    admit(std::move(accepted.socket), peer, std::nullopt);
  }
}

bool AttachServer::too_many_unknown(const shm::PeerCredentials& peer) const {
  std::size_t all = 0;
  std::size_t of_user = 0;
  for (const auto& [id, session] : sessions_) {
    if (!session->unknown()) continue;
    ++all;
    if (session->connector().uid == peer.uid) ++of_user;
  }
  return all >= kMaximumUnknown || of_user >= kMaximumUnknownPerUser;
}

void AttachServer::admit(shm::UniqueFd socket, const shm::PeerCredentials& peer,
                         std::optional<std::string> pinned) {
  if (!pinned && too_many_unknown(peer)) {
    return turn_away(socket.get(), "too many connections wait to say hello: try again later");
  }
  const SessionId id = next_session_++;
  auto session = std::make_unique<Session>(state_, std::move(socket), peer, std::move(pinned),
                                           [this](GuestId guest) { end_replaced(guest); });
  loop_.add(session->descriptor(), id);
  Session& made = *session;
  sessions_.emplace(id, std::move(session));
  set_deadline(id, made);
}

void AttachServer::hand_in(shm::UniqueFd socket, std::string principal) {
  {
    const std::lock_guard lock(handing_in_);
    handed_in_.emplace_back(std::move(socket), std::move(principal));
  }
  loop_.wake();
}

void AttachServer::accept_handed_in() {
  std::vector<std::pair<shm::UniqueFd, std::string>> arrived;
  {
    const std::lock_guard lock(handing_in_);
    arrived.swap(handed_in_);
  }
  for (auto& [socket, principal] : arrived) {
    const shm::PeerCredentials peer = shm::peer_credentials(socket.get());
    admit(std::move(socket), peer, std::move(principal));
  }
}

void AttachServer::retry_deferred() {
  std::vector<SessionId> waiting;
  waiting.swap(deferred_);
  retry_soon_ = false;
  for (const SessionId id : waiting) {
    const auto found = sessions_.find(id);
    if (found == sessions_.end()) continue;
    Session& session = *found->second;
    try {
      session.retry();
    } catch (const std::exception& error) {
      session.leave(Farewell::stopping, std::string("cannot be served: ") + error.what());
    }
    // One that ends here makes room for those that were asked before it.
    retry_soon_ = retry_soon_ || session.over() || session.stopped_early();
    after(id, session);
  }
}

// ---- deadlines and ends ------------------------------------------------------------------------

void AttachServer::set_deadline(SessionId id, const Session& session) {
  const auto known = deadline_of_.find(id);
  const auto deadline = session.deadline();
  if (known != deadline_of_.end()) {
    if (deadline && known->second->first == *deadline) return;
    deadlines_.erase(known->second);
    deadline_of_.erase(known);
  }
  if (deadline) deadline_of_[id] = deadlines_.emplace(*deadline, id);
}

void AttachServer::expire(std::uint64_t now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const SessionId id = deadlines_.begin()->second;
    Session& session = *sessions_.at(id);
    session.leave(Farewell::expired, session.unknown() ? "did not say hello in time"
                                                       : "did not acknowledge descriptors in time");
    remove(id);
  }
}

void AttachServer::remove(SessionId id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session& session = *found->second;
  by_guest_.erase(session.guest());
  loop_.remove(session.descriptor());
  shm::UniqueFd process = session.take_process();
  std::vector<QuotaCharge> charges;
  for (Remains& remains : session.take_down()) {
    std::move(remains.charges.begin(), remains.charges.end(), std::back_inserter(charges));
  }
  lingering_.keep(std::move(process), std::move(charges));
  if (const auto deadline = deadline_of_.find(id); deadline != deadline_of_.end()) {
    deadlines_.erase(deadline->second);
    deadline_of_.erase(deadline);
  }
  sessions_.erase(found);
}

void AttachServer::end_replaced(GuestId guest) {
  SessionId id = 0;
  Session* session = session_of(guest, id);
  if (session == nullptr) return;
  session->leave(Farewell::hang_up, "was replaced by a later connection");
  remove(id);
}

void AttachServer::close_all() {
  if (hand_over_.load(std::memory_order_relaxed)) {
    const std::lock_guard lock(state_.mutex);  // charges are given back
    state_.outboxes.finish_all();
    sessions_.clear();
  }
  while (!sessions_.empty()) {
    const SessionId id = sessions_.begin()->first;
    sessions_.begin()->second->say_farewell();
    try {
      sessions_.begin()->second->leave(Farewell::stopping, "the broker stops");
    } catch (const std::bad_alloc&) {
      // No memory for the log's line; it has left all the same.
    }
    remove(id);
  }
  listener_.close();
  const std::lock_guard lock(handing_in_);
  handed_in_.clear();
}

Session* AttachServer::session_of(GuestId guest, SessionId& id) {
  const auto known = by_guest_.find(guest);
  if (known == by_guest_.end()) return nullptr;
  id = known->second;
  const auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

// ---- the rest of a turn ------------------------------------------------------------------------

void AttachServer::serve_outboxes() {
  std::vector<OutboxService::Violation> violations;
  {
    const std::lock_guard lock(state_.mutex);
    state_.outboxes.poll();
    state_.outboxes.serve(kVisitsPerTurn);
    violations = state_.outboxes.take_violations();
  }
  for (const auto& violation : violations) {
    SessionId id = 0;
    Session* session = session_of(violation.guest, id);
    if (session == nullptr) continue;
    session->leave(Farewell::violation,
                   "is not trusted any more: " + std::string(violation.reason));
    remove(id);
  }
}

void AttachServer::maintain() {
  std::vector<EndOrder> orders;
  {
    const std::lock_guard lock(state_.mutex);
    state_.maintain_slice();
    orders.swap(state_.orders);
  }
  for (const EndOrder& order : orders) carry_out(order);
}

void AttachServer::expire_away() {
  if (away_deadline_ && *away_deadline_ > state_.clock()) return;
  std::vector<Remains> remains;  // destroyed after the lock
  const std::lock_guard lock(state_.mutex);
  away_deadline_ = state_.expire_away(state_.clock(), remains);
  for (Remains& each : remains) each.charges.clear();  // given back under the mutex
}

void AttachServer::carry_out(const EndOrder& order) {
  SessionId id = 0;
  Session* session = session_of(order.guest, id);
  if (session == nullptr) {
    std::vector<Remains> remains;  // destroyed after the lock
    const std::lock_guard lock(state_.mutex);
    state_.end_of_absent(order, remains);
    for (Remains& each : remains) each.charges.clear();  // given back under the mutex
    return;
  }
  if (!order.subscription) {
    session->tell_why(ErrorCode::denied, order.sentence);
    session->leave(Farewell::stopping, order.sentence);
    return remove(id);
  }
  session->end_route(*order.subscription, order.state, order.reason, order.sentence);
  after(id, *session);
}

}  // namespace fairlead::broker

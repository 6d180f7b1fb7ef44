// Minting and hello: who a connection is.
#include <unistd.h>

#include <algorithm>

#include <fairlead/shm/layout/layout_hash.hpp>
#include <fairlead/shm/principal.hpp>

#include "attach/known_user.hpp"
#include "attach/lingering.hpp"
#include "attach/packet.hpp"
#include "attach/peer_process.hpp"
#include "attach/session.hpp"
#include "policy/limits_of.hpp"
#include "policy/refusals.hpp"

namespace fairlead::broker {

namespace control = shm::control;

void Session::refuse_attach(std::uint64_t request, ErrorCode code, std::string_view sentence) {
  {
    const std::lock_guard lock(state_.mutex);
    ++state_.counters.attach_refusals;
  }
  log(LogLevel::warning, "refused to attach: " + std::string(sentence));
  refuse(request, code, sentence);
  leave(Farewell::refused, sentence);
}

// With the mutex held. SO_PEERCRED decides: whoever the connector gave the socket to acts for it.
AttachDecision Session::decide(std::string_view requested) const {
  const Policy& policy = *state_.policy;
  const Peer peer{connector_.uid, connector_.gid};
  if (!by_host_) {
    std::optional<std::string_view> pinned;
    if (pinned_) pinned = *pinned_;
    return policy.decide_attach(peer, requested, pinned);
  }
  AttachDecision decision;
  decision.principal = *pinned_;
  decision.payer = *pinned_;
  if (!requested.empty() && shm::canonical_principal(requested) != *pinned_) {
    decision.sentence = refusals::pinned(*pinned_, requested);
    return decision;
  }
  decision.rule = policy.rule_of(*pinned_);
  decision.allowed = decision.rule != nullptr;
  if (!decision.allowed) decision.sentence = refusals::unknown_principal(*pinned_);
  return decision;
}

bool Session::take_attach_rate(std::uint64_t request, const AttachDecision& decision) {
  if (by_host_) return true;
  const PrincipalRule& rule = *decision.rule;
  {
    const std::lock_guard lock(state_.mutex);
    if (state_.attach_rates.take(decision.payer, attach_rate_of(rule), 1, state_.clock()) ==
        RateOutcome::within)
      return true;
  }
  refuse_attach(request, ErrorCode::rate_limited,
                refusals::attach_rate(decision.payer, rule.quota.attaches_per_minute));
  return false;
}

// R32: charged before anything is allocated for the guest.
bool Session::charge_attach(std::uint64_t request, const AttachDecision& decision) {
  if (!take_attach_rate(request, decision)) return false;
  std::string sentence;
  {
    const std::lock_guard lock(state_.mutex);
    auto account = state_.quotas.account_of(decision.payer, quota_of(*decision.rule));
    auto charged = account->charge({.guests = 1, .descriptors = 1});
    if (auto* charge = std::get_if<QuotaCharge>(&charged)) {
      attach_charge_ = std::move(*charge);
      return true;
    }
    sentence = refusals::quota(std::get<QuotaRefusal>(charged));
  }
  refuse_attach(request, ErrorCode::quota_exceeded, sentence);
  return false;
}

// Whoever the policy lists by a number that stands for many would be all of them.
bool Session::check_connector(std::uint64_t request) {
  if (pinned_ || says_who(IdentityKind::user, connector_.uid)) return true;
  refuse_attach(request, ErrorCode::denied, refusals::unknown_user(connector_.uid));
  return false;
}

void Session::on_mint(const control::Mint& packet) {
  if (!bounded(packet.principal)) return violate("sent a text longer than its field");
  if (!check_connector(packet.header.request)) return;
  AttachDecision decision;
  {
    const std::lock_guard lock(state_.mutex);
    decision =
        state_.policy->decide_mint({connector_.uid, connector_.gid}, packet.principal.view());
  }
  if (!decision.allowed)
    return refuse_attach(packet.header.request, decision.code, decision.sentence);
  if (!charge_attach(packet.header.request, decision)) return;
  pinned_ = decision.principal;
  principal_ = decision.principal;
  stage_ = Stage::minted;
  answer_done(packet.header.request);
}

bool Session::check_hello(const control::Hello& packet) {
  const std::uint64_t request = packet.header.request;
  if (packet.protocol_version != control::kProtocolVersion) {
    refuse_attach(request, ErrorCode::wrong_version,
                  "the guest speaks protocol version " + std::to_string(packet.protocol_version) +
                      ", this broker version " + std::to_string(control::kProtocolVersion) +
                      ": use programs of one fairlead release");
    return false;
  }
  if (packet.layout_hash != shm::kLayoutHash) {
    refuse_attach(request, ErrorCode::wrong_layout,
                  "the guest was built with another struct layout than this broker: use programs "
                  "of one fairlead release and architecture");
    return false;
  }
  if (packet.capsule == shm::Uuid{}) {
    refuse_attach(request, ErrorCode::invalid_argument,
                  "the capsule's UUID is all zero: give the guest one of its own");
    return false;
  }
  return true;
}

void Session::on_hello(const control::Hello& packet,
                       const std::optional<shm::PeerCredentials>& sender) {
  if (!bounded(packet.principal) || !bounded(packet.program))
    return violate("sent a text longer than its field");
  if (!check_hello(packet) || !check_connector(packet.header.request)) return;
  AttachDecision decision;
  {
    const std::lock_guard lock(state_.mutex);
    decision = decide(packet.principal.view());
  }
  if (!decision.allowed)
    return refuse_attach(packet.header.request, decision.code, decision.sentence);
  const Return back = claims_token(packet, decision);
  if (back == Return::too_late)
    return leave(Farewell::hang_up, "was replaced by a later connection of its guest");
  const bool resumed = back == Return::resumes || back == Return::resumes_once_more;
  if (back == Return::resumes_once_more && !take_attach_rate(packet.header.request, decision))
    return;
  if (!resumed && stage_ != Stage::minted && !charge_attach(packet.header.request, decision))
    return;

  auto guest = std::make_unique<Guest>();
  guest->principal = decision.principal;
  guest->payer = decision.payer;
  guest->pinned = pinned_;
  guest->peer = {connector_.uid, connector_.gid};
  guest->by_host = by_host_;
  // The kernel's word on who sent the hello, which may be another process than the one that
  // connected (a keeper); without it, who connected.
  const bool known = sender && sender->pid > 0;
  guest->process = known ? sender->pid : connector_.pid;
  guest->user = known ? sender->uid : connector_.uid;
  guest->capsule = packet.capsule;
  guest->program = packet.program.view();
  guest->rule = decision.rule;
  shm::UniqueFd process = std::move(connector_process_);
  if (guest->process != connector_.pid) process = open_process(guest->process);
  guest->facts = gather_facts_of(process, guest->process, guest->user);
  guest->boundary = judge_boundary(guest->facts, shm::Backing::sealed);
  // We are trusted, and would have to wait for our own end.
  if (guest->process != ::getpid()) process_ = std::move(process);
  costly_ = true;
  principal_ = guest->principal;
  ResumeToken token = make_resume_token();
  if (resumed)
    std::copy(std::begin(packet.resume_token), std::end(packet.resume_token), token.begin());
  enter(std::move(guest), token);
  stage_ = Stage::attached;
  // Only this thread removes guests, so it stays while we use it.
  const Guest& attached = [&]() -> const Guest& {
    const std::lock_guard lock(state_.mutex);
    return *state_.find_guest(guest_);
  }();
  log(LogLevel::info,
      std::string(resumed ? "came back: pid " : "attached: pid ") +
          std::to_string(attached.process) + ", uid " + std::to_string(attached.user) +
          ", capsule " + to_string(attached.capsule) + ", boundary " +
          (attached.boundary.boundary == shm::Boundary::enforced ? "enforced" : "cooperative") +
          " (" + attached.boundary.sentence + ")");
  welcome(packet.header.request, attached, resumed);
}

// Of two connections of one guest the later one counts: the earlier one was given up, and what it
// said may be read late. It is ended before, as any other: with what its process may still map.
Session::Return Session::claims_token(const control::Hello& packet,
                                      const AttachDecision& decision) {
  ResumeToken token{};
  std::copy(std::begin(packet.resume_token), std::end(packet.resume_token), token.begin());
  GuestId replaced = 0;
  {
    const std::lock_guard lock(state_.mutex);
    const Guest* guest = state_.find_by_token(token);
    if (guest == nullptr || guest->principal != decision.principal) return Return::none;
    if (guest->connection > connection_) return Return::too_late;
    if (!guest->away) replaced = guest->id;
  }
  if (replaced != 0) end_session_of_(replaced);
  const std::lock_guard lock(state_.mutex);
  Guest* guest = state_.find_by_token(token);
  if (guest == nullptr || !guest->away) return Return::none;
  return std::exchange(guest->returned, true) ? Return::resumes_once_more : Return::resumes;
}

// As a new guest; or as the one with that token, who keeps its routes, gates and charges.
void Session::enter(std::unique_ptr<Guest> guest, const ResumeToken& token) {
  const std::lock_guard lock(state_.mutex);
  Guest* away = state_.find_by_token(token);
  guest->token = token;
  guest->connection = connection_;
  if (away == nullptr) {
    guest->charge = std::move(attach_charge_);
    guest_ = state_.add_guest(std::move(guest));
    return;
  }
  attach_charge_.release();
  away->away = false;
  away->connection = connection_;
  away->payer = guest->payer;
  away->pinned = guest->pinned;
  away->peer = guest->peer;
  away->by_host = guest->by_host;
  away->process = guest->process;
  away->user = guest->user;
  away->program = guest->program;
  away->rule = guest->rule;
  away->facts = guest->facts;
  away->boundary = guest->boundary;
  guest_ = away->id;
}

void Session::welcome(std::uint64_t request, const Guest& guest, bool resumed) {
  auto packet = make_packet<control::Welcome>(control::Kind::welcome, request);
  packet.guest = guest.id;
  packet.epoch = state_.table.epoch();
  packet.boundary = guest.boundary.boundary;
  packet.resumed = resumed ? 1 : 0;
  packet.broker.assign(state_.options.name);
  packet.principal.assign(guest.principal);
  assign_cut(packet.boundary_reason, guest.boundary.sentence);
  std::copy(guest.token.begin(), guest.token.end(), packet.resume_token);
  send(bytes_of(packet));
}

}  // namespace fairlead::broker

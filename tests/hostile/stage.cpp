#include "stage.hpp"

#include <cstring>

#include <fairlead/shm/layout/outbox_layout.hpp>

namespace fairlead::hostile {

using shm::EvictionPolicy;

namespace {

constexpr broker::GuestId kHonestGuest = 1;
constexpr std::uint64_t kRing = 4'096;
constexpr std::size_t kHonestRoutes = 2;

}  // namespace

Stage::Stage(Choices& choices)
    : choices_(choices),
      tampering_(choices),
      service_(delivery_, *this, {.spin_nanoseconds = 100'000}, [this] { return now_; }) {
  const auto add = [this](RouteMemory& memory) {
    return delivery_.add(std::make_unique<broker::Route>(
        memory.segment(), memory.cursor_bytes().data(), std::make_shared<broker::Gate>(true), -1));
  };
  // Hostile routes are served before and after honest ones.
  honest_.push_back(std::make_unique<HonestGuest>());
  add(honest_.back()->memory());
  for (const auto policy :
       {EvictionPolicy::oldest_head, EvictionPolicy::fair_share, EvictionPolicy::reject})
    hostile_.push_back(make_hostile(policy));
  honest_.push_back(std::make_unique<HonestGuest>());
  add(honest_.back()->memory());
  honest_writer_ = {add_outbox(kHonestGuest, kHonestPrincipal, kHonestOutbox).data(), kRing};
  hostile_guest_ = kHonestGuest;
  add_hostile_outbox();
}

Stage::~Stage() = default;

// ---- who is on the stage -----------------------------------------------------------------------

std::unique_ptr<Stage::HostileRoute> Stage::make_hostile(EvictionPolicy policy) {
  const bool small = choices_.below(2) == 0;
  auto made =
      std::make_unique<HostileRoute>(RouteSettings{.policy = policy,
                                                   .budget = small ? 2'500U : 60'000U,
                                                   .cap = small ? 192U * 1024 : 128U * 1024,
                                                   .lanes = choices_.below(2) == 0 ? 64U : 128U});
  HostileRoute& hostile = *made;
  hostile.id = delivery_.add(std::make_unique<broker::Route>(
      hostile.memory.segment(), hostile.memory.cursor_bytes().data(),
      std::make_shared<broker::Gate>(true), -1));
  hostile.route = delivery_.find(hostile.id);
  constexpr std::uint64_t kRarity[] = {10, 300, 10'000};
  constexpr std::uint64_t kIdleness[] = {1, 10, 1'000};
  hostile.takes_one_in = kIdleness[choices_.below(3)];
  tampering_.watch({hostile.memory.cursor_bytes(), cursor_word,
                    [this, &hostile](std::size_t offset) -> std::optional<std::uint64_t> {
                      const auto lane = RouteMemory::head_at(offset);
                      if (!lane) return std::nullopt;
                      return RouteMemory::plausible_head(hostile.route->writer(), *lane, choices_,
                                                         hostile.takes_one_in);
                    },
                    kRarity[choices_.below(3)]});
  return made;
}

std::span<std::byte> Stage::add_outbox(broker::GuestId guest, const char* principal,
                                       std::uint64_t id) {
  broker::NewOutbox made =
      broker::create_outbox(stamp_, {guest, principal, {}, id}, kRing, shm::Backing::sealed);
  const std::span<std::byte> memory = made.outbox->memory.bytes();
  service_.add(std::move(made.outbox));
  return memory;
}

void Stage::add_hostile_outbox() {
  ++hostile_guest_;
  hostile_outbox_ = add_outbox(hostile_guest_, kHostilePrincipal, hostile_guest_);
  hostile_writer_ = {hostile_outbox_.data(), kRing};
  tampering_.watch({hostile_outbox_, outbox_word,
                    [this](std::size_t offset) -> std::optional<std::uint64_t> {
                      if (offset >= shm::kOutboxRingOffset) return 0;  // a record, as it is
                      return hostile_writer_.tail();
                    },
                    choices_.below(2) == 0 ? 10U : 200U});
}

std::string Stage::some_principal() { return "p" + std::to_string(choices_.below(120)); }

std::uint64_t Stage::consumed_of(broker::GuestId guest) const {
  return service_.find(guest)->reader.position();
}

// ---- the broker --------------------------------------------------------------------------------

void Stage::publish() {
  const std::uint64_t bytes = choices_.below(choices_.one_in(20) ? 3'000 : 120);
  const std::uint64_t sequence = delivery_.next_sequence();
  const std::vector<std::byte> payload = content_of(sequence, bytes);
  const broker::PublishReport report =
      delivery_.publish(some_principal(), "t", payload, kHostOutbox, sequence, now_);
  require(report.sequence == sequence, "a publish was refused as a whole");
  require(report.taken + report.refused == report.matched, "a report does not add up");
  require(report.matched == honest_.size() + hostile_.size(), "a route was left out");
  for (auto& honest : honest_) honest->expect(sequence, bytes);
}

void Stage::loan() {
  broker::Route& route = *some_hostile().route;
  const std::string principal = some_principal();
  const auto room = route.reserve(principal, choices_.below(1'000), 1);
  if (!room) return;
  if (choices_.below(2) == 0) return route.cancel(*room);
  const std::uint64_t sequence = delivery_.take_sequence();
  (void)route.commit(principal, *room, {sequence, now_, kHostOutbox, sequence}, "t");
}

void Stage::look() {
  broker::Route& route = *some_hostile().route;
  if (choices_.below(2) == 0) return route.maintain();
  (void)route.full_for(some_principal(), 1 + choices_.below(2'000));
}

void Stage::serve() {
  service_.poll();
  service_.serve(1 + choices_.below(4));
  for (const broker::OutboxService::Violation& each : service_.take_violations()) {
    require(each.guest == hostile_guest_, "an honest guest is blamed");
    ++tally_.violated;
    tampering_.forget(hostile_outbox_.data());
    service_.remove(hostile_guest_);
    add_hostile_outbox();
  }
}

// A poisoned route is left alone: nothing is taken for it, nothing of it is read.
void Stage::replace_poisoned() {
  for (auto& hostile : hostile_) {
    if (!hostile->route->poisoned()) continue;
    ++tally_.poisoned;
    std::byte* const cursors = hostile->memory.cursor_bytes().data();
    const std::uint64_t loads = tampering_.loads_of(cursors);
    const std::uint64_t published = hostile->memory.counters().published;
    publish();
    hostile->route->maintain();
    (void)hostile->route->full_for("p1", 1);
    hostile->route->close(shm::RouteState::closed);
    require(tampering_.loads_of(cursors) == loads, "a poisoned route's cursors were read");
    require(hostile->memory.counters().published == published, "a poisoned route took a message");
    tally_.evicted += hostile->memory.counters().evicted;
    const EvictionPolicy policy = hostile->memory.settings().policy;
    delivery_.remove(hostile->id);
    tampering_.forget(cursors);
    hostile = make_hostile(policy);
  }
}

broker::Refusal Stage::check(const broker::OutboxOwner&, std::string_view, std::uint64_t,
                             std::uint64_t, bool) noexcept {
  return broker::Refusal::none;
}

void Stage::published(const broker::OutboxOwner& owner, const broker::PublishReport& report,
                      std::uint64_t) noexcept {
  if (owner.guest != kHonestGuest) return;
  ++acknowledged_;
  if (report.taken < kHonestRoutes || report.sequence == 0) acknowledged_wrongly_ = true;
}

// ---- guests ------------------------------------------------------------------------------------

void Stage::publish_as_honest_guest() {
  const std::vector<std::byte> payload =
      content_of(honest_writer_.number() + 1, choices_.below(400));
  if (honest_writer_.write(consumed_of(kHonestGuest), payload, "t")) service_.kicked(kHonestGuest);
}

void Stage::publish_as_hostile_guest() {
  const std::vector<std::byte> payload(choices_.below(400), std::byte{'h'});
  (void)hostile_writer_.write(consumed_of(hostile_guest_), payload,
                              choices_.one_in(8) ? "no..topic" : "h.topic");
  service_.kicked(hostile_guest_);
}

void Stage::scribble() {
  const bool outbox = choices_.one_in(4);
  HostileRoute& hostile = some_hostile();
  const std::span<std::byte> memory = outbox ? hostile_outbox_ : hostile.memory.cursor_bytes();
  const std::size_t offset = choices_.below(memory.size() / 8) * 8;
  std::uint64_t word = 0;
  std::memcpy(&word, memory.data() + offset, sizeof word);
  word = tampering_.nonsense(word);
  const auto lane = outbox ? std::nullopt : RouteMemory::head_at(offset);
  if (lane && !choices_.one_in(100)) return;
  if (outbox && offset < shm::kOutboxRingOffset && !choices_.one_in(20)) return;
  std::memcpy(memory.data() + offset, &word, sizeof word);
}

// ---- all of it ---------------------------------------------------------------------------------

void Stage::operate() {
  switch (choices_.below(16)) {
    case 0:
      return loan();
    case 1:
      return look();
    case 2:
    case 3:
    case 4:
      return scribble();
    case 5:
    case 6:
      return publish_as_honest_guest();
    case 7:
      return publish_as_hostile_guest();
    case 8:
    case 9:
      return serve();
    case 10:
    case 11:
      return honest_[choices_.below(honest_.size())]->drain(1 + choices_.below(64));
    default:
      return publish();
  }
}

void Stage::step() {
  operate();
  replace_poisoned();
  check();
  now_ += 20'000;
}

void Stage::check() {
  for (auto& hostile : hostile_) hostile->memory.check();
  for (auto& honest : honest_) {
    honest->memory().check();
    const shm::RouteCounters& counters = honest->memory().counters();
    require(counters.evicted == 0 && counters.refused == 0, "an honest route paid for another");
  }
  require(!acknowledged_wrongly_, "a message was acknowledged that honest routes do not have");
}

void Stage::finish() {
  for (int turns = 0; acknowledged_ < honest_writer_.number(); ++turns) {
    require(turns < 1'000, "the honest guest's messages are not served");
    service_.kicked(kHonestGuest);
    serve();
    now_ += 20'000;
  }
  for (auto& honest : honest_) {
    while (honest->memory().counters().queued != 0) {
      honest->drain(1'000);
      delivery_.for_each([](broker::RouteId, broker::Route& route) { route.maintain(); });
    }
    honest->expect_complete(honest_writer_.number());
  }
  replace_poisoned();
  check();
}

Stage::Tally Stage::tally() const {
  Tally tally = tally_;
  tally.loads = tampering_.loads();
  tally.by_word = tampering_.loads_by_word();
  for (const auto& hostile : hostile_) tally.evicted += hostile->memory.counters().evicted;
  for (const auto& honest : honest_) {
    tally.delivered += honest->delivered();
    tally.of_the_hostile += honest->of_the_hostile();
  }
  return tally;
}

}  // namespace fairlead::hostile

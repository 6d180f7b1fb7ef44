#include "party.hpp"

#include <chrono>

#include <fairlead/shm/error.hpp>

namespace fairlead::test {
namespace {

constexpr int kAttempts = 3;

}  // namespace

std::string numbered_payload(int number, std::size_t bytes) {
  std::string payload = std::to_string(number) + ' ';
  payload.reserve(bytes);
  while (payload.size() < bytes)
    payload += static_cast<char>('a' + (payload.size() + static_cast<std::size_t>(number)) % 26);
  return payload;
}

std::chrono::nanoseconds Party::patience() const {
  return std::chrono::milliseconds(enough_ ? 10'000 : 300);
}

void Party::suffer(const std::string& name, const std::string& why) {
  sufferers_.insert(name + ": " + why);
}

// Where there is too little for two, the others are not asked.
bool Party::given_up() const { return !enough_ && sufferers_.size() > 1; }

bool Party::attempt(const std::string& name, const std::function<void()>& step) {
  if (given_up()) return false;
  for (int tries = 1; tries <= (enough_ ? kAttempts : 1); ++tries) {
    try {
      step();
      return true;
    } catch (const Error& error) {
      suffer(name, error.what());
    }
  }
  if (enough_) problems_.push_back(name + " cannot come back");
  return false;
}

guest::Guest Party::attach(const std::string& name) {
  guest::Guest guest = guest::Guest::attach(
      {.socket_path = socket_path_, .principal = name, .program = name, .timeout = patience()});
  welcomed_ = true;
  return guest;
}

void Party::begin(Reader& reader) {
  reader.route.reset();
  reader.guest.reset();
  reader.guest = attach(reader.name);
  reader.route = reader.guest->subscribe("news.*", reader.options);
  if (reader.options.staged) reader.guest->open_gate();
}

void Party::add_reader(const std::string& name, const guest::SubscribeOptions& options) {
  auto reader = std::make_unique<Reader>(Reader{.name = name, .options = options});
  if (attempt(name, [&] { begin(*reader); })) readers_.push_back(std::move(reader));
}

void Party::begin_writing() {
  publisher_.reset();
  writer_.reset();
  writer_ = attach("writer");
  publisher_ = writer_->publisher();
}

void Party::add_writer() {
  attempt("writer", [this] { begin_writing(); });
}

// A reader that lost its connection comes back, and has missed this message.
void Party::expect(Reader& reader, const std::string& payload) {
  using guest::WaitOutcome;
  if (!reader.route) return;  // it could not come back
  WaitOutcome waited = WaitOutcome::interrupted;
  while (waited == WaitOutcome::interrupted) waited = reader.route->wait(patience());
  const guest::Batch batch = reader.route->drain();
  const auto come_back = [&](const std::string& why) {
    suffer(reader.name, why);
    attempt(reader.name, [&] { begin(reader); });
  };
  if (batch.empty()) return come_back("drain: " + std::string(to_string(batch.outcome())));
  if (batch.size() != 1 || batch.front().text() != payload || batch.front().lost_messages() != 0)
    problems_.push_back(reader.name + " got something else than was published");
}

void Party::publish(std::size_t bytes) {
  if (!publisher_ || given_up()) return;
  const std::string payload = numbered_payload(++number_, bytes);
  const guest::PublishOutcome outcome =
      publisher_->publish("news.today", payload, {.wait_for_receipt = patience()});
  if (outcome.status != guest::PublishStatus::acknowledged) {
    suffer("writer", "publish: " + std::string(to_string(outcome.status)));
    if (enough_ && outcome.status == guest::PublishStatus::pending)
      problems_.push_back("no receipt came");
    // It may have been taken or not; readers begin anew, so that they know where they are.
    attempt("writer", [this] { begin_writing(); });
    for (const auto& reader : readers_) attempt(reader->name, [&] { begin(*reader); });
    return;
  }
  if (outcome.refused > 0) {
    suffer("writer", "refused: " + std::string(guest::to_string(outcome.reason)));
    for (const auto& reader : readers_) attempt(reader->name, [&] { begin(*reader); });
    return;
  }
  for (const auto& reader : readers_) {
    if (!given_up()) expect(*reader, payload);
  }
}

void Party::visitor(const std::string& name, const std::function<void(guest::Guest&)>& visit) {
  attempt(name, [&] {
    guest::Guest guest = attach(name);
    visit(guest);
  });
}

void Party::leave() {
  for (const auto& reader : readers_) {
    try {
      if (!reader->guest || !reader->route) continue;
      reader->guest->unsubscribe(std::move(*reader->route));
      reader->route.reset();
      if (!reader->guest->connected()) throw Error(ErrorCode::disconnected, "lost its connection");
    } catch (const Error& error) {
      suffer(reader->name, error.what());
    }
  }
  readers_.clear();
  publisher_.reset();
  writer_.reset();
}

}  // namespace fairlead::test

#include "honest.hpp"

#include <time.h>

#include <map>
#include <stdexcept>
#include <vector>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/clock.hpp>

namespace fairlead::hostile_processes {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kWindow = 64;  // messages that nobody has seen yet

void require(bool holds, const std::string& sentence) {
  if (!holds) throw std::runtime_error(sentence);
}

std::string honest_name(std::size_t publisher) { return "honest." + std::to_string(publisher); }

std::size_t content_bytes(std::size_t publisher, std::uint64_t number) {
  const std::uint64_t mixed = (number * 2'654'435'761U + publisher * 40'503U) >> 4;
  return is_shared(number) || number % 51 != 0 ? mixed % 1'500 : mixed % 60'000;
}

std::byte content_byte(std::size_t publisher, std::uint64_t number, std::size_t index) {
  return static_cast<std::byte>((number * 131 + publisher * 17 + index * 7) & 0xff);
}

// A pause of a load that has its pace, and of one that waits for room.
void pause_for(std::chrono::nanoseconds time) {
  const timespec request{0, static_cast<long>(time.count())};
  ::nanosleep(&request, nullptr);
}

class Checker {
 public:
  Checker(std::size_t index, SubscriberProgress& progress) : index_(index), progress_(progress) {}

  void see(const guest::Message& message) {
    for (std::size_t publisher = 0; publisher < kPublishers; ++publisher) {
      if (message.principal() == honest_name(publisher)) return see_honest(message, publisher);
    }
    see_intruder(message);
  }

 private:
  void see_honest(const guest::Message& message, std::size_t publisher) {
    const std::uint64_t number = message.publish_number();
    const std::string who = honest_name(publisher) + "'s message " + std::to_string(number) +
                            ", subscriber " + std::to_string(index_) + ": ";
    auto& seen = progress_.seen[publisher];
    const std::uint64_t expected = seen == 0 ? (is_shared_route() ? 2 : 1) : seen + 2;
    require(number == expected, who + "not the next one, which is " + std::to_string(expected));
    require(message.lost_messages() == 0, who + "something was lost before it");
    require(message.topic() == (is_shared_route() ? "shared.stream" : "h.stream"), who + "topic");
    require(message.payload().size() == content_bytes(publisher, number), who + "size");
    for (std::size_t byte = 0; byte < message.payload().size(); ++byte) {
      if (message.payload()[byte] == content_byte(publisher, number, byte)) continue;
      throw std::runtime_error(who + "byte " + std::to_string(byte) + " has changed");
    }
    seen.store(number);
    ++progress_.delivered;
    const std::uint64_t now = shm::monotonic_ns();
    progress_.deliveries.add(now - std::min(now, message.published_nanoseconds()));
  }

  void see_intruder(const guest::Message& message) {
    require(is_shared_route(), "a stranger's message where no stranger may publish");
    require(message.principal().starts_with("evil."), "a message of nobody whom we know");
    require(message.topic().starts_with("shared."), "a stranger's message under another topic");
    std::uint64_t& newest = newest_[std::string(message.principal())];
    require(message.sequence() > newest, "a lane's sequence numbers do not grow");
    newest = message.sequence();
    ++progress_.of_intruders;
  }

  [[nodiscard]] bool is_shared_route() const noexcept { return index_ == kSharedSubscriber; }

  std::size_t index_;
  SubscriberProgress& progress_;
  std::map<std::string, std::uint64_t> newest_;  // sequence, by intruder
};

bool window_is_open(const Page& page, std::size_t publisher, std::uint64_t number) {
  if (number <= kWindow) return true;
  for (std::size_t subscriber = 0; subscriber < kSubscribers; ++subscriber) {
    if (!has_seen(page, subscriber, publisher, number - kWindow)) return false;
  }
  return true;
}

}  // namespace

void publish_honestly(const std::string& socket, std::size_t index, Page& page) {
  auto guest = guest::Guest::attach(
      {.socket_path = socket, .principal = honest_name(index), .timeout = 30s});
  auto publisher = guest.publisher();
  std::vector<std::byte> content;
  for (std::uint64_t number = 1; !page.stop_publishers; ++number) {
    const std::uint64_t begun = shm::monotonic_ns();
    while (!window_is_open(page, index, number)) {
      if (page.failed) return;
      require(shm::monotonic_ns() - begun < 30'000'000'000,
              honest_name(index) + " waits for subscribers without end");
      pause_for(100us);
    }
    content.resize(content_bytes(index, number));
    for (std::size_t byte = 0; byte < content.size(); ++byte)
      content[byte] = content_byte(index, number, byte);
    const std::uint64_t before = shm::monotonic_ns();
    const auto outcome = publisher.publish(is_shared(number) ? "shared.stream" : "h.stream",
                                           content, {.wait_for_receipt = 30s});
    page.publishers[index].receipts.add(shm::monotonic_ns() - before);
    const std::string who = honest_name(index) + "'s message " + std::to_string(number) + ": ";
    require(outcome.status == guest::PublishStatus::acknowledged,
            who + std::string(to_string(outcome.status)));
    require(outcome.number == number, who + "has another number");
    require(outcome.taken >= (is_shared(number) ? 1U : 2U), who + "not taken by honest routes");
    page.publishers[index].published.store(number);
    pause_for(200us);
  }
}

void subscribe_honestly(const std::string& socket, std::size_t index, Page& page,
                        const std::function<void()>& subscribed) {
  const bool shared = index == kSharedSubscriber;
  auto guest = guest::Guest::attach({.socket_path = socket,
                                     .principal = "honest.reader" + std::to_string(index),
                                     .timeout = 30s});
  auto route = guest.subscribe(
      shared ? "shared.*" : "h.*",
      {.eviction = shared ? shm::EvictionPolicy::fair_share : shm::EvictionPolicy::reject,
       .budget_bytes = shared ? 1U << 20 : 8U << 20,
       .lanes = 64});
  subscribed();
  Checker checker(index, page.subscribers[index]);
  while (!page.stop_subscribers && !page.failed) {
    const auto waited = route.wait(2s);
    require(waited == guest::WaitOutcome::ready || waited == guest::WaitOutcome::timeout,
            "an honest route ends: " + std::string(to_string(waited)));
    const auto batch = route.drain();
    require(batch.outcome() == guest::DrainOutcome::messages ||
                batch.outcome() == guest::DrainOutcome::empty,
            "an honest route cannot be drained: " + std::string(to_string(batch.outcome())));
    require(shared || batch.ended_loss().messages == 0, "an honest route lost a lane");
    for (const auto& message : batch) checker.see(message);
  }
}

}  // namespace fairlead::hostile_processes

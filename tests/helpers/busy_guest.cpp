// Does all that a guest can do, at the broker whose socket is its one argument: exit 0 and "all
// done" when all was as it should be, else exit 1 and one line.
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fairlead/guest/guest.hpp>

namespace {

using namespace fairlead;
using guest::Batch;

constexpr auto kPatience = std::chrono::seconds(10);

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::protocol, what); }

void publish(guest::Publisher& publisher, const std::string& text) {
  const auto outcome = publisher.publish("busy.x", text, {.wait_for_receipt = kPatience});
  if (!outcome.complete() || outcome.taken == 0)
    fail("publish: " + std::string(to_string(outcome.status)) + ", " +
         std::string(guest::to_string(outcome.reason)));
}

guest::WaitOutcome wait(guest::Subscription& route, std::chrono::nanoseconds most) {
  guest::WaitOutcome waited = guest::WaitOutcome::interrupted;
  while (waited == guest::WaitOutcome::interrupted) waited = route.wait(most);
  return waited;
}

Batch expect(guest::Subscription& route, const std::string& text) {
  (void)wait(route, kPatience);
  Batch batch = route.take();
  if (batch.size() != 1 || batch.front().text() != text)
    fail("drain: " + std::string(to_string(batch.outcome())));
  return batch;
}

void expect_readable(const guest::Subscription& route) {
  pollfd entry{route.descriptor(), POLLIN, 0};
  int ready = -1;
  while (ready < 0) ready = ::poll(&entry, 1, 10'000);
  if (ready != 1) fail("the descriptor does not become readable");
}

void work(const std::string& socket) {
  auto self = guest::Guest::attach({.socket_path = socket, .timeout = kPatience});
  auto named = self.subscribe("busy.*", {.backing = guest::Backing::named, .descriptor = true});
  auto sealed = self.subscribe("busy.*", {.backing = guest::Backing::sealed, .staged = true});
  auto publisher = self.publisher();
  if (!named.drain().empty()) fail("something is there");
  publish(publisher, "before the gate");
  expect_readable(named);
  (void)expect(named, "before the gate");
  if (wait(sealed, std::chrono::milliseconds(1)) != guest::WaitOutcome::timeout)
    fail("a staged route got something");
  self.open_gate();
  publish(publisher, "behind the gate");
  const auto kept = named.keep(expect(named, "behind the gate").front());
  if (!kept) fail("nothing was kept");
  {
    auto worker = guest::Subscription::from_descriptors(sealed.share());
    (void)expect(worker, "behind the gate");
  }
  self.unsubscribe(std::move(sealed));
  publish(publisher, std::string(100'000, 'x'));
  (void)expect(named, std::string(100'000, 'x'));
  if (kept->message().text() != "behind the gate") fail("what was kept has changed");
  if (publisher.flush(kPatience) != guest::FlushOutcome::done) fail("flush");
  self.retire_gate();
  self.unsubscribe(named);
  if (!self.connected()) fail("the connection is gone");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  try {
    work(arguments[1]);
    constexpr std::string_view kDone = "all done\n";
    ssize_t written = -1;
    do {
      written = ::write(STDOUT_FILENO, kDone.data(), kDone.size());
    } while (written < 0 && errno == EINTR);
    return written == static_cast<ssize_t>(kDone.size()) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "busy_guest: %s\n", error.what());
    return 1;
  }
}

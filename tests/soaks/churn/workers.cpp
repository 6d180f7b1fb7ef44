// Those who come and go, and those who stay.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <functional>
#include <new>
#include <random>
#include <stdexcept>
#include <thread>

#include <fairlead/guest/guest.hpp>
#include <fairlead/shm/error.hpp>

#include "cycle.hpp"
#include "state.hpp"
#include "support/child_process.hpp"
#include "support/numbered_message.hpp"
#include "support/stream_account.hpp"

namespace fairlead::test::churn {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kResidentStream = 1;
constexpr std::uint64_t kResidentSeed = 1;
constexpr std::size_t kResidentPayloadBytes = 4'096;
constexpr std::chrono::milliseconds kBetweenResidentMessages{2};
constexpr const char* kResidentTopic = "resident.stream";

// Cycles until the end; between two of them it rests when it is told to.
void repeat(State& state, const std::function<void()>& cycle) {
  while (!state.end) {
    if (!state.rest) {
      cycle();
      continue;
    }
    ++state.resting;
    while (state.rest && !state.end) std::this_thread::sleep_for(1ms);
    --state.resting;
  }
}

void collect(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw_system("waitpid");
  }
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (status != 0 && !killed) throw std::runtime_error("a guest ended by itself");
}

guest::Guest attach_resident(const std::string& socket, const std::string& name) {
  guest::AttachOptions options;
  options.socket_path = socket;
  options.principal = "agent." + name;
  options.program = name;
  options.timeout = 60s;
  return guest::Guest::attach(std::move(options));
}

}  // namespace

State& make_state() {
  void* const memory =
      ::mmap(nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw_system("mmap");
  return *new (memory) State;
}

void churn_in_one_process(State& state, const Place& place) {
  std::mt19937_64 random(place.seed);
  std::uint64_t name = place.worker << 40;
  repeat(state, [&] { run_cycle(state, {place.socket, ++name, false}, random); });
}

void churn_and_die(State& state, const Place& place) {
  std::mt19937_64 random(place.seed);
  std::uint64_t name = place.worker << 40;
  repeat(state, [&] {
    ++name;
    const std::uint64_t choices = random();
    const auto life = random() % 3'000 * 1us;
    const bool dies = random() % 2 == 0;
    const pid_t child = ::fork();
    if (child < 0) throw_system("fork");
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        std::mt19937_64 own(choices);
        run_cycle(state, {place.socket, name, true}, own);
        ::_exit(0);
      } catch (const std::exception& error) {
        state.fail(std::string("a guest in a process of its own: ") + error.what());
        ::_exit(1);
      }
    }
    if (dies) {
      std::this_thread::sleep_for(life);
      if (send_signal(child, SIGKILL)) ++state.sudden_deaths;
    }
    collect(child);
  });
}

void stay_and_publish(State& state, const Place& place) {
  guest::Guest guest = attach_resident(place.socket, "publisher");
  // Small, so that all of it was touched long before the warm-up ends.
  guest::Publisher publisher = guest.publisher({.ring_bytes = 65'536});
  NumberedMessages messages(kResidentSeed, kResidentPayloadBytes);
  for (std::uint64_t number = 1; !state.end; ++number) {
    const auto outcome = publisher.publish(kResidentTopic, messages.make({kResidentStream, number}),
                                           {.block_for = 60s, .wait_for_receipt = 60s});
    if (!outcome.complete()) {
      throw std::runtime_error("its publish was " + std::string(to_string(outcome.status)));
    }
    std::this_thread::sleep_for(kBetweenResidentMessages);
  }
}

void stay_and_check(State& state, const Place& place) {
  guest::Guest guest = attach_resident(place.socket, "reader");
  // Always full: each message evicts one.
  const guest::Subscription undrained = guest.subscribe("resident.*", {.budget_bytes = 65'536});
  NumberedMessages messages(kResidentSeed, kResidentPayloadBytes);
  StreamAccount account;
  guest::Subscription reader = guest.subscribe("resident.stream");
  std::uint64_t newest = 0;
  while (!state.end) {
    (void)reader.wait(100ms);
    const guest::Batch batch = reader.drain();
    for (const guest::Message& message : batch.messages()) {
      const auto found = messages.read(message.payload());
      if (!found || found->stream != kResidentStream) {
        throw std::runtime_error("a message was not what its publisher wrote");
      }
      // The stream may have begun before the route.
      if (newest == 0) account.add_older_stream(kResidentStream, {}, {0, found->number - 1});
      newest = found->number;
      const std::string problem =
          account.take(kResidentStream, found->number, message.lost_messages(), found->number);
      if (!problem.empty()) throw std::runtime_error(problem);
      state.resident_messages.fetch_add(1, std::memory_order_relaxed);
      state.resident_losses.fetch_add(message.lost_messages(), std::memory_order_relaxed);
    }
    if (const std::string problem = account.check(); !problem.empty()) {
      throw std::runtime_error(problem);
    }
  }
}

}  // namespace fairlead::test::churn

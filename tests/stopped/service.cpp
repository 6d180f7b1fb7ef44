#include "service.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include "stage_with_guests.hpp"

namespace fairlead::test {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::uint32_t kPrincipals = 12;

std::uint64_t milliseconds_since(Clock::time_point begin) {
  return static_cast<std::uint64_t>((Clock::now() - begin) / 1ms);
}

// Some publish a lot, most little.
void publish_burst(broker::Broker& broker, std::mt19937_64& random, std::uint32_t& index) {
  std::vector<std::byte> payload;
  for (std::uint64_t count = 20 + random() % 60; count > 0; --count) {
    const std::uint64_t principal = random() % 3 == 0 ? random() % kPrincipals : random() % 2;
    payload.resize(sizeof index + random() % 1'500);
    std::memcpy(payload.data(), &index, sizeof index);
    for (std::size_t byte = sizeof index; byte < payload.size(); ++byte)
      payload[byte] = static_cast<std::byte>(index * 7 + byte);
    (void)broker.publish("p" + std::to_string(principal), "s.load", payload);
    ++index;
  }
}

std::string play(WayToStop* way, std::uint64_t seed, std::uint64_t bursts, ServiceResult& result) {
  StageWithGuests stage(way == nullptr ? 0 : kOthers, "*", seed, false);
  if (way != nullptr) {
    if (!stage.wait_until_busy()) return "the other guests do not work";
    const std::string failure = way->stop(stage.other_processes());
    if (!failure.empty()) return failure;
  }
  std::mt19937_64 random(seed);
  std::uint32_t index = 0;
  for (std::uint64_t burst = 0; burst < bursts; ++burst) {
    const auto begin = Clock::now();
    publish_burst(stage.broker(), random, index);
    if (!stage.take_turn()) return "the healthy guest does not answer";
    result.slowest_turn_ms = std::max(result.slowest_turn_ms, milliseconds_since(begin));
  }
  for (const auto& route : stage.broker().statistics().routes) {
    if (route.published != route.delivered + route.queued + route.evicted)
      return "a sum does not hold (R30)";
    if (route.owner == "healthy") {
      result.evicted += route.evicted;
    } else {
      result.others_lost += route.evicted + route.refused;
    }
  }
  const ServiceBoard& board = stage.board();
  result.served.assign(board.served, board.served + board.served_count);
  if (way != nullptr) way->go_on();
  return {};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// One message at a time, each when the one before it has arrived; and some for the others.
bool measure_block(StageWithGuests& stage, std::uint64_t& published) {
  for (std::uint64_t count = 0; count < kMeasured; ++count) {
    (void)stage.broker().publish("p0", "s.ping", "ping");
    ++published;
    const auto begin = Clock::now();
    while (stage.board().measured.load(std::memory_order_acquire) < published) {
      if (Clock::now() - begin > 30s) return false;
      std::this_thread::yield();
    }
    for (int load = 0; load < 8; ++load)
      (void)stage.broker().publish("p" + std::to_string(load), "o.load", "for the others");
    while (Clock::now() - begin < 100us) std::this_thread::yield();
  }
  return true;
}

std::string measure(WayToStop& way, std::uint64_t seed, bool shared, LatencyResult& result,
                    const std::function<bool(std::uint64_t)>& go_on) {
  StageWithGuests stage(kOthers, shared ? "*" : "o.*", seed, true);
  if (!stage.wait_until_busy()) return "the other guests do not work";
  const std::vector<std::uint64_t> others = stage.other_guests();
  const std::string failure = way.stop(stage.other_processes());
  if (!failure.empty()) return failure;
  std::uint64_t published = 0;
  // Their routes are full before it counts.
  for (int warm = 0; warm < 20; ++warm) {
    if (!measure_block(stage, published)) return "a message did not arrive";
  }
  std::vector<double> medians[2];
  std::vector<double> ratios;
  do {
    for (const bool open : {false, true}) {
      for (const std::uint64_t guest : others) {
        open ? stage.broker().open_gate(guest) : stage.broker().retire_gate(guest);
      }
      if (!measure_block(stage, published)) return "a message did not arrive";
      const auto* const latencies = stage.board().latencies;
      medians[open ? 1 : 0].push_back(
          median(std::vector<double>(latencies, latencies + kMeasured)));
    }
    ratios.push_back(medians[1].back() / medians[0].back());
    ++result.blocks;
  } while (go_on(result.blocks));
  result.alone_ns = median(medians[0]);
  result.with_stopped_ns = median(medians[1]);
  result.ratio = median(ratios);
  way.go_on();
  return {};
}

}  // namespace

ServiceResult serve(WayToStop* way, std::uint64_t seed, std::uint64_t bursts) {
  ServiceResult result;
  try {
    result.failure = play(way, seed, bursts, result);
  } catch (const std::exception& error) {
    result.failure = error.what();
  }
  return result;
}

LatencyResult measure_latency(WayToStop& way, std::uint64_t seed, bool shared,
                              const std::function<bool(std::uint64_t)>& go_on) {
  LatencyResult result;
  try {
    result.failure = measure(way, seed, shared, result, go_on);
  } catch (const std::exception& error) {
    result.failure = error.what();
  }
  return result;
}

}  // namespace fairlead::test

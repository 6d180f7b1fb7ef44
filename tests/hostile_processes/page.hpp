// What all processes of a siege see: who is to stop, how far everybody is, what went wrong.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

namespace fairlead::hostile_processes {

inline constexpr std::size_t kPublishers = 2;
inline constexpr std::size_t kSubscribers = 3;  // two on h.*, one on shared.*
inline constexpr std::size_t kIntruders = 3;    // at a time

/// Microseconds by powers of two.
class Latencies {
 public:
  void add(std::uint64_t nanoseconds) noexcept {
    const std::uint64_t micros = nanoseconds / 1'000;
    buckets_[std::min<std::size_t>(std::bit_width(micros), buckets_.size() - 1)].fetch_add(1);
    if (nanoseconds > worst_.load()) worst_.store(nanoseconds);  // one writer
  }
  [[nodiscard]] std::uint64_t worst_milliseconds() const noexcept { return worst_ / 1'000'000; }
  /// The upper end of the bucket that holds it.
  [[nodiscard]] std::uint64_t percentile_microseconds(std::uint64_t percent) const noexcept {
    std::uint64_t left = count() * percent / 100;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      if (left <= buckets_[bucket]) return std::uint64_t{1} << bucket;
      left -= buckets_[bucket];
    }
    return 0;
  }
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& bucket : buckets_) sum += bucket;
    return sum;
  }

 private:
  std::array<std::atomic<std::uint64_t>, 40> buckets_;
  std::atomic<std::uint64_t> worst_;
};

struct PublisherProgress {
  std::atomic<std::uint64_t> published;  // acknowledged
  Latencies receipts;
};

struct SubscriberProgress {
  std::atomic<std::uint64_t> seen[kPublishers];  // newest publish number of each
  std::atomic<std::uint64_t> delivered;
  std::atomic<std::uint64_t> of_intruders;
  Latencies deliveries;
};

struct IntruderProgress {
  std::atomic<std::uint64_t> lives;
  std::atomic<std::uint64_t> refused;   // lives that were not let in
  std::atomic<std::uint64_t> ejected;   // lives that the broker ended
  std::atomic<std::uint64_t> poisoned;  // routes
  std::atomic<std::uint64_t> actions;
  std::atomic<std::uint64_t> forbidden;  // attempts that had to fail, and did
};

struct Page {
  std::atomic<bool> stop_intruders;
  std::atomic<bool> stop_publishers;
  std::atomic<bool> stop_subscribers;
  PublisherProgress publishers[kPublishers];
  SubscriberProgress subscribers[kSubscribers];
  IntruderProgress intruders[kIntruders];

  static constexpr std::size_t kRemembered = 4'096;
  std::atomic<std::uint64_t> ejections;  // ever; the first of them below
  std::atomic<std::uint64_t> ejected_guests[kRemembered];

  std::atomic<bool> failing;
  std::atomic<bool> failed;  // the text is there
  char failure[512];

  void eject(std::uint64_t guest) noexcept {
    const std::uint64_t index = ejections.fetch_add(1);
    if (index < kRemembered) ejected_guests[index].store(guest);
  }
  /// The first one counts.
  void fail(std::string_view text) noexcept {
    if (failing.exchange(true)) return;
    std::memcpy(failure, text.data(), std::min(text.size(), sizeof failure - 1));
    failed.store(true);
  }
};

/// Shared with children that are forked while it lives. All zero at first.
class SharedPage {
 public:
  SharedPage()
      : memory_(::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                       -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::runtime_error("no memory for the page");
  }
  ~SharedPage() { ::munmap(memory_, sizeof(Page)); }
  SharedPage(const SharedPage&) = delete;
  SharedPage& operator=(const SharedPage&) = delete;
  [[nodiscard]] Page& operator*() const noexcept { return *static_cast<Page*>(memory_); }
  [[nodiscard]] Page* operator->() const noexcept { return static_cast<Page*>(memory_); }

 private:
  void* memory_;
};

}  // namespace fairlead::hostile_processes

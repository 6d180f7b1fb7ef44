// One operation at a time of what reads guests' memory: RouteWriter and OutboxReader by themselves.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "outbox/outbox_reader.hpp"
#include "outbox_writer.hpp"
#include "route_memory.hpp"
#include "tampering.hpp"

namespace fairlead::hostile {

/// A route's writer under a hostile guest. Throws Broken when an operation loads a word twice that
/// decides anything.
class WriterOperations {
 public:
  WriterOperations(Choices& choices, RandomTampering& tampering, const RouteSettings& settings);
  ~WriterOperations() { tampering_.forget(memory_.cursor_bytes().data()); }
  WriterOperations(const WriterOperations&) = delete;
  WriterOperations& operator=(const WriterOperations&) = delete;

  void step();
  [[nodiscard]] bool poisoned() const noexcept { return writer_.poisoned(); }
  /// The most that one operation of each name has loaded, beyond what messages it moved pay for.
  [[nodiscard]] const std::map<std::string, std::uint64_t>& most_loads() const { return most_; }

 private:
  template <class Operation>
  void operate(const char* name, Operation&& operation);
  void append(shm::Lane lane);
  [[nodiscard]] bool may_load_again(const void* word);

  Choices& choices_;
  RandomTampering& tampering_;
  RouteMemory memory_;
  shm::RouteWriter writer_;
  std::vector<shm::Lane> lanes_;  // that are open
  std::map<std::string, std::uint64_t> most_;
  std::uint64_t sequence_ = 0;
};

/// An outbox of which the ring ends where memory ends.
class OutboxOperations {
 public:
  OutboxOperations(Choices& choices, RandomTampering& tampering);
  ~OutboxOperations() { tampering_.forget(memory_.data()); }
  OutboxOperations(const OutboxOperations&) = delete;
  OutboxOperations& operator=(const OutboxOperations&) = delete;

  void step();
  [[nodiscard]] bool violated() const noexcept { return !reader_.violation().empty(); }
  [[nodiscard]] std::uint64_t messages() const noexcept { return messages_; }

 private:
  static constexpr std::uint64_t kRing = 4'096;
  static constexpr std::uint64_t kGuard = 64 * 1024;
  [[nodiscard]] static const std::byte* granted(test::GuardedMemory& memory) noexcept;
  [[nodiscard]] std::byte* ring() noexcept { return memory_.data() + shm::kOutboxRingOffset; }

  Choices& choices_;
  RandomTampering& tampering_;
  test::GuardedMemory memory_;
  broker::OutboxReader reader_;
  OutboxWriter writer_;
  std::uint64_t messages_ = 0;
};

}  // namespace fairlead::hostile

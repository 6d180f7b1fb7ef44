// What one route may, and must, deliver: held against what was taken out of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "step.hpp"

namespace fairlead::killing {

enum class Certainty : std::uint8_t {
  certain,  // the publisher was told that every matching route has it
  maybe,    // somebody died before saying so
};

class Ledger {
 public:
  void published(const std::string& principal, std::uint32_t number, std::uint32_t bytes,
                 Certainty certainty);
  /// What a drain gave. A message that was never published, or is garbled, repeated or out of its
  /// principal's order, is a complaint.
  void taken(const Reply& drained);
  /// From now on what was claimed may have gone with a worker.
  void worker_died() noexcept { worker_died_ = true; }

  /// When all that there was has been drained: each certain message was taken, or reported as lost
  /// (R29), and no more is reported than is missing. Empty: all is well.
  [[nodiscard]] std::string settle() const;
  /// Nothing that is certain is still to come.
  [[nodiscard]] bool all_came() const;

  [[nodiscard]] std::uint64_t newest_sequence() const noexcept { return newest_sequence_; }
  [[nodiscard]] std::uint64_t taken_messages() const noexcept { return taken_messages_; }

 private:
  struct Entry {
    std::uint32_t bytes = 0;
    Certainty certainty = Certainty::maybe;
    bool taken = false;
  };
  struct Lane {
    std::map<std::uint32_t, Entry> entries;
    std::uint32_t newest_taken = 0;
    std::uint64_t newest_sequence = 0;
  };
  void take(const Taken& message);
  void complain(const std::string& sentence);

  std::map<std::string, Lane> lanes_;
  std::uint64_t reported_ = 0;  // losses
  std::uint64_t newest_sequence_ = 0;
  std::uint64_t taken_messages_ = 0;
  bool worker_died_ = false;
  std::string complaints_;
};

}  // namespace fairlead::killing

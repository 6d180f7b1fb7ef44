// The gates of one guest, opened and retired together (R13).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "delivery/gate.hpp"

namespace fairlead::broker {

// Routes that are subscribed unstaged share a gate that is open from the start; those staged since
// the last opening share one that is not open yet. Opening and retiring touch them all at once,
// under the broker's mutex: one step to every publisher.
class GateSet {
 public:
  std::shared_ptr<const Gate> gate_for(bool staged) {
    std::shared_ptr<Gate>& shared = staged ? staged_ : open_;
    if (!shared) {
      shared = std::make_shared<Gate>(!staged);
      gates_.push_back(shared);
    }
    return shared;
  }

  /// Of an earlier epoch, by what it admits from.
  std::shared_ptr<const Gate> adopt(std::uint64_t from) {
    if (from == Gate::kNever || from == 0) return gate_for(from != 0);
    for (const auto& gate : gates_) {
      if (gate->admits_from() == from) return gate;
    }
    gates_.push_back(std::make_shared<Gate>(false));
    gates_.back()->open(from);
    return gates_.back();
  }

  void open(std::uint64_t next_sequence) {
    for (const auto& gate : gates_) {
      if (gate == staged_ || retired_) gate->open(next_sequence);
    }
    retired_ = false;
    staged_.reset();  // routes staged later wait for the next opening
    forget_unused();
  }

  void retire(std::uint64_t next_sequence) {
    for (const auto& gate : gates_) gate->retire(next_sequence);
    retired_ = true;
    open_.reset();
    staged_.reset();
    forget_unused();
  }

 private:
  void forget_unused() {
    std::erase_if(gates_, [&](const auto& gate) { return gate.use_count() == 1; });
  }

  std::shared_ptr<Gate> open_;
  std::shared_ptr<Gate> staged_;
  std::vector<std::shared_ptr<Gate>> gates_;
  bool retired_ = false;
};

}  // namespace fairlead::broker

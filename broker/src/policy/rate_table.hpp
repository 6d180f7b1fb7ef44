// One token bucket per key: whose rate it is (R31, R32).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/token_bucket.hpp"
#include "routing/segment_hash.hpp"

namespace fairlead::broker {

enum class RateOutcome : std::uint8_t {
  within,             // taken
  over,               // not now
  larger_than_burst,  // never, with this policy
};

// A key outlives its connection, else reconnecting would refill it. It is dropped once its bucket
// is full, when it is worth no more than a fresh one. Not thread-safe.
class RateTable {
 public:
  /// A limit of zero units means unlimited and keeps nothing. A limit that differs from the key's
  /// last one (the policy was reloaded) takes its place. When there is no memory for a new key the
  /// answer is `over`.
  [[nodiscard]] RateOutcome take(std::string_view key, const RateLimit& limit, std::uint64_t units,
                                 std::uint64_t now) noexcept;

  /// What take() would answer, without taking or remembering anything.
  [[nodiscard]] RateOutcome look(std::string_view key, const RateLimit& limit, std::uint64_t units,
                                 std::uint64_t now) const noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept {
      return hash_segment(key);  // keyed: guests choose capsules
    }
  };
  struct Entry {
    RateLimit limit;
    TokenBucket bucket;
  };

  Entry& entry_of(std::string_view key, const RateLimit& limit, std::uint64_t now);
  void sweep(std::uint64_t now) noexcept;

  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::size_t sweep_at_ = 64;
};

}  // namespace fairlead::broker

#include "policy/rate_table.hpp"

#include <algorithm>
#include <new>

namespace fairlead::broker {

RateTable::Entry& RateTable::entry_of(std::string_view key, const RateLimit& limit,
                                      std::uint64_t now) {
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  if (entries_.size() >= sweep_at_) sweep(now);
  return entries_.emplace(std::string(key), Entry{limit, TokenBucket(limit, now)}).first->second;
}

// Each sweep is paid for by as many insertions as it leaves entries behind.
void RateTable::sweep(std::uint64_t now) noexcept {
  std::erase_if(entries_, [now](auto& item) { return item.second.bucket.full(now); });
  sweep_at_ = std::max<std::size_t>(64, entries_.size() * 2);
}

RateOutcome RateTable::take(std::string_view key, const RateLimit& limit, std::uint64_t units,
                            std::uint64_t now) noexcept {
  if (limit.units == 0) return RateOutcome::within;
  if (units > limit.burst) return RateOutcome::larger_than_burst;
  try {
    Entry& entry = entry_of(key, limit, now);
    if (entry.limit != limit) {
      entry.bucket.change(limit, now);
      entry.limit = limit;
    }
    return entry.bucket.take(units, now) ? RateOutcome::within : RateOutcome::over;
  } catch (const std::bad_alloc&) {
    return RateOutcome::over;
  }
}

RateOutcome RateTable::look(std::string_view key, const RateLimit& limit, std::uint64_t units,
                            std::uint64_t now) const noexcept {
  if (limit.units == 0) return RateOutcome::within;
  if (units > limit.burst) return RateOutcome::larger_than_burst;
  const auto found = entries_.find(key);
  if (found == entries_.end()) return RateOutcome::within;
  TokenBucket then = found->second.bucket;
  if (found->second.limit != limit) then.change(limit, now);
  return then.take(units, now) ? RateOutcome::within : RateOutcome::over;
}

}  // namespace fairlead::broker

#include "policy/token_bucket.hpp"

#include <algorithm>

namespace fairlead::broker {
namespace {

// Such that units * period + period fits in 64 bits, which is all that the arithmetic below needs.
RateLimit bounded(RateLimit limit) noexcept {
  limit.period_nanoseconds = std::max<std::uint64_t>(limit.period_nanoseconds, 1);
  limit.units = std::min(limit.units, UINT64_MAX / limit.period_nanoseconds - 1);
  return limit;
}

}  // namespace

TokenBucket::TokenBucket(RateLimit limit, std::uint64_t now) noexcept
    : limit_(bounded(limit)), tokens_(limit.burst), last_(now) {}

void TokenBucket::refill(std::uint64_t now) noexcept {
  if (now <= last_) return;
  const std::uint64_t elapsed = now - last_;
  last_ = now;
  const std::uint64_t missing = limit_.burst - tokens_;
  const std::uint64_t periods = elapsed / limit_.period_nanoseconds;
  const std::uint64_t rest = (elapsed % limit_.period_nanoseconds) * limit_.units + fraction_;
  // Compared by division, since periods * units may not fit. Past this, it is at most `missing`.
  const bool filled_by_periods = limit_.units > 0 && periods > missing / limit_.units;
  const std::uint64_t gained = filled_by_periods ? missing : periods * limit_.units;
  if (rest / limit_.period_nanoseconds >= missing - gained) {
    tokens_ = limit_.burst;
    fraction_ = 0;  // a full bucket overflows
    return;
  }
  tokens_ += gained + rest / limit_.period_nanoseconds;
  fraction_ = rest % limit_.period_nanoseconds;
}

bool TokenBucket::take(std::uint64_t units, std::uint64_t now) noexcept {
  refill(now);
  if (units > tokens_) return false;
  tokens_ -= units;
  return true;
}

std::uint64_t TokenBucket::available(std::uint64_t now) const noexcept {
  TokenBucket then(*this);
  then.refill(now);
  return then.tokens_;
}

// The least t with floor((t * units + fraction) / period) >= missing.
std::uint64_t TokenBucket::wait_for(std::uint64_t units, std::uint64_t now) const noexcept {
  TokenBucket then(*this);
  then.refill(now);
  if (units <= then.tokens_) return 0;
  if (units > limit_.burst || limit_.units == 0) return kNever;
  const std::uint64_t missing = units - then.tokens_;
  // missing = whole * limit_.units + part, with 1 <= part <= limit_.units.
  const std::uint64_t whole = (missing - 1) / limit_.units;
  const std::uint64_t part = (missing - 1) % limit_.units + 1;
  const std::uint64_t needed = part * limit_.period_nanoseconds - then.fraction_;
  const std::uint64_t last_period = (needed - 1) / limit_.units + 1;
  if (whole > (kNever - last_period) / limit_.period_nanoseconds) return kNever;
  return whole * limit_.period_nanoseconds + last_period;
}

void TokenBucket::change(RateLimit limit, std::uint64_t now) noexcept {
  refill(now);
  limit_ = bounded(limit);
  tokens_ = std::min(tokens_, limit_.burst);
  fraction_ = 0;
}

}  // namespace fairlead::broker

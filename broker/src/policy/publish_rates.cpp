#include "policy/publish_rates.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "policy/limits_of.hpp"

namespace fairlead::broker {
namespace {

// A payer is a principal, or a family's name and " of uid " with a number.
constexpr std::size_t kMaximumPayerBytes = shm::kMaximumPrincipalBytes + 32;

// Built without allocating.
class CapsuleKey {
 public:
  CapsuleKey(const shm::Uuid& capsule, std::string_view payer) noexcept {
    const std::size_t length = std::min(payer.size(), kMaximumPayerBytes);
    std::memcpy(bytes_.data(), capsule.bytes.data(), sizeof(shm::Uuid));
    std::copy_n(payer.data(), length, bytes_.data() + sizeof(shm::Uuid));
    size_ = sizeof(shm::Uuid) + length;
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<char, sizeof(shm::Uuid) + kMaximumPayerBytes> bytes_;
  std::size_t size_;
};

}  // namespace

RateOutcome PublishRates::take(const shm::Uuid& capsule, std::string_view payer,
                               const PrincipalRule& rule, std::uint64_t units,
                               std::uint64_t now) noexcept {
  const RateLimit each = publish_rate_of(rule);
  // With one capsule's worth for all there is nothing that a capsule's own bucket could add.
  if (rule.publish_rate_capsules <= 1) return by_payer_.take(payer, each, units, now);
  const CapsuleKey key(capsule, payer);
  const RateOutcome own = by_capsule_.look(key.view(), each, units, now);
  if (own != RateOutcome::within) return own;
  const RateOutcome all = by_payer_.take(payer, whole_publish_rate_of(rule), units, now);
  return all == RateOutcome::within ? by_capsule_.take(key.view(), each, units, now) : all;
}

}  // namespace fairlead::broker

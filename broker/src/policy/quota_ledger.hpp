// The quota accounts of a broker: one per payer (AttachDecision), below one for the broker as a
// whole (R32).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/quota.hpp"

namespace fairlead::broker {

// An account lives as long as somebody keeps it or a charge on it. Not thread-safe.
class QuotaLedger {
 public:
  /// `total` for all principals together; `floor` see QuotaAccount.
  QuotaLedger(const QuotaAmounts& total, const QuotaAmounts& floor);

  /// The payer's account, made if there is none. All connections of a payer share it; the limits
  /// given last hold for all of them.
  [[nodiscard]] std::shared_ptr<QuotaAccount> account_of(std::string_view payer,
                                                         const QuotaAmounts& limits);

  [[nodiscard]] QuotaAccount& total() noexcept { return *total_; }

 private:
  std::shared_ptr<QuotaAccount> total_;
  std::unordered_map<std::string, std::weak_ptr<QuotaAccount>> accounts_;
  std::size_t sweep_at_ = 64;
};

}  // namespace fairlead::broker

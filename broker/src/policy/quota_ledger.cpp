#include "policy/quota_ledger.hpp"

#include <algorithm>

#include <fairlead/shm/principal.hpp>

namespace fairlead::broker {

QuotaLedger::QuotaLedger(const QuotaAmounts& total, const QuotaAmounts& floor)
    : total_(QuotaAccount::make_root("the broker", total, floor)) {}

std::shared_ptr<QuotaAccount> QuotaLedger::account_of(std::string_view payer,
                                                      const QuotaAmounts& limits) {
  if (accounts_.size() >= sweep_at_) {
    std::erase_if(accounts_, [](const auto& item) { return item.second.expired(); });
    sweep_at_ = std::max<std::size_t>(64, accounts_.size() * 2);
  }
  std::weak_ptr<QuotaAccount>& known = accounts_[std::string(payer)];
  std::shared_ptr<QuotaAccount> account = known.lock();
  if (account) {
    account->set_limits(limits);
    return account;
  }
  account = total_->make_child(std::string(shm::displayed_principal(payer)), limits);
  known = account;
  return account;
}

}  // namespace fairlead::broker

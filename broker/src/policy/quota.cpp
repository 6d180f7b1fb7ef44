#include "policy/quota.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace fairlead::broker {

std::uint64_t QuotaAmounts::of(QuotaResource resource) const noexcept {
  switch (resource) {
    case QuotaResource::guests:
      return guests;
    case QuotaResource::routes:
      return routes;
    case QuotaResource::budget_bytes:
      return budget_bytes;
    case QuotaResource::descriptors:
      return descriptors;
    case QuotaResource::outbox_bytes:
      return outbox_bytes;
    case QuotaResource::in_flight:
      break;
  }
  return in_flight;
}

std::uint64_t& QuotaAmounts::of(QuotaResource resource) noexcept {
  switch (resource) {
    case QuotaResource::guests:
      return guests;
    case QuotaResource::routes:
      return routes;
    case QuotaResource::budget_bytes:
      return budget_bytes;
    case QuotaResource::descriptors:
      return descriptors;
    case QuotaResource::outbox_bytes:
      return outbox_bytes;
    case QuotaResource::in_flight:
      break;
  }
  return in_flight;
}

QuotaCharge::QuotaCharge(QuotaCharge&& other) noexcept
    : account_(std::move(other.account_)), amounts_(std::exchange(other.amounts_, {})) {}

QuotaCharge& QuotaCharge::operator=(QuotaCharge&& other) noexcept {
  if (this != &other) {
    release();
    account_ = std::move(other.account_);
    amounts_ = std::exchange(other.amounts_, {});
  }
  return *this;
}

void QuotaCharge::reduce(const QuotaAmounts& part) noexcept {
  if (!account_) return;
  for (const QuotaResource resource : kAllQuotaResources) {
    const std::uint64_t amount = std::min(part.of(resource), amounts_.of(resource));
    amounts_.of(resource) -= amount;
    for (QuotaAccount* at = account_.get(); at != nullptr; at = at->parent_.get()) {
      at->subtract(resource, amount);
    }
  }
  if (amounts_ == QuotaAmounts{}) account_.reset();
}

QuotaAccount::QuotaAccount(std::string name, const QuotaAmounts& limits,
                           std::shared_ptr<QuotaAccount> parent)
    : name_(std::move(name)), limits_(limits), parent_(std::move(parent)) {}

std::shared_ptr<QuotaAccount> QuotaAccount::make_root(std::string name, const QuotaAmounts& limits,
                                                      const QuotaAmounts& floor) {
  std::shared_ptr<QuotaAccount> root(new QuotaAccount(std::move(name), limits, nullptr));
  root->floor_ = floor;
  return root;
}

std::shared_ptr<QuotaAccount> QuotaAccount::make_child(std::string name,
                                                       const QuotaAmounts& limits) {
  std::shared_ptr<QuotaAccount> child(
      new QuotaAccount(std::move(name), limits, shared_from_this()));
  child->floor_ = floor_;
  return child;
}

bool QuotaAccount::has_room(QuotaResource resource, std::uint64_t asked) const noexcept {
  const std::uint64_t limit = limits_.of(resource);
  const std::uint64_t used = used_.of(resource);
  return used <= limit && asked <= limit - used;
}

// Asked of the child, about its parent's pool; the parent is known to have room.
bool QuotaAccount::leaves_fair_shares(QuotaResource resource, std::uint64_t asked) const noexcept {
  const QuotaAccount& pool = *parent_;
  const std::uint64_t share = used_.of(resource);
  const std::uint64_t remaining = pool.limits_.of(resource) - pool.used_.of(resource);
  const std::uint64_t sharers = pool.holders_.of(resource) + (share == 0 ? 1 : 0);
  std::uint64_t wanted = 0;
  if (__builtin_add_overflow(share, asked, &wanted)) return false;
  if (wanted <= pool.floor_.of(resource)) return true;
  if (__builtin_mul_overflow(wanted, sharers + 1, &wanted)) return false;
  return wanted - share <= remaining;
}

std::variant<QuotaCharge, QuotaRefusal> QuotaAccount::charge(const QuotaAmounts& amounts) {
  for (const QuotaAccount* at = this; at != nullptr; at = at->parent_.get()) {
    for (const QuotaResource resource : kAllQuotaResources) {
      const std::uint64_t asked = amounts.of(resource);
      if (asked == 0) continue;
      const std::uint64_t limit = at->limits_.of(resource);
      if (!at->has_room(resource, asked)) {
        return QuotaRefusal{at->name_, resource, asked, at->used_.of(resource), limit, false};
      }
      const QuotaAccount* const pool = at->parent_.get();
      if (pool != nullptr && pool->has_room(resource, asked) &&
          !at->leaves_fair_shares(resource, asked)) {
        return QuotaRefusal{
            pool->name_, resource, asked, at->used_.of(resource), pool->limits_.of(resource), true};
      }
    }
  }
  for (const QuotaResource resource : kAllQuotaResources) {
    for (QuotaAccount* at = this; at != nullptr; at = at->parent_.get()) {
      at->add(resource, amounts.of(resource));
    }
  }
  return QuotaCharge(shared_from_this(), amounts);
}

void QuotaAccount::add(QuotaResource resource, std::uint64_t amount) noexcept {
  if (amount == 0) return;
  if (parent_ && used_.of(resource) == 0) ++parent_->holders_.of(resource);
  used_.of(resource) += amount;
}

void QuotaAccount::subtract(QuotaResource resource, std::uint64_t amount) noexcept {
  if (amount == 0) return;
  assert(used_.of(resource) >= amount && "only charges subtract, and only what they added");
  used_.of(resource) -= amount;
  if (parent_ && used_.of(resource) == 0) --parent_->holders_.of(resource);
}

}  // namespace fairlead::broker

// Quotas: who holds how much, charged before anything is allocated (R32).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

namespace fairlead::broker {

enum class QuotaResource : std::uint8_t {
  guests,
  routes,
  budget_bytes,
  descriptors,
  outbox_bytes,
  in_flight,  // descriptors sent to guests that have not acknowledged them
};
inline constexpr std::size_t kQuotaResources = 6;

struct QuotaAmounts {
  std::uint64_t guests = 0;
  std::uint64_t routes = 0;
  std::uint64_t budget_bytes = 0;
  std::uint64_t descriptors = 0;
  std::uint64_t outbox_bytes = 0;
  std::uint64_t in_flight = 0;

  [[nodiscard]] std::uint64_t& of(QuotaResource resource) noexcept;
  [[nodiscard]] std::uint64_t of(QuotaResource resource) const noexcept;
  friend bool operator==(const QuotaAmounts&, const QuotaAmounts&) = default;
};

// Why a charge was refused: `account` would hold more than its limit, or, if `shared`, the asker
// would hold more than its fair share of what `account` has for all.
struct QuotaRefusal {
  std::string account;
  QuotaResource resource = QuotaResource::guests;
  std::uint64_t asked = 0;
  std::uint64_t used = 0;  // by the account; if shared, by the asker
  std::uint64_t limit = 0;
  bool shared = false;
};

class QuotaAccount;

// What was charged, given back on destruction. Move-only; keeps its account alive. An empty charge
// (default or moved-from) holds nothing.
class QuotaCharge {
 public:
  QuotaCharge() = default;
  QuotaCharge(QuotaCharge&& other) noexcept;
  QuotaCharge& operator=(QuotaCharge&& other) noexcept;
  ~QuotaCharge() { release(); }

  [[nodiscard]] const QuotaAmounts& amounts() const noexcept { return amounts_; }

  /// Gives back a part, at most what is held.
  void reduce(const QuotaAmounts& part) noexcept;

  /// Gives back everything.
  void release() noexcept { reduce(amounts_); }

 private:
  friend class QuotaAccount;
  QuotaCharge(std::shared_ptr<QuotaAccount> account, const QuotaAmounts& amounts) noexcept
      : account_(std::move(account)), amounts_(amounts) {}

  std::shared_ptr<QuotaAccount> account_;
  QuotaAmounts amounts_;
};

// A node of the account tree: the broker at the root, a principal below it. Not thread-safe.
//
// A charge c on an account that uses U of its limit L is accepted only if
//
//     c <= L - U                                                    (its own limit)
//
// at this account and at every one above it, and, at each account that has others below it, if the
// one below that asks, using s, either stays within the `floor` F of one ordinary guest or leaves
// the others their share:
//
//     s + c <= F   or   (n + 1) * (s + c) - s <= L - U              (fair share)
//
// where n counts those below that use any of the resource, the asker included. So one alone gets
// half, and even the nth of n that each take all they can gets L / (n * (n + 1)). This is the
// scheme of dbus-broker's user accounting. The floor is our addition: without it the second half of
// a limit could never be given to many small users.
class QuotaAccount : public std::enable_shared_from_this<QuotaAccount> {
 public:
  /// A root; `floor` is what any account below it may hold without regard to shares.
  static std::shared_ptr<QuotaAccount> make_root(std::string name, const QuotaAmounts& limits,
                                                 const QuotaAmounts& floor);
  std::shared_ptr<QuotaAccount> make_child(std::string name, const QuotaAmounts& limits);

  QuotaAccount(const QuotaAccount&) = delete;
  QuotaAccount& operator=(const QuotaAccount&) = delete;

  /// All of the amounts on this account and those above it, or nothing.
  [[nodiscard]] std::variant<QuotaCharge, QuotaRefusal> charge(const QuotaAmounts& amounts);

  /// For a policy that changed. What is held stays; if that is more than the limit, only further
  /// charges are refused.
  void set_limits(const QuotaAmounts& limits) noexcept { limits_ = limits; }

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const QuotaAmounts& limits() const noexcept { return limits_; }
  [[nodiscard]] const QuotaAmounts& used() const noexcept { return used_; }

 private:
  friend class QuotaCharge;
  QuotaAccount(std::string name, const QuotaAmounts& limits, std::shared_ptr<QuotaAccount> parent);

  [[nodiscard]] bool has_room(QuotaResource resource, std::uint64_t asked) const noexcept;
  [[nodiscard]] bool leaves_fair_shares(QuotaResource resource, std::uint64_t asked) const noexcept;
  void add(QuotaResource resource, std::uint64_t amount) noexcept;
  void subtract(QuotaResource resource, std::uint64_t amount) noexcept;

  std::string name_;
  QuotaAmounts limits_;
  QuotaAmounts used_;
  QuotaAmounts floor_;    // for those below
  QuotaAmounts holders_;  // accounts below that use any of it
  std::shared_ptr<QuotaAccount> parent_;
};

inline constexpr std::array<QuotaResource, kQuotaResources> kAllQuotaResources = {
    QuotaResource::guests,      QuotaResource::routes,       QuotaResource::budget_bytes,
    QuotaResource::descriptors, QuotaResource::outbox_bytes, QuotaResource::in_flight};

}  // namespace fairlead::broker

// Room for a payload that the host fills itself: no copy when exactly one route takes it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <fairlead/broker/publish.hpp>

namespace fairlead::broker {

// Belongs to one thread at a time; may outlive its broker (committing then says route_closed).
// Destroying it without commit() gives the room back and publishes nothing.
class Loan {
 public:
  Loan() noexcept;  // empty
  Loan(Loan&& other) noexcept;
  Loan& operator=(Loan&& other) noexcept;
  ~Loan();

  /// Exactly as many bytes as were asked for, content undefined. Empty after commit().
  [[nodiscard]] std::span<std::byte> bytes() const noexcept;

  /// True when bytes() lie in the one route's segment. commit() still copies if the set of matching
  /// routes has changed by then.
  [[nodiscard]] bool in_place() const noexcept;

  /// Publishes, as Broker::publish() without waiting. A second commit() is refused: not_permitted.
  PublishReport commit() noexcept;

  class Content;  // private to the broker
  explicit Loan(std::unique_ptr<Content> content) noexcept;

 private:
  std::unique_ptr<Content> content_;
};

}  // namespace fairlead::broker

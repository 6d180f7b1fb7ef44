// Whose message goes when one more does not fit (R17 to R21): one small interface, two policies.
// `reject` needs none of them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/route_writer.hpp>

namespace fairlead::broker {

// Private to the broker; reads guests' progress only through the writer.
class Eviction {
 public:
  struct Arrival {
    std::optional<shm::Lane> lane;  // nothing: the principal has no lane yet
    std::uint64_t cost = 0;
  };

  Eviction() = default;
  Eviction(const Eviction&) = delete;
  Eviction& operator=(const Eviction&) = delete;
  virtual ~Eviction() = default;

  // Makes room for one more message of `lane`. May throw std::bad_alloc, nothing changed.
  virtual void prepare(shm::Lane lane) = 0;
  // A message was appended to `lane`, after prepare().
  virtual void appended(shm::Lane lane, std::uint64_t count, std::uint64_t sequence) noexcept = 0;
  // Depth or bytes of the lane have changed otherwise.
  virtual void changed(shm::Lane lane) noexcept = 0;
  // The lane whose head should go for `arrival`; nothing when all lanes are empty as far as known.
  // The answer rests on what the writer knows: look at the lane before acting on it.
  [[nodiscard]] virtual std::optional<shm::Lane> victim(const Arrival& arrival) noexcept = 0;
};

// Nothing for EvictionPolicy::reject.
[[nodiscard]] std::unique_ptr<Eviction> make_eviction(shm::EvictionPolicy policy,
                                                      const shm::RouteWriter& writer,
                                                      std::uint64_t budget_bytes);

}  // namespace fairlead::broker

// One number for the whole layout: two builds whose structs differ refuse each other at attach.
#pragma once

#include <cstdint>
#include <span>

#include <fairlead/shm/drain_mutex.hpp>
#include <fairlead/shm/layout/layout_fields.hpp>
#include <fairlead/shm/layout_field.hpp>

namespace fairlead::shm {

[[nodiscard]] constexpr std::uint64_t hash_layout(std::span<const LayoutField> fields,
                                                  std::span<const LayoutField> mutex,
                                                  std::span<const LayoutNumber> numbers) noexcept {
  LayoutHasher hasher;
  hasher.add(fields);
  hasher.add(mutex);
  hasher.add(numbers);
  return hasher.hash();
}

inline constexpr std::uint64_t kLayoutHash =
    hash_layout(kLayoutFields, DrainMutex::layout_fields(), kLayoutNumbers);

}  // namespace fairlead::shm

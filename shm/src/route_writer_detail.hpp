// Shared by the sources of RouteWriter.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/record_layout.hpp>

namespace fairlead::shm::detail {

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t to) noexcept {
  return (value + to - 1) / to * to;
}

constexpr std::uint64_t record_size(std::uint64_t payload_bytes,
                                    std::uint64_t topic_bytes) noexcept {
  return align_up(sizeof(RecordHeader) + payload_bytes + topic_bytes, kRecordAlignment);
}

// Single writer: a plain store, no read-modify-write.
template <class T>
void show(std::atomic<T>& word, std::type_identity_t<T> value) noexcept {
  word.store(value, std::memory_order_relaxed);
}

}  // namespace fairlead::shm::detail

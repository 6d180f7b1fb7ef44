// The one way to read memory that another process may write at any moment.
//
// Every value is fetched exactly once and then used as a private copy: a check and a use that each
// read memory can be given two different values. The helpers below turn such a copy into something
// bounded. All are noexcept, thread-safe, and cost nothing beyond the load and the comparison.
//
// Built with FAIRLEAD_UNTRUSTED_HOOK, a function may replace each value as it is loaded: that is
// how a fuzzer plays the hostile guest without having to win a race.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace fairlead::shm {

#ifdef FAIRLEAD_UNTRUSTED_HOOK
// A name of its own, so that hooked and plain objects may meet in one program.
inline namespace hooked {
/// Called after each load with the address in shared memory and the private copy, which it may
/// overwrite. Set it before threads start.
using UntrustedHook = void (*)(const void* shared, void* copy, std::size_t bytes);
inline UntrustedHook untrusted_hook = nullptr;
#endif

// Not `detail`: with the hook it would be a second namespace of that name.
namespace untrusted_detail {
inline void apply_untrusted_hook([[maybe_unused]] const void* shared, [[maybe_unused]] void* copy,
                                 [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef FAIRLEAD_UNTRUSTED_HOOK
  if (untrusted_hook != nullptr) untrusted_hook(shared, copy, bytes);
#endif
}
}  // namespace untrusted_detail

/// One fetch of an atomic word. The default order is acquire; name the pair's label at the call.
template <class T>
[[nodiscard]] inline T load_untrusted(
    const std::atomic<T>& word, std::memory_order order = std::memory_order_acquire) noexcept {
  static_assert(std::is_trivially_copyable_v<T> && std::atomic<T>::is_always_lock_free);
  T value = word.load(order);
  untrusted_detail::apply_untrusted_hook(&word, &value, sizeof value);
  return value;
}

/// One fetch of a plain word (an integer or enumeration in a mapped struct), relaxed by default.
template <class T>
requires(std::integral<T> || std::is_enum_v<T>) [[nodiscard]] inline T
    load_untrusted(const T& word, std::memory_order order = std::memory_order_relaxed) noexcept {
  T value;
  __atomic_load(&word, &value, static_cast<int>(order));
  untrusted_detail::apply_untrusted_hook(&word, &value, sizeof value);
  return value;
}

/// Copies `bytes` bytes out, each fetched once (not atomically as a whole: the copy may mix old and
/// new). `shared` must lie within the mapping; that is what bounded_view() is for.
inline void copy_untrusted(void* copy, const void* shared, std::size_t bytes) noexcept {
  std::memcpy(copy, shared, bytes);
  // Without this the compiler might drop the copy and read `shared` again wherever it is used.
  asm volatile("" : : "r"(copy) : "memory");
  untrusted_detail::apply_untrusted_hook(shared, copy, bytes);
}

template <class T>
[[nodiscard]] inline T copy_untrusted(const T& shared) noexcept {
  static_assert(std::is_trivially_copyable_v<T>);
  T copy;
  copy_untrusted(&copy, &shared, sizeof copy);
  return copy;
}

/// The value, or nothing when it is outside [low, high].
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> within(T value, std::type_identity_t<T> low,
                                                std::type_identity_t<T> high) noexcept {
  if (value < low || value > high) return std::nullopt;
  return value;
}

/// True when [offset, offset + bytes) lies within [0, limit); cannot overflow.
[[nodiscard]] constexpr bool fits(std::uint64_t offset, std::uint64_t bytes,
                                  std::uint64_t limit) noexcept {
  return offset <= limit && bytes <= limit - offset;
}

/// The one place where an offset and a length from shared memory become a view: empty when they
/// leave `whole`, or when the offset is not a multiple of `alignment` (a power of two).
template <class Byte>
requires(sizeof(Byte) == 1) [[nodiscard]] constexpr std::optional<std::span<Byte>> bounded_view(
    std::span<Byte> whole, std::uint64_t offset, std::uint64_t bytes,
    std::uint64_t alignment = 1) noexcept {
  if (!fits(offset, bytes, whole.size()) || (offset & (alignment - 1)) != 0) return std::nullopt;
  return whole.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(bytes));
}

#ifdef FAIRLEAD_UNTRUSTED_HOOK
}  // namespace hooked
#endif

}  // namespace fairlead::shm

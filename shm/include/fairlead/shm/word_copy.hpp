// Copies of small structs that another process may be reading or writing meanwhile: word by word,
// each word whole. A reader may get a mix of old and new words; something else (a head that did not
// move) tells it whether that has happened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>

// The thread sanitizer has no notion of reading what somebody else overwrites and dropping it then.
#if defined(__SANITIZE_THREAD__)
#define FAIRLEAD_RACES_BY_DESIGN __attribute__((no_sanitize("thread")))
#else
#define FAIRLEAD_RACES_BY_DESIGN
#endif

namespace fairlead::shm {

template <class T>
inline constexpr bool kCopiesByWords = std::is_trivially_copyable_v<T> &&
                                       sizeof(T) % sizeof(std::uint64_t) == 0 &&
                                       alignof(T) <= alignof(std::uint64_t);

// `to` is aligned to 8 bytes.
template <class T>
inline void store_words(std::byte* to, const T& value) noexcept {
  static_assert(kCopiesByWords<T>);
  std::uint64_t words[sizeof(T) / sizeof(std::uint64_t)];
  std::memcpy(words, &value, sizeof value);
  auto* shared = reinterpret_cast<std::uint64_t*>(to);
  for (std::size_t each = 0; each < std::size(words); ++each)
    __atomic_store_n(shared + each, words[each], __ATOMIC_RELAXED);
}

// `from` is aligned to 8 bytes.
template <class T>
[[nodiscard]] FAIRLEAD_RACES_BY_DESIGN inline T load_words(const std::byte* from) noexcept {
  static_assert(kCopiesByWords<T>);
  std::uint64_t words[sizeof(T) / sizeof(std::uint64_t)];
  const auto* shared = reinterpret_cast<const std::uint64_t*>(from);
  for (std::size_t each = 0; each < std::size(words); ++each)
    words[each] = __atomic_load_n(shared + each, __ATOMIC_RELAXED);
  T value;
  std::memcpy(&value, words, sizeof value);
  return value;
}

}  // namespace fairlead::shm

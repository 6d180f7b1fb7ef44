// How docs/shm_layout.md writes a C++ type.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <fairlead/shm/fixed_text.hpp>

namespace fairlead::test {

template <class T>
[[nodiscard]] std::string type_name();

namespace detail {

// As the compiler spells it, without namespaces. (Not std::string_view: GCC would explain that.)
template <class T>
[[nodiscard]] const char* compilers_words() {
  return __PRETTY_FUNCTION__;
}

template <class T>
struct TypeName {
  static std::string text() {
    const std::string_view words = compilers_words<T>();
    const std::size_t from = words.find("T = ") + 4;
    const std::string_view whole = words.substr(from, words.find_first_of(";]", from) - from);
    const std::size_t colon = whole.rfind(':');
    return std::string(colon == std::string_view::npos ? whole : whole.substr(colon + 1));
  }
};

template <class T>
requires std::is_integral_v<T>
struct TypeName<T> {
  static_assert(std::is_unsigned_v<T>, "signed numbers have no place in a segment");
  static std::string text() { return "u" + std::to_string(8 * sizeof(T)); }
};

template <class T>
struct TypeName<std::atomic<T>> {
  static std::string text() { return "atomic<" + type_name<T>() + ">"; }
};

template <std::size_t Capacity>
struct TypeName<shm::FixedText<Capacity>> {
  static std::string text() { return "text<" + std::to_string(Capacity) + ">"; }
};

template <class T, std::size_t Count>
struct TypeName<T[Count]> {
  static std::string text() { return type_name<T>() + "[" + std::to_string(Count) + "]"; }
};

}  // namespace detail

template <class T>
std::string type_name() {
  return detail::TypeName<T>::text();
}

}  // namespace fairlead::test

// What the headers of the layout declare, read as text: the compiler cannot list members.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fairlead::test {

struct Declared {
  std::string name;
  std::vector<std::string> members;  // in order
  std::set<std::string> labels;      // named in comments of its body
};

struct Enumeration {
  std::string name;
  std::string type;  // u32
  std::vector<std::pair<std::uint64_t, std::string>> values;
};

/// Structures and classes in that source, at namespace level.
[[nodiscard]] std::vector<Declared> structures_declared_in(std::string_view source);
[[nodiscard]] std::vector<Enumeration> enumerations_declared_in(std::string_view source);

/// Of all headers of the layout, and the drain mutex.
[[nodiscard]] std::vector<Declared> structures_declared();
[[nodiscard]] std::vector<Enumeration> enumerations_declared();

}  // namespace fairlead::test

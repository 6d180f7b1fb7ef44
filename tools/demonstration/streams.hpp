// What the demonstration sends: a text cut into tokens so that putting them together gives it back.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fairlead::demonstration {

inline constexpr std::string_view kTokenTopic = "demo.token";
inline constexpr std::string_view kEndTopic = "demo.end";
inline constexpr std::string_view kPattern = "demo.*";
inline constexpr std::string_view kFlooder = "agent.flood";

// "agent.p007"
[[nodiscard]] std::string principal_name(std::size_t number);

// Each token is a word with the white space that follows it.
[[nodiscard]] std::vector<std::string_view> tokens_of(std::string_view text);

// Throws fairlead::Error when the file cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

// Jain, Chiu and Hawe 1984: (sum x)^2 / (n sum x^2); 1 = all equal, 1/n = one has everything.
[[nodiscard]] double jain_index(const std::vector<double>& shares);

}  // namespace fairlead::demonstration

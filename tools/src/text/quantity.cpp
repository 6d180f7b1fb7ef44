#include "text/quantity.hpp"

#include <charconv>
#include <cmath>
#include <optional>

#include "command_line.hpp"

namespace fairlead::tools {
namespace {

template <class Number>
std::optional<Number> parse_whole(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(const std::string& option, std::string_view text, const char* wanted) {
  throw UsageError(option + " takes " + wanted + ", not '" + std::string(text) + "'");
}

}  // namespace

std::uint64_t parse_count(const std::string& option, std::string_view text) {
  const auto value = parse_whole<std::uint64_t>(text);
  if (!value || *value == 0) refuse(option, text, "a number from 1 on");
  return *value;
}

std::uint64_t parse_bytes(const std::string& option, std::string_view text) {
  constexpr std::string_view kUnits = "KMG";
  constexpr const char* kWanted = "bytes, such as 65536, 64K or 1M";
  std::string_view digits = text;
  unsigned shift = 0;
  if (!digits.empty()) {
    const std::size_t unit = kUnits.find(digits.back());
    if (unit != std::string_view::npos) {
      shift = 10 * (static_cast<unsigned>(unit) + 1);
      digits.remove_suffix(1);
    }
  }
  const auto value = parse_whole<std::uint64_t>(digits);
  if (!value || *value == 0 || *value > (~std::uint64_t{0} >> shift)) {
    refuse(option, text, kWanted);
  }
  return *value << shift;
}

std::chrono::nanoseconds parse_seconds(const std::string& option, std::string_view text) {
  constexpr double kYear = 366.0 * 86'400;
  const auto value = parse_whole<double>(text);
  if (!value || !std::isfinite(*value) || *value < 0 || *value > kYear) {
    refuse(option, text, "seconds, such as 2 or 0.25");
  }
  return std::chrono::nanoseconds(std::llround(*value * 1e9));
}

double parse_rate(const std::string& option, std::string_view text) {
  constexpr double kSlowest = 1e-6;
  const auto value = parse_whole<double>(text);
  if (!value || !std::isfinite(*value) || *value < kSlowest) {
    refuse(option, text, "messages per second, such as 10 or 0.5");
  }
  return *value;
}

}  // namespace fairlead::tools

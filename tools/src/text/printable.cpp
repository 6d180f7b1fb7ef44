#include "text/printable.hpp"

#include <array>
#include <cstdio>
#include <ctime>

namespace fairlead::tools {
namespace {

// One digit behind the point below ten, none above: "1.5 s", "15 s".
std::string scaled(double value, const char* unit) {
  char text[48];
  std::snprintf(text, sizeof text, value < 9.95 ? "%.1f %s" : "%.0f %s", value, unit);
  return text;
}

struct Unit {
  double size;
  const char* name;
};

}  // namespace

std::string printable(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\\') {
      out += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

std::string shortened(std::string text, std::size_t columns) {
  if (text.size() <= columns || columns < 5) return text;
  const std::size_t kept = columns - 2;
  const std::size_t front = (kept + 1) / 2;
  return text.substr(0, front) + ".." + text.substr(text.size() - (kept - front));
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 7> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return scaled(value, kUnits[unit]);
}

std::string duration_text(std::uint64_t nanoseconds) {
  constexpr std::array<Unit, 7> kUnits = {{{86'400e9, "d"},
                                           {3'600e9, "h"},
                                           {60e9, "min"},
                                           {1e9, "s"},
                                           {1e6, "ms"},
                                           {1e3, "us"},
                                           {1, "ns"}}};
  const auto value = static_cast<double>(nanoseconds);
  for (const Unit& unit : kUnits) {
    if (value >= unit.size && unit.size > 1) return scaled(value / unit.size, unit.name);
  }
  return std::to_string(nanoseconds) + " ns";
}

std::string utc_text(std::uint64_t realtime_ns) {
  const auto seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000);
  std::tm parts{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  char text[80];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<unsigned>(realtime_ns % 1'000'000'000 / 1'000));
  return text;
}

}  // namespace fairlead::tools

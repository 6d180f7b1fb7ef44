#include "table.hpp"

#include <cstdint>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include <fairlead/shm/error.hpp>

#include "streams.hpp"

namespace fairlead::demonstration {
namespace {

using Served = std::map<std::string, std::uint64_t>;

// Principals that every guest was served the same amount of are one line.
void print_served(const std::vector<nlohmann::json>& guests) {
  std::map<std::vector<std::uint64_t>, std::vector<std::string>> alike;
  for (const auto& [principal, bytes] : guests.front().at("bytes").items()) {
    std::vector<std::uint64_t> row;
    row.reserve(guests.size());
    for (const nlohmann::json& guest : guests)
      row.push_back(guest.at("bytes").value(principal, std::uint64_t{0}));
    alike[row].push_back(principal);
  }
  std::printf("%-28s", "bytes served of principal");
  for (const nlohmann::json& guest : guests)
    std::printf(" %14s", guest.at("name").get<std::string>().c_str());
  std::printf("\n");
  for (const auto& [row, principals] : alike) {
    std::string label = principals.front();
    if (principals.size() > 1)
      label += " .. " + principals.back() + " (" + std::to_string(principals.size()) + ")";
    std::printf("%-28s", label.c_str());
    for (const std::uint64_t bytes : row)
      std::printf(" %14llu", static_cast<unsigned long long>(bytes));
    std::printf("\n");
  }
}

template <class Print>
void print_line(const char* label, const std::vector<nlohmann::json>& guests, Print&& print) {
  std::printf("%-28s", label);
  for (const nlohmann::json& guest : guests) std::printf(" %14s", print(guest).c_str());
  std::printf("\n");
}

int tell_failures(const std::vector<nlohmann::json>& guests) {
  int failures = 0;
  for (const nlohmann::json& guest : guests) {
    const auto failed = guest.at("failed").get<std::string>();
    if (failed.empty()) continue;
    std::fprintf(stderr, "fairlead-demo: %s: %s\n", guest.at("name").get<std::string>().c_str(),
                 failed.c_str());
    failures = 1;
  }
  return failures;
}

}  // namespace

int table(const std::vector<std::string>& files) {
  std::vector<nlohmann::json> guests;
  for (const std::string& file : files) {
    nlohmann::json guest = nlohmann::json::parse(read_file(file), nullptr, false);
    if (guest.is_discarded())
      throw Error(ErrorCode::invalid_argument, file + " is not a result of `check`");
    guests.push_back(std::move(guest));
  }
  if (guests.empty()) throw Error(ErrorCode::invalid_argument, "no results given");
  print_served(guests);
  const auto number = [](const char* key) {
    return [key](const nlohmann::json& guest) {
      return std::to_string(guest.at(key).get<std::uint64_t>());
    };
  };
  print_line("Jain's index, see below", guests, [](const nlohmann::json& guest) {
    char text[16];
    std::snprintf(text, sizeof text, "%.6f", guest.at("jain").get<double>());
    return std::string(text);
  });
  print_line("streams complete", guests, number("complete"));
  print_line("flooder's messages sent", guests, number("flood_sent"));
  print_line("  received", guests, number("flood_received"));
  print_line("  missing", guests, number("flood_missing"));
  print_line("  reported in-band as lost", guests, number("flood_reported"));
  print_line("messages refused", guests, number("refused"));
  print_line("boundary", guests,
             [](const nlohmann::json& guest) { return guest.at("boundary").get<std::string>(); });
  std::printf(
      "Jain's index: of the bytes that each of the quiet principals was served by then, whether\n"
      "its stream is complete or not; 1 = all the same.\n");
  return tell_failures(guests);
}

}  // namespace fairlead::demonstration

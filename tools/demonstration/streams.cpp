#include "streams.hpp"

#include <fstream>
#include <iterator>

#include <fairlead/shm/error.hpp>

namespace fairlead::demonstration {
namespace {

constexpr std::string_view kWhiteSpace = " \t\r\n\f\v";

}  // namespace

std::string principal_name(std::size_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 3) digits.insert(0, 3 - digits.size(), '0');
  return "agent.p" + digits;
}

std::vector<std::string_view> tokens_of(std::string_view text) {
  std::vector<std::string_view> tokens;
  while (!text.empty()) {
    const std::size_t word = text.find_first_not_of(kWhiteSpace);
    const std::size_t space = word == text.npos ? text.npos : text.find_first_of(kWhiteSpace, word);
    const std::size_t next =
        space == text.npos ? text.npos : text.find_first_not_of(kWhiteSpace, space);
    const std::size_t length = next == text.npos ? text.size() : next;
    tokens.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return tokens;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::not_found, "cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

double jain_index(const std::vector<double>& shares) {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 1.0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace fairlead::demonstration

#include "operation.hpp"

#include <algorithm>
#include <istream>
#include <random>
#include <sstream>

namespace fairlead::test {
namespace {

struct Form {
  const char* name;
  std::size_t numbers;
};
constexpr Form kForms[kOperationKinds] = {
    {"publish", 4},      {"patient", 3},  {"paused", 4},    {"resume", 1},
    {"loan", 4},         {"attach", 8},   {"detach", 1},    {"close", 1},
    {"drain", 3},        {"take", 2},     {"release", 2},   {"hold", 3},
    {"release_hold", 2}, {"maintain", 1}, {"open_gate", 1}, {"retire_gate", 1},
};

const Form& form_of(OperationKind kind) { return kForms[static_cast<std::size_t>(kind)]; }

class Generator {
 public:
  Generator(std::uint64_t seed, const Profile& profile) : random_(seed), profile_(profile) {}

  Operation attach(std::uint64_t route) {
    const std::uint64_t lanes = below(3) == 0 ? 128 : 64;
    const std::uint64_t span = profile_.most_budget - profile_.least_budget + 1;
    return {OperationKind::attach,
            {route, 1 + below(3), profile_.least_budget + below(span), lanes, below(kPatterns),
             below(4) == 0 ? 2 + below(2) : 1, below(3), below(kGates)}};
  }

  Operation any() {
    std::discrete_distribution<int> kinds(profile_.weights.begin(), profile_.weights.end());
    const auto kind = static_cast<OperationKind>(kinds(random_));
    switch (kind) {
      case OperationKind::publish:
        return {kind, {principal(), topic(), bytes(), times()}};
      case OperationKind::patient:
        return {kind, {principal(), topic(), bytes()}};
      case OperationKind::paused:
        return {kind, {principal(), topic(), bytes(), below(3)}};
      case OperationKind::loan:
        return {kind, {below(kRoutes), principal(), bytes(), below(4) == 0 ? 0U : 1U}};
      case OperationKind::attach:
        return attach(below(kRoutes));
      case OperationKind::drain: {
        // Mostly a small part of what may be there, now and then all of it.
        const std::uint64_t most = below(4) == 0 ? 1'000'000 : 1 + below(20);
        return {kind, {below(kRoutes), below(profile_.most_drain), most}};
      }
      case OperationKind::take:
        return {kind, {below(kRoutes), times()}};
      case OperationKind::hold:
        return {kind, {below(kRoutes), below(64), below(16)}};
      case OperationKind::release:
      case OperationKind::release_hold:
        return {kind, {below(kRoutes), below(256)}};
      case OperationKind::resume:
        return {kind, {below(4)}};
      case OperationKind::open_gate:
      case OperationKind::retire_gate:
        return {kind, {below(kGates)}};
      default:
        return {kind, {below(kRoutes)}};
    }
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % std::max<std::uint64_t>(limit, 1); }
  // Half of all messages come from one in eight principals.
  std::uint64_t principal() {
    return below(2) == 0 ? below(profile_.principals) : below(profile_.principals / 8 + 1);
  }
  std::uint64_t times() { return 1 + below(profile_.most_times); }
  std::uint64_t topic() { return below(20) == 0 ? below(kTopics) : below(6); }
  std::uint64_t bytes() {
    switch (below(12)) {
      case 0:
        return 0;
      case 1:
        return below(profile_.most_payload + 1);
      case 2:
        return profile_.most_budget - below(64);  // about the whole budget, or more than it
      default:
        return below(std::min<std::uint64_t>(profile_.most_payload, 200) + 1);
    }
  }

  std::mt19937_64 random_;
  const Profile& profile_;
};

}  // namespace

std::string to_text(const Operation& operation) {
  const Form& form = form_of(operation.kind);
  std::string text = form.name;
  for (std::size_t each = 0; each < form.numbers; ++each)
    text += ' ' + std::to_string(operation.numbers[each]);
  return text;
}

std::string to_text(const Sequence& sequence) {
  std::string text;
  for (const Operation& operation : sequence) text += to_text(operation) + '\n';
  return text;
}

std::optional<Sequence> parse(std::istream& lines) {
  Sequence sequence;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name.front() == '#') continue;
    const auto* const form =
        std::find_if(std::begin(kForms), std::end(kForms),
                     [&name](const Form& candidate) { return candidate.name == name; });
    if (form == std::end(kForms)) return std::nullopt;
    Operation operation{static_cast<OperationKind>(form - std::begin(kForms)), {}};
    for (std::size_t each = 0; each < form->numbers; ++each) {
      if (!(words >> operation.numbers[each])) return std::nullopt;
    }
    sequence.push_back(operation);
  }
  return sequence;
}

std::string principal_name(std::uint64_t number) {
  if (number == 0) return {};
  if (number == 1) return "agent." + std::string(122, 'x');  // as long as a name may be
  return (number % 2 == 0 ? "user" : "agent:") + std::to_string(number);
}

std::string topic_text(std::uint64_t number) {
  static const std::string kTexts[kTopics] = {"a.b",
                                              "a.c",
                                              "a.b.c",
                                              "x.y",
                                              "a.b.d.e",
                                              "x",
                                              std::string(127, 'y') + '.' + std::string(127, 'z'),
                                              "a..b",
                                              "a.*",
                                              "",
                                              "*",
                                              std::string(256, 'q')};
  return kTexts[number % kTopics];
}

std::string pattern_text(std::uint64_t number) {
  static const std::string kTexts[kPatterns] = {"*",   "a.*", "a.b", "a.*.c",
                                                "*.b", "x.*", "*.*", "*"};
  return kTexts[number % kPatterns];
}

const std::vector<Profile>& profiles() {
  // publish patient paused resume loan | attach detach close drain take | release hold release_hold
  // maintain open_gate retire_gate
  static const std::vector<Profile> kProfiles = {
      {"balanced",
       12,
       2'000,
       500,
       40'000,
       4,
       20'000,
       2'000,
       {400, 20, 20, 30, 30, 6, 3, 2, 150, 150, 200, 10, 15, 20, 10, 3}},
      {"tight",
       20,
       300,
       100,
       1'500,
       3,
       3'000,
       2'000,
       {500, 30, 30, 40, 40, 5, 2, 1, 60, 80, 100, 4, 6, 10, 8, 2}},
      {"crowded",
       100,
       300,
       2'000,
       30'000,
       4,
       30'000,
       2'000,
       {600, 10, 30, 40, 20, 4, 2, 1, 60, 60, 100, 6, 8, 5, 8, 2}},
      {"deep",
       3,
       12,
       60'000,
       400'000,
       4'000,
       4'000,
       100,
       {100, 2, 2, 4, 2, 1, 0, 0, 30, 20, 60, 1, 2, 3, 2, 0}},
      {"large",
       10,
       60'000,
       60'000,
       400'000,
       3,
       300'000,
       2'000,
       {400, 20, 20, 30, 30, 4, 2, 1, 150, 150, 220, 6, 10, 20, 10, 3}},
      {"holding",
       10,
       500,
       1'000,
       20'000,
       4,
       4'000,
       2'000,
       {400, 5, 10, 20, 20, 2, 1, 1, 100, 200, 150, 300, 200, 20, 10, 2}},
      {"staged",
       8,
       300,
       1'000,
       20'000,
       3,
       8'000,
       2'000,
       {400, 20, 40, 50, 20, 40, 25, 10, 100, 100, 150, 6, 8, 10, 60, 40}},
      {"asleep",
       20,
       200,
       50,
       600,
       60,
       2'000,
       500,
       {500, 5, 30, 40, 20, 1, 0, 0, 3, 2, 5, 1, 2, 1, 3, 0}},
  };
  return kProfiles;
}

Sequence make_sequence(std::uint64_t seed, const Profile& profile) {
  Generator generator(seed, profile);
  Sequence sequence;
  sequence.reserve(profile.operations);
  for (std::uint64_t gate = 0; gate < kGates - 1; ++gate)
    sequence.push_back({OperationKind::open_gate, {gate}});
  for (std::uint64_t route = 0; route < kRoutes - 1; ++route)
    sequence.push_back(generator.attach(route));
  while (sequence.size() < profile.operations) sequence.push_back(generator.any());
  return sequence;
}

}  // namespace fairlead::test

// Any bytes as a policy file: it is refused with problems that say where, or it is a policy whose
// rules keep their promises.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/broker/permissions.hpp>
#include <fairlead/broker/policy.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>

namespace fairlead::broker {
namespace {

constexpr std::uint32_t kOwnUid = 500;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

void check_problem(const std::string& line) {
  unsigned row = 0;
  unsigned column = 0;
  expect(std::sscanf(line.c_str(), "f:%u:%u: ", &row, &column) == 2, "a problem has a position");
  expect(row >= 1 && column >= 1, "positions count from 1");
  for (const char byte : line) expect(byte >= ' ' && byte <= '~', "a problem is printable");
}

void check_rule(const PrincipalRule& rule) {
  expect(!rule.peers.empty() || rule.minted, "somebody could attach");
  expect(rule.names.exact == false ||
             shm::check_principal(rule.names.prefix) == shm::PrincipalProblem::none,
         "an exact name is a principal's name");
  for (const PatternSet* const set : {&rule.publish, &rule.subscribe}) {
    for (const std::string& pattern : set->patterns()) {
      expect(shm::check_pattern(pattern) == shm::TopicProblem::none, "patterns are valid");
      expect(set->covers(pattern), "a set covers its own patterns");
    }
  }
  expect(rule.budget_bytes <= rule.maximum_budget_bytes, "the default budget is allowed");
  expect(rule.cap_bytes_for(rule.budget_bytes) >= rule.budget_bytes, "a cap holds its budget");
  expect((rule.publish_rate_bytes_per_second == 0) == (rule.publish_burst_bytes == 0),
         "a rate has a burst");
  for (const std::string& pattern : rule.subscribe.patterns()) {
    const SubscriptionDecision made = decide_subscription(
        rule, rule.names.exact ? rule.names.prefix : rule.names.prefix + "x", {.pattern = pattern});
    expect(made.allowed, "a wish for nothing but a listed pattern is granted");
  }
}

void run(std::string_view text) {
  const std::vector<std::string> problems = Policy::problems_of(text, "f", kOwnUid);
  for (const std::string& line : problems) check_problem(line);
  if (!problems.empty()) return;
  const Policy policy = Policy::parse(text, "f", kOwnUid);
  expect(!policy.principals().empty(), "a policy names somebody");
  for (const auto& rule : policy.principals()) {
    check_rule(*rule);
    for (const std::uint32_t uid : rule->peers.uids) {
      const AttachDecision decision =
          policy.decide_attach({.uid = uid, .gid = UINT32_MAX}, rule->names.text());
      expect(decision.allowed || !rule->names.exact, "who is listed by name may attach");
    }
  }
  expect(!policy.decide_attach({.uid = UINT32_MAX, .gid = UINT32_MAX}, "").allowed,
         "who is listed nowhere may not attach");
}

}  // namespace
}  // namespace fairlead::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fairlead::broker::run({reinterpret_cast<const char*>(data), size});
  return 0;
}

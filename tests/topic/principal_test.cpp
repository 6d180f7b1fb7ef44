#include <gtest/gtest.h>

#include <string>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/principal.hpp>

namespace fairlead::shm {
namespace {

TEST(Principal, accepts_the_names_that_people_and_agents_have) {
  for (const char* name :
       {"", "alice", "agent.scout", "agent:scout", "bob@example.org", "A-1_b.c:d"}) {
    EXPECT_EQ(check_principal(name), PrincipalProblem::none) << name;
  }
}

TEST(Principal, refuses_every_other_byte) {
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@-";
  for (int value = 0; value < 256; ++value) {
    const char byte = static_cast<char>(value);
    const bool expected = allowed.find(byte) != std::string::npos;
    EXPECT_EQ(check_principal(std::string(1, byte)) == PrincipalProblem::none, expected) << value;
  }
}

TEST(Principal, allows_128_bytes_and_no_more) {
  EXPECT_EQ(check_principal(std::string(kMaximumPrincipalBytes, 'p')), PrincipalProblem::none);
  EXPECT_EQ(check_principal(std::string(kMaximumPrincipalBytes + 1, 'p')),
            PrincipalProblem::too_long);
}

TEST(Principal, nobody_else_can_be_called_system) {
  EXPECT_EQ(check_principal("system"), PrincipalProblem::reserved);
  EXPECT_EQ(check_principal("system2"), PrincipalProblem::none);
  EXPECT_EQ(canonical_principal("system"), "");
  EXPECT_EQ(canonical_principal("alice"), "alice");
  EXPECT_EQ(displayed_principal(""), "system");
  EXPECT_EQ(displayed_principal("alice"), "alice");
}

TEST(Principal, every_problem_has_a_sentence) {
  EXPECT_EQ(sentence_of(PrincipalProblem::none), "");
  for (const PrincipalProblem problem :
       {PrincipalProblem::too_long, PrincipalProblem::bad_byte, PrincipalProblem::reserved}) {
    EXPECT_GT(sentence_of(problem).size(), 20U);
  }
}

TEST(Principal, its_class_follows_from_the_name) {
  EXPECT_EQ(class_of(""), PrincipalClass::system);
  EXPECT_EQ(class_of("alice"), PrincipalClass::user);
  EXPECT_EQ(class_of("agent"), PrincipalClass::user);
  EXPECT_EQ(class_of("agents.x"), PrincipalClass::user);
  EXPECT_EQ(class_of("Agent.x"), PrincipalClass::user);
  EXPECT_EQ(class_of("agent.scout"), PrincipalClass::agent);
  EXPECT_EQ(class_of("agent:scout"), PrincipalClass::agent);
  EXPECT_EQ(to_string(PrincipalClass::system), "system");
  EXPECT_EQ(to_string(PrincipalClass::user), "user");
  EXPECT_EQ(to_string(PrincipalClass::agent), "agent");
}

}  // namespace
}  // namespace fairlead::shm

// Values as text: of another release's number, and of UUIDs.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include <fairlead/broker/options.hpp>
#include <fairlead/broker/policy_model.hpp>
#include <fairlead/guest/subscription.hpp>
#include <fairlead/shm/error.hpp>
#include <fairlead/shm/principal.hpp>
#include <fairlead/shm/topic.hpp>
#include <fairlead/shm/uuid.hpp>

namespace fairlead::test {
namespace {

template <class Number>
std::string spelled(int number) {
  return std::string(to_string(static_cast<Number>(number)));
}

TEST(Spelled, a_number_that_this_release_does_not_know_is_called_unknown) {
  EXPECT_EQ(spelled<ErrorCode>(250), "unknown");
  EXPECT_EQ(spelled<broker::LogLevel>(250), "unknown");
  EXPECT_EQ(spelled<broker::AdmissionLimit>(250), "unknown");
  EXPECT_EQ(std::string(broker::to_string(static_cast<shm::EvictionPolicy>(250))), "unknown");
  EXPECT_EQ(spelled<shm::PrincipalClass>(250), "unknown");
  EXPECT_EQ(spelled<guest::WaitOutcome>(250), "unknown");
  EXPECT_NE(shm::sentence_of(static_cast<shm::TopicProblem>(250)), "");
  EXPECT_NE(shm::sentence_of(static_cast<shm::PrincipalProblem>(250)), "");
}

TEST(Spelled, every_error_code_has_a_name_of_its_own) {
  std::set<std::string> names;
  const int last = static_cast<int>(ErrorCode::system);
  for (int number = 0; number <= last; ++number) names.insert(spelled<ErrorCode>(number));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
}

TEST(Spelled, a_uuid_is_read_back_as_it_was_written) {
  const shm::Uuid uuid = shm::make_random_uuid();
  const std::string text = to_string(uuid);
  const auto read = shm::parse_uuid(text);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->bytes, uuid.bytes);
  const auto upper = shm::parse_uuid("00112233-4455-6677-8899-AABBCCDDEEFF");
  ASSERT_TRUE(upper.has_value());
  EXPECT_EQ(to_string(*upper), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(Spelled, what_is_no_uuid_is_not_read_as_one) {
  EXPECT_FALSE(shm::parse_uuid("").has_value());
  EXPECT_FALSE(shm::parse_uuid("00112233-4455-6677-8899-aabbccddeef").has_value());
  EXPECT_FALSE(shm::parse_uuid("00112233-4455-6677-8899-aabbccddeefg").has_value());
  EXPECT_FALSE(shm::parse_uuid("00112233+4455-6677-8899-aabbccddeeff").has_value());
  EXPECT_FALSE(shm::parse_uuid("0011-2233-4455-6677-8899aabbccddeeff").has_value());
}

}  // namespace
}  // namespace fairlead::test

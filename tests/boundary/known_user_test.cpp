#include "attach/known_user.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "support/program.hpp"

namespace fairlead::broker {
namespace {

class KnownUser : public testing::Test {
 protected:
  KnownUser() {
    std::filesystem::create_directories(proc_.path_of("self"));
    std::filesystem::create_directories(proc_.path_of("sys/kernel"));
  }
  void map(const std::string& lines) { proc_.write("self/uid_map", lines); }
  bool says(std::uint32_t number) { return says_who(IdentityKind::user, number, proc_.path()); }

  test::ScratchDirectory proc_;
};

TEST_F(KnownUser, outside_of_any_user_namespace_everybody_is) {
  map("         0          0 4294967295\n");
  EXPECT_TRUE(says(0));
  EXPECT_TRUE(says(65'534));
}

TEST_F(KnownUser, the_overflow_number_stands_for_nobody_where_it_is_not_mapped) {
  map("0 1000 1\n1 100000 65533\n");  // 65534 is the first beyond
  EXPECT_FALSE(says(65'534));
  EXPECT_TRUE(says(0));
  map("0 1000 1\n1 100000 65534\n");
  EXPECT_TRUE(says(65'534));
  map("65535 1 10\n");
  EXPECT_FALSE(says(65'534));
}

TEST_F(KnownUser, the_number_is_the_kernel_s) {
  map("0 1000 1\n");
  proc_.write("sys/kernel/overflowuid", "7\n");
  EXPECT_FALSE(says(7));
  EXPECT_TRUE(says(65'534));
}

TEST_F(KnownUser, without_proc_the_number_says_nothing) {
  EXPECT_FALSE(says_who(IdentityKind::user, 65'534, "/no/such"));
  EXPECT_TRUE(says_who(IdentityKind::user, 1'000, "/no/such"));
}

TEST_F(KnownUser, groups_have_a_map_of_their_own) {
  map("0 0 4294967295\n");
  proc_.write("self/gid_map", "0 0 1\n");
  EXPECT_FALSE(says_who(IdentityKind::group, 65'534, proc_.path()));
}

}  // namespace
}  // namespace fairlead::broker

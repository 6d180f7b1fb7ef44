#include <fairlead/shm/segment_name.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace fairlead::shm {
namespace {

TEST(SegmentNames, a_table_has_one_name_per_broker) {
  EXPECT_EQ(table_segment_name("main"), "fairlead.main.table");
  const auto parsed = parse_segment_name("fairlead.main.table");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->broker, "main");
  EXPECT_EQ(parsed->kind, SegmentKind::table);
}

TEST(SegmentNames, every_kind_survives_building_and_parsing) {
  for (const auto kind : {SegmentKind::route, SegmentKind::cursor, SegmentKind::outbox,
                          SegmentKind::receipt, SegmentKind::pool}) {
    const SegmentName name{"b-1_X", kind, UINT64_MAX, UINT64_MAX, 0x0123'4567'89ab'cdef};
    const std::string text = to_string(name);
    EXPECT_EQ(parse_segment_name(text), name) << text;
    EXPECT_EQ(parse_segment_kind(to_string(kind)), kind);
  }
}

TEST(SegmentNames, the_longest_one_has_the_documented_length) {
  const std::string text = to_string(SegmentName{std::string(kMaximumBrokerNameBytes, 'b'),
                                                 SegmentKind::receipt, UINT64_MAX, UINT64_MAX, 1});
  EXPECT_EQ(text.size(), kLongestSegmentNameBytes);
  EXPECT_TRUE(parse_segment_name(text));
}

TEST(SegmentNames, are_random) {
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) names.insert(make_segment_name("b", 1, SegmentKind::route, 1));
  EXPECT_EQ(names.size(), 100u);
}

TEST(SegmentNames, nothing_but_an_exact_name_parses) {
  const std::string good = "fairlead.b.1.route.2.0123456789abcdef";
  ASSERT_TRUE(parse_segment_name(good));
  for (const char* bad : {"",
                          "fairlead",
                          "fairlead.",
                          "fairlead.b",
                          "fairlead..table",
                          "fairlead.b.table.",
                          "fairlead.b.Table",
                          "/fairlead.b.table",
                          "fairlead.b c.table",
                          "fairlead.b.01.route.2.0123456789abcdef",
                          "fairlead.b.1.route.+2.0123456789abcdef",
                          "fairlead.b.1.route.2.0123456789abcde",
                          "fairlead.b.1.route.2.0123456789ABCDEF",
                          "fairlead.b.1.route.2.0123456789abcdef0",
                          "fairlead.b.1.route.2.0123456789abcdef.",
                          "fairlead.b.1.table.2.0123456789abcdef",
                          "fairlead.b.1.none.2.0123456789abcdef",
                          "fairlead.b.18446744073709551616.route.2.0123456789abcdef",
                          "fairlead.b.1.route..0123456789abcdef",
                          "fairlead.b.1.route.2.-123456789abcdef"}) {
    EXPECT_FALSE(parse_segment_name(bad)) << bad;
  }
  EXPECT_FALSE(parse_segment_name(good + std::string(300, 'x')));
}

TEST(SegmentNames, a_bad_broker_name_is_refused_with_the_rule) {
  const std::string too_long(kMaximumBrokerNameBytes + 1, 'b');
  for (const std::string& bad : {std::string(), std::string("a.b"), std::string("a/b"), too_long}) {
    EXPECT_FALSE(is_valid_broker_name(bad));
    const std::string sentence =
        test::expect_error(ErrorCode::invalid_argument, [&] { (void)table_segment_name(bad); });
    EXPECT_NE(sentence.find("1 to 48 bytes"), std::string::npos);
  }
}

TEST(SegmentNames, a_table_is_never_made_with_a_random_name) {
  test::expect_error(ErrorCode::invalid_argument,
                     [] { (void)make_segment_name("b", 1, SegmentKind::table, 1); });
  test::expect_error(ErrorCode::invalid_argument,
                     [] { (void)make_segment_name("b", 1, SegmentKind::none, 1); });
}

TEST(SegmentNames, listing_finds_ours_and_marks_what_only_looks_like_it) {
  char directory[] = "/tmp/fairlead_names_XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  for (const char* file : {"fairlead.b.table", "fairlead.oops", "sem.other"}) {
    std::ofstream(std::string(directory) + "/" + file) << "x";
  }
  const auto found = list_segments(directory);
  std::filesystem::remove_all(directory);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].file, "fairlead.b.table");
  EXPECT_TRUE(found[0].name);
  EXPECT_EQ(found[1].file, "fairlead.oops");
  EXPECT_FALSE(found[1].name);
  EXPECT_TRUE(list_segments("/tmp/there/is/no/such/directory").empty());
}

}  // namespace
}  // namespace fairlead::shm

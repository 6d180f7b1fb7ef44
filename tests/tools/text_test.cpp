// Numbers, names and bytes as people write and read them.
#include <gtest/gtest.h>

#include "command_line.hpp"
#include "text/aligned_table.hpp"
#include "text/encoding.hpp"
#include "text/names.hpp"
#include "text/printable.hpp"
#include "text/quantity.hpp"

namespace fairlead::tools {
namespace {

using std::chrono::nanoseconds;

template <class Call>
std::string usage_error(Call&& call) {
  try {
    call();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Quantity, bytes_have_units_of_1024) {
  EXPECT_EQ(parse_bytes("--budget", "1"), 1U);
  EXPECT_EQ(parse_bytes("--budget", "64K"), 65'536U);
  EXPECT_EQ(parse_bytes("--budget", "2M"), 2U << 20U);
  EXPECT_EQ(parse_bytes("--budget", "3G"), 3ULL << 30U);
}

TEST(Quantity, what_is_no_number_of_bytes_is_refused) {
  for (const char* text : {"", "K", "0", "-1", "1.5K", "1KB", "64 K", "99999999999999999999",
                           "17179869184G", "0x10"}) {
    EXPECT_EQ(usage_error([&] { (void)parse_bytes("--budget", text); }),
              std::string("--budget takes bytes, such as 65536, 64K or 1M, not '") + text + "'");
  }
}

TEST(Quantity, seconds_may_have_fractions) {
  EXPECT_EQ(parse_seconds("--timeout", "0.25"), nanoseconds(250'000'000));
  EXPECT_EQ(parse_seconds("--timeout", "0"), nanoseconds(0));
  EXPECT_EQ(parse_seconds("--timeout", "2"), nanoseconds(2'000'000'000));
  for (const char* text : {"", "-1", "nan", "inf", "1e30", "2s"}) {
    EXPECT_NE(usage_error([&] { (void)parse_seconds("--timeout", text); }), "nothing was thrown")
        << text;
  }
}

TEST(Quantity, counts_and_rates_are_more_than_nothing) {
  EXPECT_EQ(parse_count("--count", "12"), 12U);
  EXPECT_DOUBLE_EQ(parse_rate("--rate", "0.5"), 0.5);
  EXPECT_EQ(usage_error([] { (void)parse_count("--count", "0"); }),
            "--count takes a number from 1 on, not '0'");
  EXPECT_NE(usage_error([] { (void)parse_rate("--rate", "0"); }), "nothing was thrown");
  EXPECT_NE(usage_error([] { (void)parse_rate("--rate", "1e-300"); }), "nothing was thrown");
}

TEST(Printable, bytes_and_durations_have_about_three_digits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1'023), "1023 B");
  EXPECT_EQ(bytes_text(1'024), "1.0 KiB");
  EXPECT_EQ(bytes_text(1'536), "1.5 KiB");
  EXPECT_EQ(bytes_text(64 * 1'024), "64 KiB");
  EXPECT_EQ(bytes_text(1'048'575), "1.0 MiB");
  EXPECT_EQ(bytes_text(~std::uint64_t{0}), "16 EiB");
  EXPECT_EQ(duration_text(850), "850 ns");
  EXPECT_EQ(duration_text(12'345), "12 us");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5 s");
  EXPECT_EQ(duration_text(180'000'000'000), "3.0 min");
  EXPECT_EQ(duration_text(86'400'000'000'000 * 12), "12 d");
  EXPECT_EQ(utc_text(1'700'000'000'123'456'789), "2023-11-14T22:13:20.123456Z");
}

TEST(Printable, what_a_terminal_would_obey_is_spelled_out) {
  EXPECT_EQ(printable("a\x1b[1m\\\xff\n"), "a\\x1b[1m\\\\\\xff\\x0a");
  EXPECT_EQ(printable_line("gr\xc3\xbc\xc3\x9f \xe2\x82\xac\t\n"),
            "gr\xc3\xbc\xc3\x9f \xe2\x82\xac\\t\\n");
  EXPECT_EQ(printable_line("\xc2\x9b"
                           "31m\x7f\\\xc3"),
            "\\xc2\\x9b31m\\x7f\\\\\\xc3");
}

TEST(Printable, long_names_lose_their_middle) {
  EXPECT_EQ(shortened("abcdefgh", 8), "abcdefgh");
  EXPECT_EQ(shortened("abcdefghi", 8), "abc..ghi");
}

TEST(Encoding, utf8_is_told_from_other_bytes) {
  for (const char* good : {"", "abc", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                           "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\xff", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80",
                          "\xe2\x82", "\xe2\x28\xa1", "\xf0\x9f\x98"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(Encoding, base64_is_that_of_rfc_4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xfb\xff\xfe"), "+//+");
}

TEST(Names, admissions_are_written_as_they_are_read) {
  for (const char* text : {"all", "exactly:alice", "or-system:agent.scout", "exactly:system"}) {
    const auto admission = parse_admission(text);
    ASSERT_TRUE(admission.has_value()) << text;
    EXPECT_EQ(admission_text(admission->kind, admission->principal), text);
  }
  for (const char* text : {"", "exactly", "exactly:", "or-system:", "exactly:a b", "every"}) {
    EXPECT_FALSE(parse_admission(text).has_value()) << text;
  }
}

TEST(Names, numbers_without_a_name_are_unknown) {
  EXPECT_EQ(name_of(shm::EvictionPolicy::fair_share), "fair-share");
  EXPECT_EQ(parse_policy("fair-share"), shm::EvictionPolicy::fair_share);
  EXPECT_FALSE(parse_policy("").has_value());
  EXPECT_EQ(name_of(shm::Refusal::route_closed), "route-closed");
  EXPECT_EQ(name_of(static_cast<shm::Refusal>(77)), "unknown");
  EXPECT_EQ(name_of(static_cast<shm::EvictionPolicy>(0)), "unknown");
}

TEST(Table, columns_are_as_wide_as_their_widest_cell) {
  AlignedTable table({{.title = "who", .align = AlignedTable::Align::left, .widest = 8},
                      {.title = "n"},
                      {.title = "end", .align = AlignedTable::Align::left}});
  table.add({"bob", "1000", ""});
  table.add({"abcdefghi", "7", "x"});
  EXPECT_EQ(table.text(2),
            "  who          n  end\n"
            "  bob       1000\n"
            "  abc..ghi     7  x\n");
}

}  // namespace
}  // namespace fairlead::tools

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include <fairlead/shm/segment.hpp>

#include "call_tracer.hpp"
#include "store_log.hpp"
#include "store_tracer.hpp"
#include "support/child_process.hpp"
#include "support/test_segment.hpp"

namespace fairlead::killing {
namespace {

class StoreTracer : public testing::Test {
 protected:
  void SetUp() override {
    if (!store_tracer::kSupported) GTEST_SKIP() << "needs x86-64 and no sanitizer";
  }

  // Arms, runs, disarms in a child; gives back how many stores it made, and what it says.
  std::uint64_t trace(const std::function<void(std::byte*)>& body, std::uint64_t kill_at = 0) {
    points_.store(0);
    test::ChildProcess child([&]() -> std::string {
      shm::Segment segment =
          shm::Segment::create_sealed("fairlead.tracer", 4 * 4096, shm::SealMode::guest_writable);
      store_tracer::arm(points_, kill_at, &log_);
      body(segment.data());
      store_tracer::disarm();
      return "done";
    });
    said_ = child.result();
    return points_.load();
  }

  std::string said_;
  StoreLog& log_ = StoreLog::make();
  std::atomic<std::uint64_t>& points_ =
      *new (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          std::atomic<std::uint64_t>(0);
};

TEST_F(StoreTracer, counts_each_store_and_lets_it_happen) {
  EXPECT_EQ(trace([](std::byte* memory) {
              auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(memory);
              words[0].store(1, std::memory_order_relaxed);
              words[600].fetch_add(words[0].load() + 1);
              std::uint64_t expected = 2;
              if (!words[600].compare_exchange_strong(expected, 3)) ::_exit(1);
            }),
            3U);
  EXPECT_EQ(said_, "done");
}

TEST_F(StoreTracer, kills_right_before_the_store) {
  EXPECT_EQ(trace(
                [](std::byte* memory) {
                  auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(memory);
                  for (std::uint64_t each = 0; each < 5; ++each) words[each].store(each + 1);
                },
                4),
            4U);
  EXPECT_EQ(said_, "killed by signal 9");
}

TEST_F(StoreTracer, logs_what_changed_also_across_pages_and_by_string_instructions) {
  trace([](std::byte* memory) {
    const std::uint64_t value = 0x1122334455667788;
    asm volatile("movq %0, (%1)" : : "r"(value), "r"(memory + 4'092) : "memory");
    void* into = memory + 8'000;
    std::size_t count = 300;
    asm volatile("rep stosb" : "+D"(into), "+c"(count) : "a"('x') : "memory");
  });
  EXPECT_EQ(said_, "done");
  std::string image(4 * 4'096, '\0');
  for (std::size_t each = 0; each < log_.size(); ++each) {
    const std::string_view data = log_.data(log_[each]);
    if (log_[each].kind == StoreEvent::Kind::store)
      image.replace(log_[each].value, data.size(), data);
  }
  EXPECT_EQ(image.substr(4'092, 8), "\x88\x77\x66\x55\x44\x33\x22\x11");
  EXPECT_EQ(image.substr(8'000, 300), std::string(300, 'x'));
  EXPECT_EQ(image[8'300], '\0');
}

TEST(CallTracer, kills_before_a_call_and_before_its_result_is_seen) {
  if (*call_tracer::why_not() != '\0') GTEST_SKIP() << call_tracer::why_not();
  auto& points =
      *new (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          std::atomic<std::uint64_t>(0);
  auto& seen = (&points)[1];
  for (const std::uint64_t kill_at : {0U, 1U, 2U}) {
    points.store(0);
    seen.store(0);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    test::ChildProcess tracer([&]() -> std::string {
      call_tracer::run(
          [&] {
            call_tracer::arm();
            const ssize_t written = ::write(ends[1], "x", 1);
            call_tracer::disarm();
            seen.store(static_cast<std::uint64_t>(written));
          },
          points, kill_at);
      return "traced";
    });
    EXPECT_EQ(tracer.result(), "traced");
    EXPECT_EQ(points.load(), kill_at == 0 ? 2 : kill_at);
    EXPECT_EQ(seen.load(), kill_at == 0 ? 1 : 0);
    ::close(ends[1]);
    char byte = 0;
    EXPECT_EQ(::read(ends[0], &byte, 1), kill_at == 1 ? 0 : 1);
    ::close(ends[0]);
  }
}

}  // namespace
}  // namespace fairlead::killing

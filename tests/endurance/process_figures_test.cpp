#include "support/process_figures.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include <gtest/gtest.h>

#include <fairlead/shm/unique_fd.hpp>

#include "support/child_process.hpp"

namespace fairlead::test {
namespace {

ProcessFigures ours() { return figures_of_process(::getpid()); }

TEST(ProcessFigures, one_descriptor_more_is_seen) {
  const auto before = ours().descriptors;
  const shm::UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(before);
  EXPECT_EQ(ours().descriptors, *before + 1);
}

TEST(ProcessFigures, a_mebibyte_of_private_and_of_shared_memory_is_seen) {
  constexpr std::size_t kBytes = 1 << 20;
  for (const bool shared : {false, true}) {
    const auto before = ours();
    const int kind = shared ? MAP_SHARED : MAP_PRIVATE;
    void* const memory =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    std::memset(memory, 1, kBytes);
    const auto after = ours();
    ::munmap(memory, kBytes);
    const double more = shared ? after.shared_kib.value() - before.shared_kib.value()
                               : after.private_kib.value() - before.private_kib.value();
    EXPECT_NEAR(more, kBytes / 1'024, 300) << (shared ? "shared" : "private");
  }
}

TEST(ProcessFigures, one_thread_more_is_seen) {
  const auto before = ours().threads;
  Signal done;
  std::thread other([&done] { EXPECT_TRUE(done.wait()); });
  EXPECT_EQ(ours().threads.value(), before.value() + 1);
  done.send();
  other.join();
}

TEST(ProcessFigures, of_a_process_that_is_not_there_are_nothing) {
  const ProcessFigures none = figures_of_process(-1);
  EXPECT_FALSE(none.descriptors || none.mappings || none.threads || none.private_kib);
}

}  // namespace
}  // namespace fairlead::test

#include <fairlead/shm/last_words.hpp>

#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <new>
#include <typeinfo>

namespace fairlead::shm {
namespace {

// More than an exception takes: who has as much has terminated for another reason.
constexpr std::size_t kProbeBytes = 4'096;
constexpr std::string_view kSentence = ": out of memory\n";

constinit std::array<char, 64 + kSentence.size()> last_words{};
std::size_t last_words_bytes = 0;
int last_exit_code = EXIT_FAILURE;
std::terminate_handler handler_before = nullptr;

bool out_of_memory() noexcept {
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  if (thrown != nullptr && *thrown == typeid(std::bad_alloc)) return true;
  void* const probe = std::malloc(kProbeBytes);
  std::free(probe);
  return probe == nullptr;
}

[[noreturn]] void end_in_words() {
  if (out_of_memory()) {
    [[maybe_unused]] const ssize_t said =
        ::write(STDERR_FILENO, last_words.data(), last_words_bytes);
    ::_exit(last_exit_code);
  }
  if (handler_before != nullptr) handler_before();
  std::abort();
}

}  // namespace

void say_when_out_of_memory(std::string_view program, int exit_code) noexcept {
  program = program.substr(0, 63);
  const auto end = std::copy(program.begin(), program.end(), last_words.begin());
  std::copy(kSentence.begin(), kSentence.end(), end);
  last_words_bytes = program.size() + kSentence.size();
  last_exit_code = exit_code;
  const std::terminate_handler before = std::set_terminate(&end_in_words);
  if (before != &end_in_words) handler_before = before;
}

}  // namespace fairlead::shm

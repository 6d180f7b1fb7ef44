#include <fairlead/shm/last_words.hpp>

#include "command_line.hpp"
#include "program.hpp"

namespace {

// Before the initialisers of static objects, which may find no memory either.
[[gnu::constructor(101)]] void prepare_for_too_little_memory() {
  fairlead::shm::say_when_out_of_memory("fairlead", fairlead::tools::kExitFailed);
}

}  // namespace

int main(int count, char** arguments) { return fairlead::tools::run_program(count, arguments); }

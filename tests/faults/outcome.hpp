// What a run with one failing system call came to.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "traced_program.hpp"

namespace fairlead::test {

struct Outcome {
  TraceReport report;
  bool struck_by_pipe = false;  // EPIPE: nobody reads what it writes
  /// Those to whom anything happened but what should: told in words, and to one at most.
  std::set<std::string> sufferers{};
  /// What must not happen.
  std::vector<std::string> problems{};
  /// All that the program said on standard error.
  std::string said{};
};

/// How strict to be with a run.
struct Strictness {
  bool unnoticed = false;          // nobody may suffer
  bool whole_process = false;      // what fails is not one guest's: memory, descriptors, space
  bool leftovers_allowed = false;  // unlink() failed
};

/// One scenario, to be run many times.
class Scene {
 public:
  Scene() = default;
  virtual ~Scene() = default;
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] virtual std::string name() const = 0;
  /// `trial` holds the fault, limits and whether to trace; the scene adds the command.
  virtual Outcome run(TraceOptions trial, const Strictness& strictness) = 0;
};

/// Every line begins with one of `names` and a colon, and none is empty.
[[nodiscard]] bool says_lines_of(const std::string& text, const std::vector<std::string>& names);

}  // namespace fairlead::test

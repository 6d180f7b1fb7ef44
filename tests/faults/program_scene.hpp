// The programs of fairlead beside a broker and guests that nothing may happen to.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "outcome.hpp"

namespace fairlead::test {

/// One scene for each of `fairlead pub`, `sub`, `dump`, `run`, and a guest that does all else that
/// a guest can do.
[[nodiscard]] std::vector<std::string> program_scenes();
[[nodiscard]] std::unique_ptr<Scene> make_program_scene(const std::string& name);

}  // namespace fairlead::test

// The dump for people: at most 100 columns but for long sentences, names and paths.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "dump/model.hpp"
#include "text/paint.hpp"

namespace fairlead::tools::dump {

struct TextOptions {
  Paint paint{false};
  std::size_t most_lanes = std::numeric_limits<std::size_t>::max();  // shown of each route
};

[[nodiscard]] std::string render_text(const MachineDump& machine, const TextOptions& options);

}  // namespace fairlead::tools::dump

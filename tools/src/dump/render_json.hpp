// The dump for programs; fairlead-dump(1) describes the keys.
#pragma once

#include <string>

#include "dump/model.hpp"

namespace fairlead::tools::dump {

/// One JSON document, indented, ending with a newline. Bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string render_json(const MachineDump& machine);

}  // namespace fairlead::tools::dump

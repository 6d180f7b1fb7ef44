// What --explain says.
#pragma once

#include "sandbox/plan.hpp"

namespace fairlead::tools::sandbox {

/// To standard output.
void print_explanation(const SandboxPlan& plan, bool requires_landlock);

}  // namespace fairlead::tools::sandbox

// `fairlead run`: see fairlead-run(1).
#pragma once

namespace fairlead::tools {

/// Exit code when run itself fails, as env(1) and timeout(1) have it.
inline constexpr int kRunFailed = 125;

int run_run(int count, const char* const* arguments);

}  // namespace fairlead::tools

// `fairlead sub`: see fairlead-sub(1).
#pragma once

namespace fairlead::tools {

int run_sub(int count, const char* const* arguments);

}  // namespace fairlead::tools

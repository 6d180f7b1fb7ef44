// `fairlead pub`: see fairlead-pub(1).
#pragma once

namespace fairlead::tools {

int run_pub(int count, const char* const* arguments);

}  // namespace fairlead::tools

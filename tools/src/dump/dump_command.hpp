// `fairlead dump`: see fairlead-dump(1).
#pragma once

namespace fairlead::tools {

int run_dump(int count, const char* const* arguments);

}  // namespace fairlead::tools

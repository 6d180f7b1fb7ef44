// `fairlead doctor`: see fairlead-doctor(1).
#pragma once

namespace fairlead::tools {

int run_doctor(int count, const char* const* arguments);

}  // namespace fairlead::tools

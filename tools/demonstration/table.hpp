// The demonstration's closing table.
#pragma once

#include <string>
#include <vector>

namespace fairlead::demonstration {

// Prints what each guest was served of each principal, Jain's index, and the flooder's account.
// `files`: results of check(). Returns 0 when every guest says ok. Throws Error.
int table(const std::vector<std::string>& files);

}  // namespace fairlead::demonstration

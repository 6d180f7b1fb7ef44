// What must hold after the victim's death, for everybody else.
#pragma once

#include "stage.hpp"

namespace fairlead::killing {

/// Complains to the stage. Nothing of its broker is left in /dev/shm afterwards.
void check_survivors(Stage& stage);

}  // namespace fairlead::killing

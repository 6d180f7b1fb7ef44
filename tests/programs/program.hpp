// Where the tests of this folder look for it.
#pragma once

#include "support/program.hpp"

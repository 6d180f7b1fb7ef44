# Whole processes, which the thread sanitizer's run leaves out.
set(FAIRLEAD_TEST_LABELS processes)
add_dependencies(endurance_test soak_random_kills)

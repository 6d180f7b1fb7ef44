# The table of issue 3: two minutes, once. Elsewhere it is the sanitizers that shall see it.
set(FAIRLEAD_SOAK_ARGUMENTS --seconds 120 --nice 10)
if(FAIRLEAD_SANITIZE OR FAIRLEAD_COVERAGE)
  set(FAIRLEAD_SOAK_ARGUMENTS --seconds 10 --nice 10)
endif()
# The longest test begins first, beside all others; those that run alone do so after it.
set(FAIRLEAD_SOAK_PROPERTIES COST 1000)

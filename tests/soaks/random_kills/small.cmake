# The table of issue 3: 2,000 guests. Sanitizers and coverage take their time.
set(FAIRLEAD_SOAK_ARGUMENTS --count 2000)
if(FAIRLEAD_SANITIZE OR FAIRLEAD_COVERAGE)
  set(FAIRLEAD_SOAK_ARGUMENTS --seconds 10)
endif()

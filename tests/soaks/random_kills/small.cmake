# The table of issue 3: 2,000 guests. Sanitizers and coverage take their time.
set(FAIRLEAD_SOAK_ARGUMENTS --count 2000)
if(FAIRLEAD_SANITIZE OR FAIRLEAD_COVERAGE)
  set(FAIRLEAD_SOAK_ARGUMENTS --seconds 10)
endif()

# And 200 brokers. Off until no message comes twice or is lost unreported: see docs/soak.md.
add_test(NAME soaks.random_kills_of_brokers COMMAND soak_random_kills --count 2000 --brokers 200)
set_tests_properties(soaks.random_kills_of_brokers PROPERTIES LABELS "soaks;processes" TIMEOUT 600
                                                              DISABLED TRUE)

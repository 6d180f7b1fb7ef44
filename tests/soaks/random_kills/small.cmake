# The table of issue 3: 2,000 guests. Sanitizers and coverage take their time.
set(FAIRLEAD_SOAK_ARGUMENTS --count 2000)
if(FAIRLEAD_SANITIZE OR FAIRLEAD_COVERAGE)
  set(FAIRLEAD_SOAK_ARGUMENTS --seconds 10)
endif()

# And 200 brokers.
set(broker_arguments --count 2000 --brokers 200)
if(FAIRLEAD_SANITIZE OR FAIRLEAD_COVERAGE)
  set(broker_arguments --brokers 200 --seconds 15)
endif()
add_test(NAME soaks.random_kills_of_brokers COMMAND soak_random_kills ${broker_arguments})
set_tests_properties(soaks.random_kills_of_brokers PROPERTIES LABELS "soaks;processes" TIMEOUT 600)

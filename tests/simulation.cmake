# The command engine's proof: session, line and simulated device in virtual time.
add_library(u2k_rig STATIC simulation/rig.c simulation/matrix.c)
target_include_directories(u2k_rig PUBLIC simulation)
target_link_libraries(u2k_rig PUBLIC u2k_options u2k_ups u2k_sim)

u2k_unit(engine u2k_rig)
u2k_unit(matrix u2k_rig)

# Random lives: prints its options with --help. Enough seeds for a month.
add_executable(simulate simulation/simulate.c simulation/jobs.c simulation/schedule.c simulation/invariants.c)
target_link_libraries(simulate PRIVATE u2k_rig m)
add_test(NAME simulate COMMAND sh -c "\"$1\" --seeds 124 --days 0.25 --jobs 2 && \"$2\" --seeds 1600 --jobs 2"
	sh $<TARGET_FILE:simulate> $<TARGET_FILE:outages>)
set_tests_properties(simulate PROPERTIES TIMEOUT 900 PROCESSORS 2)
# The same for builds that are slow: with sanitizers, with the other compiler.
add_test(NAME simulate_short COMMAND simulate --seeds 4 --days 0.1)
set_tests_properties(simulate_short PROPERTIES TIMEOUT 900)

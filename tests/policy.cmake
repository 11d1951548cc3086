u2k_unit(policy_config u2k_policy)
u2k_unit(policy u2k_policy)
u2k_unit(policy_record u2k_policy)
u2k_unit(policy_play u2k_policy)
u2k_fuzz(policy_record u2k_policy)

# Outages of whole sites in virtual time: policy, sessions, simulated devices, hosts that follow.
add_executable(outages simulation/outages.c simulation/jobs.c simulation/site.c simulation/site_watch.c)
target_link_libraries(outages PRIVATE u2k_policy u2k_rig)
# Thousands of them run with the test "simulate"; these are for builds that are slow.
add_test(NAME outages_short COMMAND outages --seeds 60)
set_tests_properties(outages_short PROPERTIES TIMEOUT 900)

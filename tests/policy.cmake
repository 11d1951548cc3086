u2k_unit(policy_config u2k_policy)
u2k_unit(policy u2k_policy)

u2k_unit(client u2k_client u2k_sim)

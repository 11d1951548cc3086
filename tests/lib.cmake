u2k_unit(client u2k_client u2k_sim)
u2k_unit(port u2k_port)

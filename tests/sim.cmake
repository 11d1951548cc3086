u2k_unit(sim_device u2k_sim)
u2k_unit(sim_server u2k_sim)
u2k_unit(sim_command u2k_sim PkgConfig::JANSSON)
u2k_fuzz(sim u2k_sim)

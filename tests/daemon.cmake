u2k_unit(hub u2k_daemon)
u2k_unit(config u2k_daemon)
u2k_unit(run_parts u2k_run)
u2k_fuzz(config u2k_daemon)

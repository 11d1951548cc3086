u2k_unit(nut_vars u2k_nut u2k_ups)

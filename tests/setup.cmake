u2k_unit(from_nut u2k_setup u2k_daemon PkgConfig::CRYPT)

u2k_unit(tls u2k_tls)
u2k_unit(access u2k_front_nut)
u2k_fuzz(nut_tls u2k_front_nut PkgConfig::OPENSSL)

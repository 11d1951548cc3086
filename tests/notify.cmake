u2k_unit(wol u2k_wol)

u2k_unit(link_serial u2k_link)
u2k_unit(link_refused u2k_link)
u2k_unit(link_parts u2k_link)

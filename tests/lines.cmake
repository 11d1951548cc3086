# Lines over a network: framing, connections, names; and how UPSes share a line.
u2k_unit(mbap u2k_core u2k_util)
u2k_unit(link_tcp u2k_link)
u2k_unit(line_mbap u2k_ups)
u2k_fuzz(mbap u2k_core)

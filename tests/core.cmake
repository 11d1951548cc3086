u2k_unit(crc16 u2k_core)
u2k_unit(pdu u2k_core)
u2k_unit(devid u2k_core)
u2k_unit(rtu u2k_core)
u2k_unit(util u2k_util u2k_core)

u2k_fuzz(rtu u2k_core)
u2k_fuzz(devid u2k_core)
u2k_fuzz(pdu u2k_core)

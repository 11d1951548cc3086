u2k_unit(note u2k_late)
u2k_fuzz(note u2k_note)

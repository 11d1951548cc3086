#pragma once

#include <stdbool.h>

#include "hook/note.h"

/*
 * What NUT on this host has to do with the end of a shutdown. File formats: upsmon.conf(5),
 * ups.conf(5).
 */
struct late_nut {
	bool flag;	     /* upsmon has written its POWERDOWNFLAG */
	bool drives;	     /* NUT's own hook will switch a UPS2000 off: it has a driver for one */
	struct note primary; /* the UPSes of this host's server that upsmon is primary of */
};

/**
 * @conf_dir  NUT's configuration, "/etc/nut"
 * @hook      NUT's own hook, "/lib/systemd/system-shutdown/nutshutdown"
 */
void late_nut_look(struct late_nut *nut, const char *conf_dir, const char *hook);

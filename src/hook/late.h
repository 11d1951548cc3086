#pragma once

/*
 * The end of a shutdown: run by systemd from /lib/systemd/system-shutdown/ when all processes are
 * gone and the file systems are read-only. Switches off the UPSes named in the daemon's note (or those
 * whose shutdown NUT's upsmon on this host announced) and waits to see them off.
 */
struct late_options {
	const char *action; /* "poweroff", "halt", "reboot", "kexec" */
	const char *config, *runtime_dir;
	const char *state_dir;	 /* NULL: as configured, or the default */
	const char *nut_dir;	 /* "/etc/nut" */
	const char *nut_hook;	 /* NUT's own hook */
	const char *reboot_with; /* a program to run instead of rebooting; NULL: reboot(2) */
	unsigned seconds;	 /* for all of it */
};

enum { LATE_SECONDS = 75 }; /* systemd kills hooks at 90 s */

/** Do it. Returns 0 if there was nothing to do, or all that was to go off was seen off; else 1. */
int late_run(const struct late_options *options);

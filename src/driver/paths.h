#pragma once

/*
 * Where NUT keeps its things: its environment variables first, then ups.conf, then what the build
 * was told (NUT_CONFPATH_DEFAULT, NUT_STATEPATH_DEFAULT). All results are to free.
 */

/** ups.conf's full name. */
char *paths_conf(void);
/** The state path; from_file: ups.conf's statepath or NULL. */
char *paths_state(const char *from_file);
/** Full name of the PID file. */
char *paths_pid(const char *from_file, const char *driver, const char *section);

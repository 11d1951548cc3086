#pragma once

#include <stdbool.h>

struct nut_line;

/* What a peer of the driver's socket (upsd, upsdrvctl, another instance) may ask. Pure. */
enum request_kind {
	REQUEST_UNKNOWN,   /* also an empty line: to be deaf to */
	REQUEST_MALFORMED, /* a command or setting with words missing or left over */
	REQUEST_DUMPALL,
	REQUEST_PING,
	REQUEST_INSTCMD,
	REQUEST_SET,
	REQUEST_NOBROADCAST,
	REQUEST_NOBROADCAST_PING, /* glued together by upsdrvctl 2.8.5 */
	REQUEST_BROADCAST,	  /* value "0" or "1" */
	REQUEST_GETPID,
	REQUEST_DUMPSTATUS,
	REQUEST_DUMPVALUE,
	REQUEST_LOGOUT,
};

/* Strings are borrowed from the line. */
struct request {
	enum request_kind kind;
	const char *name;  /* INSTCMD, SET, DUMPVALUE */
	const char *value; /* SET, BROADCAST; INSTCMD's parameter or NULL */
	const char *id;	   /* tracking id, or NULL; only letters, digits, '-' and '_' */
};

/** Understand a line. Where an id can be found in a malformed one it is told. */
struct request request_parse(const struct nut_line *line);

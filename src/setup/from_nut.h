#pragma once

#include <stdbool.h>
#include <stddef.h>

struct draft;

/* What became of a setting. */
enum from_nut_fate {
	FROM_NUT_TAKEN,	     /* it stands in the draft as it was */
	FROM_NUT_CHANGED,    /* it stands there in another form, or with another value */
	FROM_NUT_NOT_NEEDED, /* nothing is lost without it */
	FROM_NUT_LEFT,	     /* ups2000d cannot do this; a person should look at it */
};

struct from_nut_line {
	const char *path; /* of the file */
	int line;
	const char *setting; /* as it stood, without secrets */
	enum from_nut_fate fate;
	const char *what; /* one sentence without a full stop */
};

/** line is borrowed for the call. */
typedef void (*from_nut_say_cb)(void *user, const struct from_nut_line *line);
/** A better name of a port that stays the same, to free; NULL if there is none. */
typedef char *(*from_nut_port_fn)(void *user, const char *port);

struct from_nut {
	const char *dir; /* where ups.conf, upsd.conf, upsd.users, upsmon.conf and nut.conf are */
	from_nut_port_fn port; /* may be NULL */
	from_nut_say_cb say;
	void *user;
};

/** What else the caller should tell. */
struct from_nut_found {
	size_t other_upses;  /* sections of other drivers: upsd has to go on for them */
	bool upsmon_here;    /* an upsmon of this host watches a UPS that was taken over */
	bool upsmon_primary; /* ... and shuts the others down */
	bool notifies;	     /* it runs a NOTIFYCMD */
};

/**
 * Take over a NUT configuration (grammar and meaning: ups.conf(5), upsd.conf(5), upsd.users(5),
 * upsmon.conf(5) of NUT 2.7.4 to 2.8). Only ups.conf has to be there. Passwords are hashed
 * (yescrypt), so this takes a moment.
 *
 * Returns false and a sentence with file, line and what would be right in error (512 bytes are
 * enough) if a file cannot be understood or none of its UPSes is a UPS2000; the draft is to be
 * thrown away then.
 */
bool from_nut(const struct from_nut *job, struct draft *draft, struct from_nut_found *found,
	      char *error, size_t error_size);

const char *from_nut_fate_text(enum from_nut_fate fate);

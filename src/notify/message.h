#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One message to one target, and its record on disk (a JSON object, one file each). Pure: no clock,
 * no file.
 */
enum message_state {
	MESSAGE_ONCE,	/* something happened */
	MESSAGE_OPEN,	/* something began and lasts */
	MESSAGE_CLOSED, /* and is over; the message that told of it has the id in thread */
	MESSAGE_BLIP,	/* it came and went, maybe several times, before anybody was told */
	MESSAGE_AGAIN,	/* still so: a reminder, or it comes and goes all the time */
	MESSAGE_TEST,	/* a person asked for it */
	MESSAGE_STATES,
};

enum { MESSAGE_ID_SIZE = 37, MESSAGE_TEXT_MAX = 4096, MESSAGE_RECORD_MAX = 32768 };

struct message {
	uint64_t seq;		  /* the order of telling, over restarts */
	char id[MESSAGE_ID_SIZE]; /* UUID: the same in every attempt */
	char thread[MESSAGE_ID_SIZE];
	enum message_state state;
	unsigned count;	  /* how often it happened, as told by this message; 1.. */
	int64_t wall_us;  /* when what is told happened */
	int64_t start_us; /* wall clock: when the condition began */
	int64_t made_us;  /* monotonic of this run; not in the record */
	int64_t until_us; /* likewise: it is not too old before that; 0 = nothing of the kind */
	char *target;	  /* name of the notify section */
	char *kind;	  /* of the event: "on-battery" */
	char *severity;	  /* "info", "warning", "alert" */
	char *ups;	  /* NULL: it concerns none */
	char *text;	  /* for people; printable UTF-8 */
	char *facts;	  /* JSON object text, or NULL */
	char *values;	  /* JSON object text: NUT variables at that moment; or NULL */
};

/** "open" for MESSAGE_OPEN. */
const char *message_state_word(enum message_state state);
/** 0, 1, 2 for info, warning, alert; anything else is info. */
unsigned message_rank(const char *severity);

/** Cut text to at most len bytes, between characters of UTF-8. */
void message_cut(char *text, size_t len);
/** Make text printable UTF-8: what is not becomes '?' or a blank. */
void message_clean(char *text);

void message_clear(struct message *message);
void message_free(struct message *message); /* on the heap; NULL is allowed */
struct message *message_copy(const struct message *message);

/** The record. free() it. */
char *message_write(const struct message *message);
/**
 * A record's text.
 *
 * Returns false if it is not one (message is then empty): damaged, another format, a member missing,
 * too long or not printable.
 */
bool message_read(const char *text, size_t len, struct message *message);

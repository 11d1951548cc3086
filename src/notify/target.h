#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * A notify section of the configuration: what is told, to whom and how. Part of struct config
 * (daemon/config.h), which owns it.
 */
enum target_type { TARGET_COMMAND, TARGET_MAIL, TARGET_WEBHOOK, TARGET_NTFY, TARGET_GOTIFY };

enum { TARGETS_MAX = 32 };

struct notify_target {
	char *name;
	enum target_type type;
	/* what */
	char **events, **ups; /* empty: all */
	size_t n_events, n_ups;
	unsigned rank; /* message_rank() from which on */
	unsigned hold_off_s, remind_s;
	bool blips;
	/* how */
	char **command; /* COMMAND: the words; MAIL: what takes the place of sendmail */
	size_t n_command;
	char **to; /* MAIL */
	size_t n_to;
	char *from, *smtp, *user, *password;  /* MAIL; NULL: not given */
	char *url, *token, *secret, *ca_file; /* WEBHOOK, NTFY, GOTIFY; NULL: not given */
	char **headers;			      /* WEBHOOK */
	size_t n_headers;
	unsigned timeout_s, expire_s;
};

/** "mail", or NULL for a number that is none. */
const char *target_type_name(unsigned type);
/** What holds where a section says nothing. */
void target_init(struct notify_target *target);
void target_close(struct notify_target *target);
/** An empty copy for which target_close() must be called. */
void target_copy(struct notify_target *to, const struct notify_target *from);

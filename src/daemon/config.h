#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nut/vars.h"

/*
 * ups2000d's configuration (docs/configuration.md). Parsed by libconfuse; every error names file,
 * line, what is wrong and what would be right. Owned as a whole: config_free() frees it all.
 */
enum {
	CONFIG_ACTION_SET = 1 << 0,
	CONFIG_ACTION_FSD = 1 << 1,
	CONFIG_ACTION_LOGIN = 1 << 2,	/* upsmon = primary or secondary */
	CONFIG_ACTION_PRIMARY = 1 << 3, /* upsmon = primary */
};

struct config_user {
	char *name;
	char *password;	    /* crypt(3) hash, or plain text (warned about); NULL: can never pass */
	bool plain;
	unsigned actions;
	char **instcmds;    /* "ALL" allows every command */
	size_t n_instcmds;
};

struct config_ups {
	char *name;
	char *desc;	    /* or NULL */
	char *port;	    /* path, tcp://..., rtu+tcp://... */
	unsigned baud;
	unsigned unit_id;   /* 1..247 */
	unsigned number;    /* 1..4 */
	char *serial;	    /* the ESN it must have, or NULL */
	char **aliases;
	size_t n_aliases;
	bool control;	    /* false: only monitored */
	unsigned status_interval_ms; /* 0 = as fast as the line allows */
	unsigned delay_shutdown, delay_start, delay_reboot; /* s */
	struct nut_override *overrides, *defaults;
	size_t n_overrides, n_defaults;
	struct nut_vars_config vars; /* points into this struct's strings */
};

struct config {
	char *path;	      /* of the file, or NULL */
	struct config_ups *ups;
	size_t n_ups;
	struct config_user *users;
	size_t n_users;
	char **nut_listen;    /* "address:port", "[v6]:port" */
	size_t n_nut_listen;
	unsigned nut_max_connections;
	unsigned nut_tracking_delay; /* s a result is kept */
	char **http_listen;   /* parsed; served by a later version */
	size_t n_http_listen;
	char *socket;	      /* path of the local API's unix socket */
	char *state_dir, *runtime_dir;
	char *run_as_user, *run_as_group;
	int log_target;	      /* enum log_target */
	int log_level;	      /* enum log_level */
};

/* One finding. fatal: the configuration cannot be used. */
typedef void (*config_message_cb)(void *user, bool fatal, const char *text);

/**
 * Read a file.
 *
 * @say  called for each error and warning with a complete line "FILE:LINE: what. What would be right"
 *
 * Returns the configuration, or NULL after at least one fatal message.
 */
struct config *config_load(const char *path, config_message_cb say, void *user);

/** The configuration without a file: one UPS "ups" at port, NUT on loopback. */
struct config *config_default(const char *port);
void config_free(struct config *config);

/** True if both describe the same device the same way (a reload need not touch it). */
bool config_ups_same(const struct config_ups *a, const struct config_ups *b);

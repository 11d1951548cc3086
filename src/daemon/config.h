#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/networks.h"
#include "notify/target.h"
#include "notify/wol.h"
#include "nut/vars.h"
#include "policy/policy.h"

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

/* Who must speak TLS before anything else is answered. */
enum config_require_tls {
	CONFIG_TLS_OPTIONAL,
	CONFIG_TLS_REMOTE, /* everybody but clients on this host */
	CONFIG_TLS_ALL,
};

/* Who may do what, besides the rights of users. An empty set allows everyone. */
struct config_access {
	struct networks connect, login, set, instcmd, fsd;
};

enum { CONFIG_STATUS_INTERVAL_MS = 100 };

struct config_user {
	char *name;
	char *password; /* crypt(3) hash, or plain text (warned about); NULL: can never pass */
	bool plain;
	unsigned actions;
	char **instcmds; /* "ALL" allows every command */
	size_t n_instcmds;
	struct networks networks; /* where it is good; empty: everywhere */
	bool weak;		  /* its password is known to the world */
};

struct config_ups {
	char *name;
	char *desc; /* or NULL */
	char *port; /* path, tcp://..., rtu+tcp://... */
	unsigned baud;
	unsigned unit_id; /* 1..247 */
	unsigned number;  /* 1..4 */
	char *serial;	  /* the ESN it must have, or NULL */
	char **aliases;
	size_t n_aliases;
	bool control;					    /* false: only monitored */
	unsigned status_interval_ms;			    /* 0 = as fast as the line allows */
	unsigned delay_shutdown, delay_start, delay_reboot; /* s */
	struct nut_override *overrides, *defaults;
	size_t n_overrides, n_defaults;
	struct nut_vars_config vars; /* points into this struct's strings */
	char **texts;		     /* memory of overrides, defaults and vars */
	size_t n_texts;
};

/* How this host's shutdown reaches somebody who has root. */
enum config_host_way {
	CONFIG_HOST_AUTO,    /* by a request where systemd runs, else by a helper */
	CONFIG_HOST_REQUEST, /* a note in the runtime directory, for ups2000-host (hook/note.h) */
	CONFIG_HOST_HELPER,  /* a process that keeps root and does nothing else */
};

/* A host to wake; struct policy_wake of the same index says when. */
struct config_wake {
	char *name, *ups; /* ups NULL: all */
	struct wol_host host;
	char *broadcast, *interface; /* NULL: every interface */
	char *seen;		     /* "address:port" that tells that it is up, or NULL */
};

/* A command of the shutdown; struct policy_command of the same stage and place says how long. */
struct config_task {
	char *name;
	char **run; /* argument vector, ends with NULL */
	unsigned timeout_s, stage;
};

struct config_shutdown {
	bool given;		     /* there is a shutdown section */
	struct policy_config policy; /* ups: the nth is the UPS of that name; arrays are ours */
	struct config_task *tasks;   /* in the order of the stages */
	size_t n_tasks;
	struct config_wake *wake;
	size_t n_wake;
	enum config_host_way way;
	char **command; /* to shut this host down, ends with NULL; NULL: the default */
};

struct config {
	char *path; /* of the file, or NULL */
	struct config_ups *ups;
	size_t n_ups;
	struct config_user *users;
	size_t n_users;
	char **nut_listen; /* "address:port", "[v6]:port" */
	size_t n_nut_listen;
	bool nut_listen_given; /* false: the loopback addresses this host has */
	unsigned nut_max_connections;
	unsigned nut_tracking_delay; /* s a result is kept */
	bool nut_starttls;
	enum config_require_tls nut_require_tls;
	unsigned nut_per_address;   /* connections, 0 = no limit */
	unsigned nut_failed_logins; /* per address until it is refused, 0 = no limit */
	struct config_access access;
	char *tls_certificate, *tls_key; /* NULL: our own; key NULL: in the certificate's file */
	char **http_listen;		 /* as nut_listen; none: no HTTP on TCP */
	size_t n_http_listen;
	char **http_names; /* what clients may call this host, besides localhost and addresses */
	size_t n_http_names;
	struct networks http_open; /* who may read without logging in */
	unsigned http_max_connections, http_per_address, http_failed_logins;
	struct notify_target *targets; /* who is notified */
	size_t n_targets;
	char *socket; /* path of the local API's unix socket; NULL: in the runtime directory */
	char *state_dir, *runtime_dir;	  /* NULL: chosen at start (runtime_dir.h) */
	char *run_as_user, *run_as_group; /* NULL: not configured */
	bool history;			  /* record */
	char *history_path;		  /* NULL: history.db in state_dir */
	unsigned history_raw;		  /* h readings are kept as they came */
	unsigned history_minute;	  /* d minutes are kept */
	unsigned history_quarter;	  /* d quarters of an hour are kept */
	unsigned history_max;		  /* MB for each UPS */
	int log_target;			  /* enum log_target */
	int log_level;			  /* enum log_level */
	struct config_shutdown shutdown;
};

/* One finding. fatal: the configuration cannot be used. */
typedef void (*config_message_cb)(void *user, bool fatal, const char *text);

/**
 * Read a file.
 *
 * @say  called for each error and warning with a line "FILE:LINE: what. What would be right."
 *
 * Returns the configuration, or NULL after at least one fatal message.
 */
struct config *config_load(const char *path, config_message_cb say, void *user);
/** The same for an open file; path is what messages call it. The file's mode is not looked at. */
struct config *config_load_fp(FILE *file, const char *path, config_message_cb say, void *user);

/** The configuration without a file: one UPS "ups" at port, NUT on loopback. */
struct config *config_default(const char *port);
void config_free(struct config *config);

/** One UPS of a configuration: what holds where nothing is said; free what it holds. */
void config_ups_init(struct config_ups *ups);
void config_ups_close(struct config_ups *ups);

/** True if both describe the same device read the same way: a reload keeps its port and session. */
bool config_ups_same_device(const struct config_ups *a, const struct config_ups *b);
/** True if both are the same in everything: a reload need not touch it at all. */
bool config_ups_same(const struct config_ups *a, const struct config_ups *b);

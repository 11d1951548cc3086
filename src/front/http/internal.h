#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include "auth/auth.h"
#include "auth/rights.h"
#include "daemon/bind.h"
#include "daemon/config.h"
#include "front/http/api.h"
#include "front/http/front.h"
#include "front/http/guard.h"
#include "front/http/local.h"
#include "front/http/metrics.h"
#include "front/http/session.h"

/*
 * What server.c (who listens), exchange.c (one request and its answer) and login.c (who asks)
 * share.
 */
struct bufferevent;
struct event;
struct evhttp_bound_socket;
struct evhttp_request;
struct evkeyvalq;
struct peer;
struct peers;
struct streams;
struct tls;
struct waiting;

/* One evhttp: all that comes through it is treated alike. */
struct door {
	struct http_front *front;
	struct evhttp *http;
	struct guard *guard;
	bool tcp, tls;
};

/* Failed logins of all addresses together, as a bucket that leaks. */
struct failures {
	unsigned n;
	int64_t at_us;
};

struct port;
TAILQ_HEAD(port_list, port);
TAILQ_HEAD(exchange_list, exchange);

struct http_front {
	struct hub *hub;
	struct guard *local_guard, *tcp_guard; /* apart: strangers must not keep us out */
	struct door local_door, tcp_door, tls_door;
	struct local_socket local; /* fd < 0: none */
	struct evhttp_bound_socket *local_bound;
	struct event *resume;	/* of listeners that ran out of descriptors */
	struct port_list ports; /* in the order of the configuration */
	struct streams *streams;
	struct stats *stats;
	struct made {
		struct blob *blob; /* NULL: not made yet */
		int64_t at_us;
	} made[METRICS_FORMATS]; /* the figures as of then */
	struct waiting *waiting; /* requests whose answer comes later */
	struct http_front_config config;
	struct tls *tls; /* NULL: none yet */

	struct auth *auth;
	bool own_auth;
	struct peers *peers;
	struct sessions *sessions;
	struct config_user decoy;      /* what an unknown user is checked against: takes as long */
	struct exchange_list checking; /* whose password is being checked */
	size_t n_checking;
	struct failures failures;
	int64_t said_failed_us, said_blocked_us; /* the last words in the log about these */
};

/* The password check under way. */
enum attempt {
	ATTEMPT_NONE,
	ATTEMPT_JOINED,	 /* the same guess was being checked already */
	ATTEMPT_CHARGED, /* counted as failed in advance */
};

/* One request until its answer. */
struct exchange {
	struct door *door;
	struct evhttp_request *req;
	struct evkeyvalq *headers; /* of the request */
	struct bufferevent *bev;
	const char *method, *target;
	bool head;
	char user[65], from[INET6_ADDRSTRLEN];
	struct sockaddr_storage peer;
	struct peer *known; /* what is held against its address */

	const struct config_user *account; /* logged in as; NULL: not */
	const struct session *session;	   /* by its cookie; NULL: not by one */
	char cookie[160];		   /* to set */
	unsigned retry_s;		   /* to tell; 0: nothing */

	TAILQ_ENTRY(exchange) node; /* while it waits */
	enum attempt attempt;
	struct auth_wait wait;
};

/* What has come of a part of the work on a request. */
enum step {
	STEP_GO,
	STEP_REPLY, /* the reply is made */
	STEP_WAIT,  /* wait.ready will come: then all is done anew */
};

/* exchange.c */
/** evhttp's callback; data is the struct door. */
void exchange_cb(struct evhttp_request *req, void *data);
/** The answer to a request that waited for it. Takes req. */
void exchange_answer(struct door *door, struct evhttp_request *req, const struct api_reply *reply);
const char *exchange_header(const struct exchange *x, const char *name);
const struct sockaddr *exchange_peer(const struct exchange *x);
bool exchange_reads(const struct exchange *x); /* GET or HEAD */
/** The request as the API sees it. */
struct api_request exchange_request(const struct exchange *x);
/** Drop an exchange that waits for a password; its request stays with the connection. */
void exchange_forget(struct exchange *x);
extern const char SESSION_TARGET[];

/** Is it for this path, whatever its query? */
bool exchange_is_for(const struct exchange *x, const char *path);
struct blob;
/** Send what is kept. */
void exchange_send(const struct exchange *x, int status, const char *type, struct blob *blob);

/* scrape.c */
struct scrape {
	const char *path;
	bool open; /* tells nothing: no login */
	enum step (*serve)(struct exchange *x, struct api_reply *reply);
};
/** NULL if it is for something else. */
const struct scrape *scrape_find(const struct exchange *x);
/** One after the other; NULL behind the last. */
const struct scrape *scrape_at(size_t i);

/* login.c */
/** Who asks? Fills account and session. */
enum step login_identify(struct exchange *x, struct api_reply *reply);
/** May they? STEP_GO or STEP_REPLY. */
enum step login_authorize(struct exchange *x, struct api_reply *reply);
/** Serve SESSION_TARGET. */
enum step login_session(struct exchange *x, struct api_reply *reply);
/** A configuration came: choose the decoy. */
void login_configure(struct http_front *front);

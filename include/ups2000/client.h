#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <ups2000/error.h>
#include <ups2000/ups.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One UPS behind one wire. The client asks, understands and commands; it has no file descriptor, no
 * clock and no thread. Its owner moves the bytes and tells the time:
 *
 *	u2k_client_link(client, true, now);              the port is open
 *	for (;;) {
 *		while ((n = u2k_client_take(client, buf, sizeof(buf), now)) > 0)
 *			write(fd, buf, n);
 *		wait for bytes, at most until u2k_client_deadline(client, now);
 *		u2k_client_feed(client, buf, n, now);    if some came
 *		look at u2k_client_snapshot(client), news, outcomes;
 *	}
 *
 * now is microseconds of any clock that never goes back (CLOCK_BOOTTIME serves best: it counts while
 * the machine sleeps), greater than 0, and in every call. A client belongs to one thread at a time.
 * The link may come and go; the client lives on.
 *
 * What is written to the UPS only comes from orders, and only from those that were looked at first:
 * docs/control.md has the rules. There are no raw writes.
 */
struct u2k_client;

/* How requests are wrapped. */
enum u2k_framing {
	U2K_RTU, /* a serial port, or a device server that passes bytes on as they are */
	U2K_MODBUS_TCP,
};

enum {
	U2K_FRAME_MAX = 260,   /* bytes of the longest request */
	U2K_ORDERS_MAX = 8,    /* orders at a time: waiting, running, or not fetched as outcome */
	U2K_NEWS_MAX = 16,     /* news not fetched; after that the oldest are forgotten */
	U2K_TEXT_MAX = 240,    /* bytes of a text, without its NUL */
	U2K_JOURNAL_MAX = 256, /* bytes of a journal with its NUL */
};

struct u2k_client_config {
	enum u2k_framing framing;
	unsigned baud;	    /* tells how long bytes take; 0 = 9600 */
	unsigned unit_id;   /* Modbus address 1..247; 0 = 1 */
	unsigned number;    /* UPS number behind it, 1..4; 0 = 1. Others than 1 are only read */
	const char *serial; /* ESN it must have to be commanded; NULL: the first one seen */
	bool control;	    /* false: only reads */
	unsigned status_interval_ms; /* 0..5000; 0 = as fast as the line allows */
	unsigned shutdown_delay_s;   /* until off: 6..5940 in steps of 6; 0 = 60 */
	unsigned start_delay_s;	     /* off before on: 60..5940 in steps of 60; 0 = 60 */
	unsigned reboot_delay_s;     /* until off in a reboot: 6..5940 in steps of 6; 0 = 60 */
	/**
	 * What u2k_client_journal() gave in an earlier process, or NULL. Without it a setting that
	 * was borrowed then is not given back.
	 */
	const char *journal;
	bool same_boot; /* the journal's clock is still the same one */
};

/**
 * Make a client. Strings are copied.
 *
 * Returns 0 and the client in *out, to be freed by u2k_client_free(); or, with *out untouched:
 *   U2K_EINVAL  a number out of range, or a journal that is none
 *   U2K_ENOMEM
 */
int u2k_client_new(const struct u2k_client_config *config, int64_t now, struct u2k_client **out);

/** NULL is allowed. Orders that have not ended have no outcome; the UPS is left as it is. */
void u2k_client_free(struct u2k_client *client);

/** The port was opened (settings: 8N1, no flow control), or it is gone. */
void u2k_client_link(struct u2k_client *client, bool up, int64_t now);

/** Bytes came. data is borrowed for the call; any len, in any portions. */
void u2k_client_feed(struct u2k_client *client, const uint8_t *data, size_t len, int64_t now);

/**
 * Do what is due and fetch the bytes to send. Call it after each other call and at the deadline,
 * until it returns 0. Send the bytes at once: the time an answer may take runs from here.
 *
 * @size  of buf, at least U2K_FRAME_MAX
 *
 * Returns how many bytes are in buf: 0, or one whole request.
 */
size_t u2k_client_take(struct u2k_client *client, uint8_t *buf, size_t size, int64_t now);

/** When u2k_client_take() is next needed if nothing comes; INT64_MAX: only after another call. */
int64_t u2k_client_deadline(struct u2k_client *client, int64_t now);

/** True if what came cannot be read any further (Modbus TCP only): connect anew. */
bool u2k_client_is_broken(const struct u2k_client *client);

/** What is known now. Borrowed, and valid until u2k_client_free(); changes in feed and take. */
const struct u2k_snapshot *u2k_client_snapshot(const struct u2k_client *client);

/** What changed in the snapshot since the last such call: U2K_CHANGED_*. */
uint64_t u2k_client_changes(struct u2k_client *client);

/* Something people should hear of, and the progress of orders. */
struct u2k_news {
	int order;	  /* what it is about, or 0 */
	const char *kind; /* short and stable: "link-up", "wrong-serial", "progress", ...; static */
	const char *severity; /* "info", "warning", "alert"; static */
	char text[U2K_TEXT_MAX + 1];
};

/** The oldest that was not fetched. False if there is none. */
bool u2k_client_news(struct u2k_client *client, struct u2k_news *news);

/**
 * Order a command: "test.battery.start.quick", "shutdown.return", ... (docs/control.md). Nothing is
 * written before its preconditions were seen in the UPS.
 *
 * @value  its parameter, or NULL; both borrowed for the call
 *
 * Returns the order's number, > 0, and u2k_client_outcome() will tell its end once; or
 *   U2K_EINVAL   no name
 *   U2K_EBUSY    U2K_ORDERS_MAX orders have not ended, or were not fetched
 *   U2K_ENOTSUP  this client only reads
 */
int u2k_client_command(struct u2k_client *client, const char *name, const char *value, int64_t now);

/** Likewise a setting by NUT's name for it: "ups.delay.shutdown", "ups.beeper.status", ... */
int u2k_client_set(struct u2k_client *client, const char *name, const char *value, int64_t now);

struct u2k_end {
	int order;
	enum u2k_outcome outcome; /* U2K_VERIFIED, U2K_REFUSED or U2K_FAILED */
	int error; /* refused: U2K_EINVAL (value), U2K_ENOTSUP (no such thing), U2K_EREFUSED; else 0 */
	char text[U2K_TEXT_MAX + 1]; /* what was seen, one sentence */
};

/** The end of an order, each once, in the order they ended. False if there is none. */
bool u2k_client_outcome(struct u2k_client *client, struct u2k_end *end);

/**
 * True if a switch-off is counting down, and in how many seconds it is due (0 = now or past).
 * due_in_s may be NULL.
 */
bool u2k_client_pending(const struct u2k_client *client, int64_t now, int64_t *due_in_s);

/**
 * What must survive this process: settings of the UPS that a command borrowed and owes it. A command
 * that borrows waits until it is kept, for 3 s; then, and after u2k_client_journal_kept(client,
 * false), what would have to borrow for long is refused.
 *
 * @text  gets one line of text, U2K_JOURNAL_MAX bytes, for u2k_client_config of a later process
 *
 * Returns true if there is a new one since the last such call; else false with text untouched.
 */
bool u2k_client_journal(struct u2k_client *client, char text[U2K_JOURNAL_MAX]);

/** The journal fetched last is on disk (fsync), or cannot be kept. */
void u2k_client_journal_kept(struct u2k_client *client, bool ok);

#ifdef __cplusplus
}
#endif

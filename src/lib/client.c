#include <ups2000/client.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/journal.h"
#include "ups/line.h"
#include "ups/session.h"

static_assert((int)U2K_RTU == FRAMING_RTU && (int)U2K_MODBUS_TCP == FRAMING_MBAP,
	      "one set of numbers");
static_assert((int)U2K_FRAME_MAX == FRAMING_ADU_MAX && (int)U2K_TEXT_MAX == ENGINE_TEXT_MAX,
	      "public sizes are the real ones");

struct u2k_client {
	struct line *line;
	struct session *session;
	bool control;

	uint8_t out[FRAMING_ADU_MAX]; /* the request the line wants sent */
	size_t out_len;

	uint64_t changes;
	struct u2k_news news[U2K_NEWS_MAX];
	unsigned first_news, n_news;
	struct u2k_end ends[U2K_ORDERS_MAX];
	unsigned first_end, n_ends;
	unsigned open; /* orders without an outcome yet; open + n_ends <= U2K_ORDERS_MAX */
	int last_order;

	struct engine_journal journal;
	bool journal_new;
};

static bool on_tx(void *user, const uint8_t *data, size_t len)
{
	struct u2k_client *client = user;

	if (client->out_len || len > sizeof(client->out))
		return false; /* the owner left one lying; this one times out */
	memcpy(client->out, data, len);
	client->out_len = len;
	return true;
}

static void on_changed(void *user, const struct u2k_snapshot *snap, uint64_t mask)
{
	struct u2k_client *client = user;

	(void)snap;
	client->changes |= mask;
}

static void add_news(struct u2k_client *client, int order, const char *kind, const char *severity,
		     const char *text)
{
	struct u2k_news *news;

	if (client->n_news == U2K_NEWS_MAX) {
		client->first_news = (client->first_news + 1) % U2K_NEWS_MAX;
		client->n_news--;
	}
	news = &client->news[(client->first_news + client->n_news++) % U2K_NEWS_MAX];
	*news = (struct u2k_news){ .order = order, .kind = kind, .severity = severity };
	snprintf(news->text, sizeof(news->text), "%s", text);
}

static void on_event(void *user, const char *kind, const char *severity, const char *text)
{
	add_news(user, 0, kind, severity, text);
}

static void on_progress(void *user, uint64_t token, const char *text)
{
	add_news(user, (int)token, "progress", "info", text);
}

static void on_done(void *user, uint64_t token, enum u2k_outcome outcome, int error,
		    const char *text)
{
	struct u2k_client *client = user;
	struct u2k_end *end;

	end = &client->ends[(client->first_end + client->n_ends++) % U2K_ORDERS_MAX];
	*end = (struct u2k_end){ .order = (int)token, .outcome = outcome, .error = error };
	snprintf(end->text, sizeof(end->text), "%s", text);
	client->open--;
}

static void on_journal(void *user, const struct engine_journal *journal)
{
	struct u2k_client *client = user;

	client->journal = *journal;
	client->journal_new = true;
}

static void on_delays(void *user, const struct engine_delays *delays)
{
	(void)user; /* the engine keeps them as long as the client lives */
	(void)delays;
}

/* The device counts in these steps. */
static bool is_delay(unsigned seconds, unsigned step)
{
	return seconds >= step && seconds <= 5940 && seconds % step == 0;
}

static bool is_good(const struct session_config *session, const struct u2k_client_config *config)
{
	return (config->framing == U2K_RTU || config->framing == U2K_MODBUS_TCP) &&
	       (!config->baud || (config->baud >= 300 && config->baud <= 4000000)) &&
	       session->unit_id >= 1 && session->unit_id <= 247 && session->number >= 1 &&
	       session->number <= 4 && config->status_interval_ms <= 5000 &&
	       (!config->serial ||
		strlen(config->serial) < sizeof(((struct u2k_identity *)0)->esn)) &&
	       is_delay(session->delays.shutdown_s, 6) && is_delay(session->delays.start_s, 60) &&
	       is_delay(session->delays.reboot_s, 6);
}

int u2k_client_new(const struct u2k_client_config *config, int64_t now, struct u2k_client **out)
{
	static const struct session_ops ops = {
		.changed = on_changed,
		.event = on_event,
		.progress = on_progress,
		.done = on_done,
		.journal = on_journal,
		.delays = on_delays,
	};
	struct session_config session = {
		.unit_id = config->unit_id ? config->unit_id : 1,
		.number = config->number ? config->number : 1,
		.serial = config->serial,
		.control = config->control,
		.status_interval_us = config->status_interval_ms * U2K_MSEC,
		.delays = {
			.shutdown_s = config->shutdown_delay_s ? config->shutdown_delay_s : 60,
			.start_s = config->start_delay_s ? config->start_delay_s : 60,
			.reboot_s = config->reboot_delay_s ? config->reboot_delay_s : 60,
		},
	};
	struct engine_journal journal;
	struct line_params params;
	struct u2k_client *client;

	if (!is_good(&session, config) ||
	    (config->journal && !journal_parse(config->journal, &journal)))
		return U2K_EINVAL;
	client = calloc(1, sizeof(*client));
	if (!client)
		return U2K_ENOMEM;
	line_params_default(&params);
	params.framing = (enum framing)config->framing;
	if (config->baud)
		params.baud = config->baud;
	client->line = line_new(&params, on_tx, client);
	if (!client->line)
		goto line_new;
	client->session = session_new(client->line, &session, &ops, client);
	if (!client->session)
		goto session_new;
	client->control = session_engine(client->session) != NULL;
	if (config->journal)
		session_restore(client->session, &journal, config->same_boot, now);
	*out = client;
	return 0;

session_new:
	line_free(client->line);
line_new:
	free(client);
	return U2K_ENOMEM;
}

void u2k_client_free(struct u2k_client *client)
{
	if (!client)
		return;
	session_free(client->session);
	line_free(client->line);
	free(client);
}

void u2k_client_link(struct u2k_client *client, bool up, int64_t now)
{
	client->out_len = 0;
	line_link(client->line, up, now);
	session_link(client->session, up, now);
}

void u2k_client_feed(struct u2k_client *client, const uint8_t *data, size_t len, int64_t now)
{
	line_rx(client->line, data, len, now);
}

size_t u2k_client_take(struct u2k_client *client, uint8_t *buf, size_t size, int64_t now)
{
	size_t len;

	line_run(client->line, now);
	len = client->out_len;
	if (!len || size < len)
		return 0;
	memcpy(buf, client->out, len);
	client->out_len = 0;
	return len;
}

int64_t u2k_client_deadline(struct u2k_client *client, int64_t now)
{
	return client->out_len ? now : line_deadline(client->line, now);
}

bool u2k_client_is_broken(const struct u2k_client *client)
{
	return line_is_broken(client->line);
}

const struct u2k_snapshot *u2k_client_snapshot(const struct u2k_client *client)
{
	return session_snapshot(client->session);
}

uint64_t u2k_client_changes(struct u2k_client *client)
{
	uint64_t changes = client->changes;

	client->changes = 0;
	return changes;
}

bool u2k_client_news(struct u2k_client *client, struct u2k_news *news)
{
	if (!client->n_news)
		return false;
	*news = client->news[client->first_news];
	client->first_news = (client->first_news + 1) % U2K_NEWS_MAX;
	client->n_news--;
	return true;
}

static int order(struct u2k_client *client, bool setting, const char *name, const char *value,
		 int64_t now)
{
	if (!client->control)
		return U2K_ENOTSUP;
	if (!name || !*name)
		return U2K_EINVAL;
	if (client->open + client->n_ends >= U2K_ORDERS_MAX)
		return U2K_EBUSY;
	client->last_order = client->last_order % INT32_MAX + 1;
	client->open++;
	session_order(client->session, (uint64_t)client->last_order, setting, name, value, now);
	return client->last_order;
}

int u2k_client_command(struct u2k_client *client, const char *name, const char *value, int64_t now)
{
	return order(client, false, name, value, now);
}

int u2k_client_set(struct u2k_client *client, const char *name, const char *value, int64_t now)
{
	return value ? order(client, true, name, value, now) : U2K_EINVAL;
}

bool u2k_client_outcome(struct u2k_client *client, struct u2k_end *end)
{
	if (!client->n_ends)
		return false;
	*end = client->ends[client->first_end];
	client->first_end = (client->first_end + 1) % U2K_ORDERS_MAX;
	client->n_ends--;
	return true;
}

bool u2k_client_pending(const struct u2k_client *client, int64_t now, int64_t *due_in_s)
{
	int64_t due;

	if (!client->control || !engine_pending(session_engine(client->session), now, &due))
		return false;
	if (due_in_s)
		*due_in_s = due;
	return true;
}

bool u2k_client_journal(struct u2k_client *client, char text[U2K_JOURNAL_MAX])
{
	if (!client->journal_new)
		return false;
	client->journal_new = false;
	journal_print(&client->journal, text);
	return true;
}

void u2k_client_journal_kept(struct u2k_client *client, bool ok)
{
	session_journal_saved(client->session, ok);
}

#include "front/nut/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"
#include <ups2000/error.h>

static const char NO_DESC[] = "Description unavailable";

/* "FSD " and the status without the FSD it may contain already. */
static void fsd_status(char *out, const char *status)
{
	char *p = stpcpy(out, "FSD");

	while (*status) {
		size_t len = strcspn(status, " ");

		if (len && !(len == 3 && memcmp(status, "FSD", 3) == 0)) {
			*p++ = ' ';
			p = mempcpy(p, status, len);
		}
		status += len + (status[len] == ' ');
	}
	*p = '\0';
}

const char *command_value(const struct hub_ups *ups, const char *name, const char *value, char *buf)
{
	if (!ups->fsd || strcasecmp(name, "ups.status") != 0)
		return value;
	fsd_status(buf, value);
	return buf;
}

static enum verdict get_server_var(struct conn *conn, const char *ups, const char *name)
{
	struct out *out = &conn->server->out;
	bool info = strcasecmp(name, "server.info") == 0;

	if (!info && strcasecmp(name, "server.version") != 0)
		return reply_error(conn, "VAR-NOT-SUPPORTED");
	out_begin(out);
	out_put(out, "VAR");
	out_word(out, ups);
	out_word(out, info ? "server.info" : "server.version");
	out_quoted(out, info ? command_server_info : U2K_VERSION);
	return reply_end(conn);
}

static enum verdict get_var(struct conn *conn, const struct nut_line *line)
{
	const char *name = line->words[2], *arg = line->words[3];
	struct out *out = &conn->server->out;
	char buf[NUT_VALUE_MAX + 8];
	const struct nut_var *var;
	enum verdict verdict;
	struct hub_ups *ups;

	if (strncasecmp(arg, "server.", 7) == 0)
		return get_server_var(conn, name, arg);
	ups = command_ups(conn, name, &verdict);
	if (!ups)
		return verdict;
	var = nut_store_find(ups->store, arg);
	if (!var)
		return reply_error(conn, "VAR-NOT-SUPPORTED");
	out_begin(out);
	out_put(out, "VAR");
	out_word(out, name);
	out_word(out, arg);
	out_quoted(out, command_value(ups, var->name, var->value, buf));
	return reply_end(conn);
}

static enum verdict get_type(struct conn *conn, const struct nut_line *line)
{
	struct out *out = &conn->server->out;
	enum verdict verdict;
	struct hub_ups *ups = command_ups(conn, line->words[2], &verdict);
	const struct nut_var *var;
	char text[32];

	if (!ups)
		return verdict;
	var = nut_store_find(ups->store, line->words[3]);
	if (!var)
		return reply_error(conn, "VAR-NOT-SUPPORTED");
	out_begin(out);
	out_put(out, "TYPE");
	out_word(out, line->words[2]);
	out_word(out, line->words[3]);
	if (var->flags & NUT_RW)
		out_word(out, "RW");
	if (var->n_enums)
		out_word(out, "ENUM");
	if (var->n_ranges)
		out_word(out, "RANGE");
	if (var->flags & NUT_STRING)
		snprintf(text, sizeof(text), "STRING:%u", var->aux);
	out_word(out, var->flags & NUT_STRING ? text : "NUMBER");
	return reply_end(conn);
}

static enum verdict describe(struct conn *conn, const struct nut_line *line, const char *word,
			     const char *text)
{
	struct out *out = &conn->server->out;
	enum verdict verdict;

	if (!command_ups(conn, line->words[2], &verdict))
		return verdict;
	out_begin(out);
	out_put(out, word);
	out_word(out, line->words[2]);
	out_word(out, line->words[3]);
	out_bare_quoted(out, text ? text : NO_DESC);
	return reply_end(conn);
}

static enum verdict get_desc(struct conn *conn, const struct nut_line *line)
{
	return describe(conn, line, "DESC", nut_var_desc(line->words[3]));
}

static enum verdict get_cmddesc(struct conn *conn, const struct nut_line *line)
{
	return describe(conn, line, "CMDDESC", nut_cmd_desc(line->words[3]));
}

static enum verdict get_upsdesc(struct conn *conn, const struct nut_line *line)
{
	struct out *out = &conn->server->out;
	const struct hub_ups *ups = command_any_ups(conn, line->words[2]);

	if (!ups)
		return DONE;
	out_begin(out);
	out_put(out, "UPSDESC");
	out_word(out, line->words[2]);
	out_quoted(out, ups->desc ? ups->desc : "Unavailable");
	return reply_end(conn);
}

/* Needs no data: a primary that asked while data are stale would not wait for its secondaries. */
static enum verdict get_numlogins(struct conn *conn, const struct nut_line *line)
{
	struct out *out = &conn->server->out;
	const struct hub_ups *ups = command_any_ups(conn, line->words[2]);
	char number[16];

	if (!ups)
		return DONE;
	snprintf(number, sizeof(number), "%u", ups->logins);
	out_begin(out);
	out_put(out, "NUMLOGINS");
	out_word(out, line->words[2]);
	out_word(out, number);
	return reply_end(conn);
}

static enum verdict get_tracking(struct conn *conn, const struct nut_line *line)
{
	const struct hub_order *order;

	if (line->n == 2)
		return reply_line(conn, conn->tracking ? "ON" : "OFF");
	if (!conn->tracking)
		return reply_error(conn, "FEATURE-NOT-CONFIGURED");
	order = hub_order_find(conn->server->hub, line->words[2]);
	if (!order)
		return reply_error(conn, "UNKNOWN");
	switch (order->outcome) {
	case U2K_PENDING:
		return reply_line(conn, "PENDING");
	case U2K_VERIFIED:
		return reply_line(conn, "SUCCESS");
	case U2K_REFUSED:
		if (order->error == U2K_EINVAL)
			return reply_error(conn, "INVALID-ARGUMENT");
		return reply_error(conn, order->error == U2K_ENOTSUP ? "UNKNOWN" : "FAILED");
	case U2K_FAILED:
		break;
	}
	return reply_error(conn, "FAILED");
}

enum verdict command_get(struct conn *conn, const struct nut_line *line)
{
	static const struct {
		const char *word;
		size_t words; /* at least */
		enum verdict (*run)(struct conn *conn, const struct nut_line *line);
	} gets[] = {
		{ "VAR", 4, get_var },		 { "TYPE", 4, get_type },
		{ "DESC", 4, get_desc },	 { "CMDDESC", 4, get_cmddesc },
		{ "UPSDESC", 3, get_upsdesc },	 { "NUMLOGINS", 3, get_numlogins },
		{ "TRACKING", 2, get_tracking },
	};

	for (size_t i = 0; line->n > 1 && i < ARRAY_SIZE(gets); i++)
		if (line->n >= gets[i].words && strcasecmp(line->words[1], gets[i].word) == 0)
			return gets[i].run(conn, line);
	return reply_error(conn, "INVALID-ARGUMENT");
}

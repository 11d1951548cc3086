#include "front/nut/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config.h"
#include "daemon/hub.h"
#include "nut/store.h"
#include <ups2000/error.h>

/* A decimal number and nothing else: "60xyz" must not reach the UPS as 60. */
static bool is_number(const char *s)
{
	size_t digits;

	s += *s == '-' || *s == '+';
	digits = strspn(s, "0123456789");
	s += digits;
	if (*s == '.') {
		size_t behind = strspn(++s, "0123456789");

		digits += behind;
		s += behind;
	}
	return digits && !*s;
}

static bool in_ranges(const struct nut_var *var, const char *value)
{
	char *end;
	long number = strtol(value, &end, 10);

	if (!is_number(value) || *end)
		return false;
	for (size_t i = 0; i < var->n_ranges; i++)
		if (number >= var->ranges[i].min && number <= var->ranges[i].max)
			return true;
	return false;
}

static bool in_enums(const struct nut_var *var, const char *value)
{
	for (size_t i = 0; i < var->n_enums; i++)
		if (strcmp(var->enums[i], value) == 0)
			return true;
	return false;
}

/* What stock says about a value, or NULL if it is fit to be sent. */
static const char *wrong_with(const struct nut_var *var, const char *value)
{
	if (!var)
		return "VAR-NOT-SUPPORTED";
	if (!(var->flags & NUT_RW))
		return "READONLY";
	if (var->flags & NUT_STRING && !var->aux)
		return "SET-FAILED";
	if (var->flags & NUT_STRING && strlen(value) > var->aux)
		return "TOO-LONG";
	if (var->n_enums && !in_enums(var, value))
		return "INVALID-VALUE";
	if (var->n_ranges && !in_ranges(var, value))
		return "INVALID-VALUE";
	if (var->flags & NUT_NUMBER && !var->n_enums && !is_number(value))
		return "INVALID-VALUE";
	return NULL;
}

static enum verdict place_order(struct conn *conn, struct hub_ups *ups, enum hub_order_kind kind,
				const char *name, const char *value)
{
	struct out *out = &conn->server->out;
	bool set = kind == HUB_ORDER_SET;
	char address[ADDRESS_SIZE];
	const struct hub_order *order;

	conn_address(conn, address);
	order = hub_order(ups, kind, name, value, conn->username, address);
	if (conn->tracking) {
		out_begin(out);
		out_put(out, "OK TRACKING");
		out_word(out, order->id);
		return reply_end(conn);
	}
	if (order->outcome != U2K_REFUSED)
		return reply_line(conn, "OK");
	if (order->error == U2K_EINVAL)
		return reply_error(conn, set ? "INVALID-VALUE" : "INVALID-ARGUMENT");
	return reply_error(conn, set ? "SET-FAILED" : "INSTCMD-FAILED");
}

static enum verdict set_var(struct conn *conn, const struct nut_line *line)
{
	enum verdict verdict;
	struct hub_ups *ups = command_ups(conn, line->words[2], &verdict);
	const struct nut_var *var;
	const char *wrong;

	if (!ups || !command_allowed(conn, CONFIG_ACTION_SET, NULL, &verdict))
		return verdict;
	var = nut_store_find(ups->store, line->words[3]);
	wrong = wrong_with(var, line->words[4]);
	if (wrong)
		return reply_error(conn, wrong);
	return place_order(conn, ups, HUB_ORDER_SET, var->name, line->words[4]);
}

static enum verdict set_tracking(struct conn *conn, const char *value)
{
	bool on = strcasecmp(value, "ON") == 0;

	if (!on && strcasecmp(value, "OFF") != 0)
		return reply_error(conn, "INVALID-ARGUMENT");
	conn->tracking = on;
	return reply_line(conn, "OK");
}

enum verdict command_set(struct conn *conn, const struct nut_line *line)
{
	if (line->n >= 5 && strcasecmp(line->words[1], "VAR") == 0)
		return set_var(conn, line);
	if (line->n >= 3 && strcasecmp(line->words[1], "TRACKING") == 0)
		return set_tracking(conn, line->words[2]);
	return reply_error(conn, "INVALID-ARGUMENT");
}

/*
 * Stock drops the parameter when there is a word too many and runs the command without it, so
 * "load.off.delay 10 s" switches off at once. Here that is an error.
 */
enum verdict command_instcmd(struct conn *conn, const struct nut_line *line)
{
	enum verdict verdict;
	struct hub_ups *ups;
	const char *cmd;

	if (command_arguments(line) < 2 || command_arguments(line) > 3)
		return reply_error(conn, "INVALID-ARGUMENT");
	ups = command_ups(conn, line->words[1], &verdict);
	if (!ups)
		return verdict;
	cmd = nut_store_find_cmd(ups->store, line->words[2]);
	if (!cmd)
		return reply_error(conn, "CMD-NOT-SUPPORTED");
	if (!command_allowed(conn, 0, cmd, &verdict))
		return verdict;
	return place_order(conn, ups, HUB_ORDER_COMMAND, cmd, line->n > 3 ? line->words[3] : NULL);
}

#include "driver/request.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "nut/lexer.h"
#include "util/util.h"

enum { ID_MAX = 64 };

static bool id_ok(const char *id)
{
	size_t len = strlen(id);

	return len && len <= ID_MAX &&
	       strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
		       len;
}

/* INSTCMD c [p] [TRACKING id], SET v value [TRACKING id]: what stands at the fixed places. */
static void parse_order(const struct nut_line *line, struct request *request)
{
	size_t n = line->n + line->extra, values = n;

	if (n >= 4 && !line->extra && strcasecmp(line->words[n - 2], "TRACKING") == 0) {
		values = n - 2;
		if (id_ok(line->words[n - 1]))
			request->id = line->words[n - 1];
	}
	if (values < 2 || values > 3 || (request->kind == REQUEST_SET && values != 3)) {
		request->kind = REQUEST_MALFORMED;
		for (size_t i = 1; i + 1 < line->n && !request->id; i++)
			if (strcasecmp(line->words[i], "TRACKING") == 0 &&
			    id_ok(line->words[i + 1]))
				request->id = line->words[i + 1];
		return;
	}
	request->name = line->words[1];
	request->value = values == 3 ? line->words[2] : NULL;
}

struct request request_parse(const struct nut_line *line)
{
	static const struct {
		const char *word;
		enum request_kind kind;
		size_t arguments; /* at least */
	} rows[] = {
		{ "DUMPALL", REQUEST_DUMPALL, 0 },
		{ "PING", REQUEST_PING, 0 },
		{ "INSTCMD", REQUEST_INSTCMD, 0 },
		{ "SET", REQUEST_SET, 0 },
		{ "NOBROADCAST", REQUEST_NOBROADCAST, 0 },
		{ "NOBROADCASTPING", REQUEST_NOBROADCAST_PING, 0 },
		{ "BROADCAST", REQUEST_BROADCAST, 1 },
		{ "GETPID", REQUEST_GETPID, 0 },
		{ "DUMPSTATUS", REQUEST_DUMPSTATUS, 0 },
		{ "DUMPVALUE", REQUEST_DUMPVALUE, 1 },
		{ "LOGOUT", REQUEST_LOGOUT, 0 },
	};
	struct request request = { .kind = REQUEST_UNKNOWN };

	if (line->n == 0)
		return request;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcasecmp(line->words[0], rows[i].word) == 0 && line->n > rows[i].arguments)
			request.kind = rows[i].kind;

	if (request.kind == REQUEST_INSTCMD || request.kind == REQUEST_SET)
		parse_order(line, &request);
	else if (request.kind == REQUEST_DUMPVALUE)
		request.name = line->words[1];
	else if (request.kind == REQUEST_BROADCAST)
		request.value = line->words[1];
	return request;
}

#include "front/nut/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/hub.h"
#include "nut/store.h"
#include "util/util.h"

/* "BEGIN LIST VAR ups" and the like; the words stand as the client wrote them. */
static void frame(struct out *out, const char *edge, const char *kind, const char *ups,
		  const char *var)
{
	out_begin(out);
	out_put(out, edge);
	out_word(out, "LIST");
	out_word(out, kind);
	if (ups)
		out_word(out, ups);
	if (var)
		out_word(out, var);
	out_end(out);
}

static void quoted_line(struct out *out, const char *kind, const char *ups, const char *name,
			const char *value)
{
	out_begin(out);
	out_put(out, kind);
	out_word(out, ups);
	if (name)
		out_word(out, name);
	out_quoted(out, value);
	out_end(out);
}

static void render_vars(struct out *out, const struct hub_ups *ups, const char *as, bool rw_only)
{
	const char *kind = rw_only ? "RW" : "VAR";
	char buf[NUT_VALUE_MAX + 8];

	frame(out, "BEGIN", kind, as, NULL);
	for (size_t i = 0; i < nut_store_count(ups->store); i++) {
		const struct nut_var *var = nut_store_at(ups->store, i);

		if (!rw_only || var->flags & NUT_RW)
			quoted_line(out, kind, as, var->name,
				    command_value(ups, var->name, var->value, buf));
	}
	frame(out, "END", kind, as, NULL);
}

static void render_cmds(struct out *out, const struct hub_ups *ups, const char *as)
{
	frame(out, "BEGIN", "CMD", as, NULL);
	for (size_t i = 0; i < nut_store_cmd_count(ups->store); i++) {
		out_begin(out);
		out_put(out, "CMD");
		out_word(out, as);
		out_word(out, nut_store_cmd_at(ups->store, i));
		out_end(out);
	}
	frame(out, "END", "CMD", as, NULL);
}

enum { LIST_VARS, LIST_RW, LIST_CMDS };

static void render(struct out *out, const struct hub_ups *ups, int kind, const char *as)
{
	if (kind == LIST_CMDS)
		render_cmds(out, ups, as);
	else
		render_vars(out, ups, as, kind == LIST_RW);
}

static void forget(struct cached_list *list)
{
	free(list->name);
	free(list->data);
	*list = (struct cached_list){ 0 };
}

void lists_forget(struct nut_server *s, const struct hub_ups *ups)
{
	for (size_t i = 0; i < CACHED_LISTS; i++)
		if (!ups || s->lists[i].ups == ups)
			forget(&s->lists[i]);
}

/* By name as written, so that aliases do not push each other out. */
static struct cached_list *slot_of(struct nut_server *s, const char *as, int kind)
{
	uint32_t hash = 2166136261u + (uint32_t)kind;

	for (; *as; as++)
		hash = (hash ^ (unsigned char)*as) * 16777619u;
	return &s->lists[(hash ^ hash >> 16) % CACHED_LISTS];
}

/* These lists stay the same until the store changes: written once, then copied. */
static enum verdict list_cached(struct conn *conn, const struct nut_line *line, int kind)
{
	struct nut_server *s = conn->server;
	const char *as = line->words[2];
	enum verdict verdict;
	struct hub_ups *ups = command_ups(conn, as, &verdict);
	struct cached_list *list;
	size_t begin = s->out.len;

	if (!ups)
		return verdict;
	list = slot_of(s, as, kind);
	if (list->ups == ups && list->kind == kind && list->fsd == ups->fsd &&
	    list->version == nut_store_version(ups->store) && strcmp(list->name, as) == 0) {
		out_append(&s->out, list->data, list->len);
		return DONE;
	}
	forget(list);
	render(&s->out, ups, kind, as);
	list->ups = ups;
	list->kind = kind;
	list->fsd = ups->fsd;
	list->version = nut_store_version(ups->store);
	list->name = xstrdup(as);
	list->len = s->out.len - begin;
	list->data = xmalloc(list->len);
	memcpy(list->data, s->out.data + begin, list->len);
	return DONE;
}

static enum verdict list_var(struct conn *conn, const struct nut_line *line)
{
	return list_cached(conn, line, LIST_VARS);
}

static enum verdict list_rw(struct conn *conn, const struct nut_line *line)
{
	return list_cached(conn, line, LIST_RW);
}

static enum verdict list_cmd(struct conn *conn, const struct nut_line *line)
{
	return list_cached(conn, line, LIST_CMDS);
}

static enum verdict list_ups(struct conn *conn, const struct nut_line *line)
{
	struct out *out = &conn->server->out;
	const struct hub *hub = conn->server->hub;

	(void)line;
	frame(out, "BEGIN", "UPS", NULL, NULL);
	for (size_t i = 0; i < hub_ups_count(hub); i++) {
		const struct hub_ups *ups = hub_ups_at(hub, i);

		quoted_line(out, "UPS", ups->name, NULL,
			    ups->desc ? ups->desc : "Description unavailable");
	}
	frame(out, "END", "UPS", NULL, NULL);
	return DONE;
}

static const struct nut_var *list_of(struct conn *conn, const struct nut_line *line,
				     enum verdict *verdict)
{
	struct hub_ups *ups = command_ups(conn, line->words[2], verdict);
	const struct nut_var *var = ups ? nut_store_find(ups->store, line->words[3]) : NULL;

	if (ups && !var)
		reply_error(conn, "VAR-NOT-SUPPORTED");
	return var;
}

static enum verdict list_enum(struct conn *conn, const struct nut_line *line)
{
	const char *as = line->words[2], *name = line->words[3];
	struct out *out = &conn->server->out;
	enum verdict verdict;
	const struct nut_var *var = list_of(conn, line, &verdict);

	if (!var)
		return verdict;
	frame(out, "BEGIN", "ENUM", as, name);
	for (size_t i = 0; i < var->n_enums; i++)
		quoted_line(out, "ENUM", as, name, var->enums[i]);
	frame(out, "END", "ENUM", as, name);
	return DONE;
}

static enum verdict list_range(struct conn *conn, const struct nut_line *line)
{
	const char *as = line->words[2], *name = line->words[3];
	struct out *out = &conn->server->out;
	enum verdict verdict;
	const struct nut_var *var = list_of(conn, line, &verdict);
	char bounds[64];

	if (!var)
		return verdict;
	frame(out, "BEGIN", "RANGE", as, name);
	for (size_t i = 0; i < var->n_ranges; i++) {
		snprintf(bounds, sizeof(bounds), " \"%ld\" \"%ld\"", var->ranges[i].min,
			 var->ranges[i].max);
		out_begin(out);
		out_put(out, "RANGE");
		out_word(out, as);
		out_word(out, name);
		out_put(out, bounds);
		out_end(out);
	}
	frame(out, "END", "RANGE", as, name);
	return DONE;
}

static enum verdict list_client(struct conn *conn, const struct nut_line *line)
{
	const char *as = line->words[2];
	struct nut_server *s = conn->server;
	const struct hub_ups *ups = hub_find(s->hub, as);
	const struct conn *c;
	char address[ADDRESS_SIZE];

	if (!ups)
		return reply_error(conn, "UNKNOWN-UPS");
	frame(&s->out, "BEGIN", "CLIENT", as, NULL);
	TAILQ_FOREACH (c, &s->logged_in, login_node) {
		if (c->login != ups)
			continue;
		conn_address(c, address);
		out_begin(&s->out);
		out_put(&s->out, "CLIENT");
		out_word(&s->out, ups->name);
		out_word(&s->out, address);
		out_end(&s->out);
	}
	frame(&s->out, "END", "CLIENT", as, NULL);
	return DONE;
}

enum verdict command_list(struct conn *conn, const struct nut_line *line)
{
	static const struct {
		const char *word;
		size_t words; /* at least */
		enum verdict (*run)(struct conn *conn, const struct nut_line *line);
	} kinds[] = {
		{ "VAR", 3, list_var },	    { "UPS", 2, list_ups },	  { "RW", 3, list_rw },
		{ "CMD", 3, list_cmd },	    { "CLIENT", 3, list_client }, { "ENUM", 4, list_enum },
		{ "RANGE", 4, list_range },
	};

	for (size_t i = 0; line->n > 1 && i < ARRAY_SIZE(kinds); i++)
		if (line->n >= kinds[i].words && strcasecmp(line->words[1], kinds[i].word) == 0)
			return kinds[i].run(conn, line);
	return reply_error(conn, "INVALID-ARGUMENT");
}

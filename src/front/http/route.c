#include "front/http/route.h"

#include <string.h>

#include "util/util.h"

/* Decode len bytes into out; plus: '+' means a blank, as in queries. */
static bool decode(char *out, size_t size, const char *in, size_t len, bool plus)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)in[i];

		if (c == '%') {
			int high = len - i > 2 ? hex_value(in[i + 1]) : -1;
			int low = len - i > 2 ? hex_value(in[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (unsigned char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c < ' ' || c == 0x7f || used + 1 >= size)
			return false;
		out[used++] = (char)c;
	}
	out[used] = '\0';
	return true;
}

static bool parse_path(struct route *route, const char *path, size_t len)
{
	if (len == 0 || path[0] != '/')
		return false;
	if (len > 1 && path[len - 1] == '/')
		len--;
	for (size_t at = 1; at < len;) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t part_len = slash ? (size_t)(slash - (path + at)) : len - at;
		char *part;

		if (part_len == 0 || route->n == ROUTE_PARTS_MAX)
			return false;
		part = route->parts[route->n++];
		if (!decode(part, ROUTE_PART_MAX, path + at, part_len, false))
			return false;
		if (!strcmp(part, ".") || !strcmp(part, ".."))
			return false;
		at += part_len + 1;
	}
	return true;
}

static bool parse_query(struct route *route, const char *query)
{
	while (*query) {
		size_t len = strcspn(query, "&");
		const char *equals = memchr(query, '=', len);
		size_t name_len = equals ? (size_t)(equals - query) : len;

		if (len > 0) {
			size_t i = route->n_params;

			if (i == ROUTE_PARAMS_MAX)
				return false;
			if (!decode(route->params[i].name, sizeof(route->params[i].name), query,
				    name_len, true))
				return false;
			route->params[i].value[0] = '\0';
			if (equals && !decode(route->params[i].value, ROUTE_PART_MAX, equals + 1,
					      len - name_len - 1, true))
				return false;
			route->n_params++;
		}
		query += len + (query[len] == '&');
	}
	return true;
}

bool route_parse(struct route *route, const char *target)
{
	size_t path_len = strcspn(target, "?#");

	route->n = route->n_params = 0;
	if (!parse_path(route, target, path_len))
		return false;
	return target[path_len] != '?' || parse_query(route, target + path_len + 1);
}

const char *route_param(const struct route *route, const char *name)
{
	for (size_t i = 0; i < route->n_params; i++)
		if (!strcmp(route->params[i].name, name))
			return route->params[i].value;
	return NULL;
}

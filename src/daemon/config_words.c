#include "daemon/config_check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config.h"
#include "util/util.h"
#include <ups2000/ups.h>

/* Values of the sections shutdown, feed, task and wake. */

#define BAD(...)                                                                                   \
	do {                                                                                       \
		snprintf(why, size, __VA_ARGS__);                                                  \
		return false;                                                                      \
	} while (0)

static const char *const ups_offs[] = {
	[POLICY_END_RETURN] = "return",
	[POLICY_END_STAYOFF] = "stayoff",
	[POLICY_END_NOTHING] = "no",
};
static const char *const on_fsds[] = {
	[POLICY_FSD_LATCH] = "latch",
	[POLICY_FSD_RUN] = "run",
};
static const char *const host_ways[] = {
	[CONFIG_HOST_AUTO] = "auto",
	[CONFIG_HOST_REQUEST] = "request",
	[CONFIG_HOST_HELPER] = "helper",
};

static int find(const char *const *words, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i], value) == 0)
			return (int)i;
	return -1;
}

bool check_ups_off(const char *value, char *why, size_t size)
{
	if (find(ups_offs, ARRAY_SIZE(ups_offs), value) < 0)
		BAD("\"%.40s\" is not known here. Use return (on again with the mains), stayoff or no",
		    value);
	return true;
}

int value_ups_off(const char *value)
{
	return find(ups_offs, ARRAY_SIZE(ups_offs), value);
}

bool check_on_fsd(const char *value, char *why, size_t size)
{
	if (find(on_fsds, ARRAY_SIZE(on_fsds), value) < 0)
		BAD("\"%.40s\" is not known here. Use latch or run", value);
	return true;
}

int value_on_fsd(const char *value)
{
	return find(on_fsds, ARRAY_SIZE(on_fsds), value);
}

bool check_host_way(const char *value, char *why, size_t size)
{
	if (find(host_ways, ARRAY_SIZE(host_ways), value) < 0)
		BAD("\"%.40s\" is not known here. Use auto, request or helper", value);
	return true;
}

int value_host_way(const char *value)
{
	return find(host_ways, ARRAY_SIZE(host_ways), value);
}

/* "66/2": this cause; "66": all of them. */
uint32_t value_alarm(const char *value)
{
	unsigned id, cause;
	char end;
	int n = sscanf(value, "%u/%u%c", &id, &cause, &end);
	uint32_t bits = 0;

	if (n != 2) {
		cause = 0;
		if (sscanf(value, "%u%c", &id, &end) != 1)
			return 0;
	}
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);

		if (desc->id == id && (n != 2 || desc->cause == cause))
			bits |= UINT32_C(1) << i;
	}
	return bits;
}

bool check_alarm(const char *value, char *why, size_t size)
{
	size_t used;

	if (value_alarm(value))
		return true;
	used = (size_t)snprintf(why, size, "there is no alarm \"%.20s\". Known are ", value);
	for (unsigned i = 0; i < U2K_ALARM_COUNT && used < size; i++)
		used += (size_t)snprintf(why + used, size - used, "%s%u/%u", i ? ", " : "",
					 u2k_alarm_desc(i)->id, u2k_alarm_desc(i)->cause);
	return false;
}

bool check_mac(const char *value, char *why, size_t size)
{
	uint8_t mac[WOL_MAC_LEN];

	return wol_parse_mac(value, mac, why, size);
}

bool check_secure_on(const char *value, char *why, size_t size)
{
	struct wol_host host = { 0 };

	return wol_parse_password(value, &host, why, size);
}

static bool is_address(const char *value)
{
	struct in6_addr address;

	return inet_pton(AF_INET, value, &address) == 1 ||
	       inet_pton(AF_INET6, value, &address) == 1;
}

bool check_address(const char *value, char *why, size_t size)
{
	if (!is_address(value))
		BAD("\"%.64s\" is no address. Write a number, like \"192.168.1.255\": when it is needed "
		    "there may be no name server",
		    value);
	return true;
}

bool check_seen(const char *value, char *why, size_t size)
{
	char host[64], end;
	const char *colon = strrchr(value, ':');
	unsigned port;
	size_t len;

	if (colon && sscanf(colon, ":%u%c", &port, &end) == 1 && port >= 1 && port <= 65535) {
		len = (size_t)(colon - value);
		if (*value == '[' && len > 2 && value[len - 1] == ']') {
			value++;
			len -= 2;
		}
		snprintf(host, sizeof(host), "%.*s", (int)len, value);
		if (is_address(host))
			return true;
	}
	BAD("\"%.64s\" is no address with a port. Write numbers, like \"192.168.1.20:22\" or "
	    "\"[fd00::20]:22\"",
	    value);
}

#include "daemon/networks.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "util/util.h"

static const uint8_t V4_PREFIX[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
enum { V4_BITS = 96 }; /* of the prefix */

static const struct {
	const char *word;
	size_t n;
	struct network list[2];
} words[] = {
	{ "any", 1, { { { 0 }, 0 } } },
	{ "loopback",
	  2,
	  { { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 0 }, V4_BITS + 8 },
	    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128 } } },
};

static void add(struct networks *set, const struct network *network)
{
	if (!set)
		return;
	set->list = xrealloc(set->list, (set->n + 1) * sizeof(*set->list));
	set->list[set->n++] = *network;
}

static void clear_host_bits(uint8_t address[16], unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
}

static void print(const struct network *network, bool v4, char out[64])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, network->address + (v4 ? 12 : 0), text, sizeof(text));
	snprintf(out, 64, "%s/%u", text, network->bits - (v4 ? V4_BITS : 0));
}

static bool read_address(const char *text, struct network *network, bool *v4)
{
	*v4 = inet_pton(AF_INET, text, network->address + 12) == 1;
	if (*v4) {
		memcpy(network->address, V4_PREFIX, sizeof(V4_PREFIX));
		return true;
	}
	if (inet_pton(AF_INET6, text, network->address) != 1)
		return false;
	/* "::ffff:192.0.2.0/120" would be mistaken for a part of IPv4 */
	return memcmp(network->address, V4_PREFIX, sizeof(V4_PREFIX)) != 0;
}

/* Up to three digits, or false. */
static bool read_bits(const char *text, unsigned max, unsigned *bits)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 3 || text[digits])
		return false;
	*bits = (unsigned)atoi(text);
	return *bits <= max;
}

bool networks_add(struct networks *set, const char *text, char *why, size_t size)
{
	struct network network = { { 0 }, 128 }, clean;
	char address[64], right[64];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned bits;
	bool v4;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(words[i].word, text) != 0)
			continue;
		for (size_t k = 0; k < words[i].n; k++)
			add(set, &words[i].list[k]);
		return true;
	}
	snprintf(address, sizeof(address), "%.*s", len < sizeof(address) ? (int)len : 0, text);
	if (!read_address(address, &network, &v4)) {
		snprintf(why, size,
			 "\"%.64s\" is no network. Write \"192.168.1.0/24\", \"fd00::/8\", one "
			 "address, \"loopback\" or \"any\"",
			 text);
		return false;
	}
	if (slash) {
		if (!read_bits(slash + 1, v4 ? 32 : 128, &bits)) {
			snprintf(why, size,
				 "\"%.64s\" does not end in its number of bits. Use 0 to %d", text,
				 v4 ? 32 : 128);
			return false;
		}
		network.bits = bits + (v4 ? V4_BITS : 0);
	}
	clean = network;
	clear_host_bits(clean.address, clean.bits);
	if (memcmp(clean.address, network.address, sizeof(clean.address)) != 0) {
		print(&clean, v4, right);
		snprintf(why, size,
			 "\"%.64s\" names one address and a network at once. Did you mean "
			 "\"%s\"?",
			 text, right);
		return false;
	}
	add(set, &network);
	return true;
}

void networks_close(struct networks *set)
{
	free(set->list);
	*set = (struct networks){ 0 };
}

bool address_bytes(const struct sockaddr *address, uint8_t bytes[16])
{
	if (address->sa_family == AF_INET6) {
		memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
		return true;
	}
	if (address->sa_family != AF_INET)
		return false;
	memcpy(bytes, V4_PREFIX, sizeof(V4_PREFIX));
	memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
	return true;
}

static bool holds(const struct network *network, const uint8_t bytes[16])
{
	unsigned whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(network->address, bytes, whole) != 0)
		return false;
	return !rest || (network->address[whole] ^ bytes[whole]) >> (8 - rest) == 0;
}

bool networks_hold(const struct networks *set, const struct sockaddr *address)
{
	uint8_t bytes[16];

	if (!address_bytes(address, bytes))
		return false;
	for (size_t i = 0; i < set->n; i++)
		if (holds(&set->list[i], bytes))
			return true;
	return false;
}

bool address_is_loopback(const struct sockaddr *address)
{
	uint8_t bytes[16];

	if (!address_bytes(address, bytes))
		return true;
	return holds(&words[1].list[0], bytes) || holds(&words[1].list[1], bytes);
}

#include "notify/wol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/util.h"

/* Twelve digits; a separator, if there is one, after every group digits and nowhere else. */
static bool parse_six(const char *text, uint8_t out[6])
{
	char separator = '\0';
	size_t group = 12, digits = 0;
	uint8_t bytes[6] = { 0 };

	if (strchr(text, '.')) {
		separator = '.';
		group = 4;
	} else if (strpbrk(text, ":-")) {
		separator = *strpbrk(text, ":-");
		group = 2;
	}
	for (; *text; text++) {
		int value = hex_value(*text);

		if (value < 0 || digits >= 12)
			return false;
		bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | value);
		digits++;
		if (digits % group == 0 && digits < 12) {
			text++;
			if (*text != separator)
				return false;
		}
	}
	if (digits != 12)
		return false;
	memcpy(out, bytes, 6);
	return true;
}

bool wol_parse_mac(const char *text, uint8_t mac[WOL_MAC_LEN], char *why, size_t size)
{
	static const uint8_t none[WOL_MAC_LEN];
	uint8_t bytes[WOL_MAC_LEN];

	if (!parse_six(text, bytes)) {
		snprintf(why, size,
			 "\"%.40s\" is not a MAC address. Write six pairs of hexadecimal digits, "
			 "like 00:11:22:aa:bb:cc",
			 text);
		return false;
	}
	if (bytes[0] & 1 || memcmp(bytes, none, sizeof(none)) == 0) {
		snprintf(why, size,
			 "\"%.40s\" is the address of %s, not of a network card. Take the one that "
			 "`ip link` shows on the host to wake",
			 text, bytes[0] & 1 ? "a group" : "nobody");
		return false;
	}
	memcpy(mac, bytes, WOL_MAC_LEN);
	return true;
}

bool wol_parse_password(const char *text, struct wol_host *host, char *why, size_t size)
{
	struct in_addr four;

	if (parse_six(text, host->password)) {
		host->password_len = 6;
		return true;
	}
	if (inet_pton(AF_INET, text, &four) == 1) {
		memcpy(host->password, &four, 4);
		host->password_len = 4;
		return true;
	}
	/* a secret: it is not repeated */
	snprintf(why, size,
		 "this is not a SecureOn password. Write six pairs of hexadecimal digits like "
		 "00:11:22:aa:bb:cc, or four numbers like 192.168.1.1");
	return false;
}

size_t wol_packet(const struct wol_host *host, uint8_t packet[WOL_PACKET_MAX])
{
	size_t len = 6;

	memset(packet, 0xff, 6);
	for (size_t i = 0; i < 16; i++, len += WOL_MAC_LEN)
		memcpy(packet + len, host->mac, WOL_MAC_LEN);
	memcpy(packet + len, host->password, host->password_len);
	return len + host->password_len;
}

struct way {
	struct sockaddr_storage to;
	socklen_t to_len;
	struct sockaddr_in from; /* sin_family 0: the kernel chooses */
	char name[IF_NAMESIZE];	 /* "": the kernel chooses */
};

static bool send_one(const uint8_t *packet, size_t len, const struct way *way)
{
	int fd = socket(way->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, error = 0;

	if (fd < 0)
		return false;
	/* Binding to the interface is a help where two have the same network; not everywhere allowed */
	if (*way->name)
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, way->name,
			   (socklen_t)strlen(way->name));
	if (setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    (way->from.sin_family &&
	     bind(fd, (const struct sockaddr *)&way->from, sizeof(way->from)) < 0) ||
	    sendto(fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&way->to,
		   way->to_len) != (ssize_t)len)
		error = errno;
	close(fd);
	errno = error;
	return !error;
}

/* A configured address. */
static bool way_to(struct way *way, const struct wol_route *route, uint16_t port, char *error,
		   size_t size)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&way->to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&way->to;

	memset(way, 0, sizeof(*way));
	if (route->interface)
		snprintf(way->name, sizeof(way->name), "%s", route->interface);
	if (inet_pton(AF_INET, route->address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		way->to_len = sizeof(*in);
		return true;
	}
	if (inet_pton(AF_INET6, route->address, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		in6->sin6_scope_id = route->interface ? if_nametoindex(route->interface) : 0;
		way->to_len = sizeof(*in6);
		return true;
	}
	snprintf(error, size, "\"%.60s\" is not an address", route->address);
	return false;
}

static bool is_wanted(const struct ifaddrs *ifa, const char *interface)
{
	return ifa->ifa_addr && ifa->ifa_addr->sa_family == AF_INET && ifa->ifa_broadaddr &&
	       ifa->ifa_flags & IFF_UP && ifa->ifa_flags & IFF_BROADCAST &&
	       !(ifa->ifa_flags & IFF_LOOPBACK) &&
	       (!interface || strcmp(ifa->ifa_name, interface) == 0);
}

static unsigned send_to_all(const uint8_t *packet, size_t len, const char *interface, uint16_t port,
			    char *error, size_t size)
{
	struct ifaddrs *list;
	unsigned sent = 0;

	if (getifaddrs(&list) < 0) {
		snprintf(error, size, "the interfaces cannot be listed: %s", strerror(errno));
		return 0;
	}
	if (interface)
		snprintf(error, size,
			 "%.15s is not there, not up, or has no IPv4 broadcast address", interface);
	else
		snprintf(error, size, "no interface is up that has an IPv4 broadcast address");
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		struct way way = { .to_len = sizeof(struct sockaddr_in) };

		if (!is_wanted(ifa, interface))
			continue;
		memcpy(&way.to, ifa->ifa_broadaddr, sizeof(struct sockaddr_in));
		((struct sockaddr_in *)&way.to)->sin_port = htons(port);
		memcpy(&way.from, ifa->ifa_addr, sizeof(way.from));
		way.from.sin_port = 0;
		snprintf(way.name, sizeof(way.name), "%s", ifa->ifa_name);
		if (send_one(packet, len, &way))
			sent++;
		else
			snprintf(error, size, "%.15s: %s", ifa->ifa_name, strerror(errno));
	}
	freeifaddrs(list);
	return sent;
}

unsigned wol_send(const struct wol_host *host, const struct wol_route *route, char *error,
		  size_t error_size)
{
	uint16_t port = route->port ? route->port : WOL_PORT;
	uint8_t packet[WOL_PACKET_MAX];
	size_t len = wol_packet(host, packet);
	struct way way;

	if (!route->address)
		return send_to_all(packet, len, route->interface, port, error, error_size);
	if (!way_to(&way, route, port, error, error_size))
		return 0;
	if (send_one(packet, len, &way))
		return 1;
	snprintf(error, error_size, "%s: %s", route->address, strerror(errno));
	return 0;
}

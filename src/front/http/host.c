#include "front/http/host.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 255 };

/* Nothing, or a colon and a number. */
static bool is_port(const char *text)
{
	size_t digits;

	if (!*text)
		return true;
	digits = strspn(text + 1, "0123456789");
	return *text == ':' && digits <= 5 && !text[1 + digits];
}

static bool is_ipv6(const char *host)
{
	const char *end = strchr(host, ']');
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;
	size_t len = end ? (size_t)(end - host - 1) : 0;

	if (!end || len >= sizeof(text) || !is_port(end + 1))
		return false;
	memcpy(text, host + 1, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

bool host_is_ours(const char *host, char *const *names, size_t n_names)
{
	size_t len = strcspn(host, ":");
	char name[HOST_MAX + 1];
	struct in_addr address;

	if (*host == '[')
		return is_ipv6(host);
	if (len == 0 || len > HOST_MAX || !is_port(host + len))
		return false;
	memcpy(name, host, len);
	name[len] = '\0';
	if (inet_pton(AF_INET, name, &address) == 1)
		return true;
	if (name[len - 1] == '.') /* fully qualified: the same name */
		name[len - 1] = '\0';
	if (strcasecmp(name, "localhost") == 0)
		return true;
	for (size_t i = 0; i < n_names; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

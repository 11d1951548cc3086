#include "daemon/config_check.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config.h"
#include "util/nearest.h"
#include "link/url.h"
#include "util/log.h"
#include "util/util.h"

#define BAD(...)                                                                                   \
	do {                                                                                       \
		snprintf(why, size, __VA_ARGS__);                                                  \
		return false;                                                                      \
	} while (0)

struct word {
	const char *name;
	int value;
};

static const struct word bools[] = {
	{ "yes", 1 }, { "no", 0 }, { "true", 1 }, { "false", 0 }, { "on", 1 }, { "off", 0 },
};

static const struct word actions[] = {
	{ "SET", CONFIG_ACTION_SET },	     { "FSD", CONFIG_ACTION_FSD },
	{ "LOGIN", CONFIG_ACTION_LOGIN },    { "PRIMARY", CONFIG_ACTION_PRIMARY },
	{ "MASTER", CONFIG_ACTION_PRIMARY },
};

/* What upsd grants for these words (upsd.users(5)). */
static const struct word upsmons[] = {
	{ "primary", CONFIG_ACTION_LOGIN | CONFIG_ACTION_PRIMARY | CONFIG_ACTION_FSD },
	{ "secondary", CONFIG_ACTION_LOGIN },
	{ "master", CONFIG_ACTION_LOGIN | CONFIG_ACTION_PRIMARY | CONFIG_ACTION_FSD },
	{ "slave", CONFIG_ACTION_LOGIN },
};

static const struct word require_tls[] = {
	{ "no", CONFIG_TLS_OPTIONAL },
	{ "remote", CONFIG_TLS_REMOTE },
	{ "yes", CONFIG_TLS_ALL },
};

static const struct word log_targets[] = {
	{ "auto", LOG_TARGET_AUTO },
	{ "stderr", LOG_TARGET_STDERR },
	{ "syslog", LOG_TARGET_SYSLOG },
};

static const struct word log_levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
};

static const struct word *find_word(const struct word *words, size_t n, const char *value)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(words[i].name, value) == 0)
			return &words[i];
	return NULL;
}

static bool check_word(const struct word *words, size_t n, const char *value, char *why,
		       size_t size)
{
	size_t used;

	if (find_word(words, n, value))
		return true;
	used = (size_t)snprintf(why, size, "\"%.40s\" is not known here. Use ", value);
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(why + used, size - used, "%s%s",
					 i == 0	      ? ""
					 : i + 1 == n ? " or "
						      : ", ",
					 words[i].name);
	return false;
}

static int word_value(const struct word *words, size_t n, const char *value)
{
	const struct word *word = find_word(words, n, value);

	return word ? word->value : 0;
}

static bool is_printable(const char *value)
{
	for (; *value; value++)
		if ((unsigned char)*value < 0x20 || *value == 0x7f)
			return false;
	return true;
}

bool check_text(const char *value, char *why, size_t size)
{
	if (!*value)
		BAD("the value is empty. Give it a text, or leave the key out");
	if (!is_printable(value))
		BAD("the value holds control characters. Use printable text on one line");
	if (strlen(value) > 255)
		BAD("the value is %zu bytes long. At most 255 are possible", strlen(value));
	return true;
}

bool check_ups_name(const char *value, char *why, size_t size)
{
	if (!*value)
		BAD("the name of the UPS is empty. Use letters, digits, '-', '_' and '.'");
	if (strlen(value) > 64)
		BAD("the name of the UPS is %zu bytes long. At most 64 are possible",
		    strlen(value));
	for (const char *p = value; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("-_.", *p))
			BAD("\"%.64s\" cannot be the name of a UPS. Use letters, digits, '-', '_' and '.'",
			    value);
	return true;
}

bool check_user_name(const char *value, char *why, size_t size)
{
	if (!*value || !is_printable(value) || strlen(value) > 64)
		BAD("this cannot be the name of a user. Use 1 to 64 printable characters");
	return true;
}

static bool is_port_number(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	return digits > 0 && digits <= 5 && s[digits] == '\0' && atol(s) <= 65535;
}

/* "host:port" or "[v6]:port", split at the last colon. */
static bool split_address(const char *value, char *host, size_t host_size, const char **port)
{
	const char *colon = strrchr(value, ':');
	size_t len;

	if (!colon || !is_port_number(colon + 1))
		return false;
	len = (size_t)(colon - value);
	if (len >= 2 && value[0] == '[' && colon[-1] == ']') {
		value++;
		len -= 2;
	} else if (memchr(value, ':', len)) {
		return false; /* an IPv6 address needs its brackets */
	}
	if (len == 0 || len >= host_size)
		return false;
	memcpy(host, value, len);
	host[len] = '\0';
	*port = colon + 1;
	return true;
}

static bool is_host_name(const char *s)
{
	if (strspn(s, "0123456789.") == strlen(s))
		return false; /* an address, and inet_pton() did not like it */
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("-._", *s))
			return false;
	return true;
}

static bool is_host(const char *host, bool bracketed)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (bracketed)
		return inet_pton(AF_INET6, host, &v6) == 1;
	return inet_pton(AF_INET, host, &v4) == 1 || is_host_name(host);
}

bool check_listen(const char *value, char *why, size_t size)
{
	char host[256];
	const char *port;

	if (value[0] == '*' && value[1] == ':' && is_port_number(value + 2))
		return true; /* all addresses of this host */
	if (!split_address(value, host, sizeof(host), &port) || !is_host(host, value[0] == '['))
		BAD("\"%.64s\" is no address to listen on. Write \"127.0.0.1:3493\", "
		    "\"[::1]:3493\" or \"*:3493\"",
		    value);
	return true;
}

bool check_http_listen(const char *value, char *why, size_t size)
{
	if (check_listen(strncmp(value, "https://", 8) == 0 ? value + 8 : value, why, size))
		return true;
	BAD("\"%.64s\" is no address to listen on. Write \"127.0.0.1:8493\", \"[::1]:8493\" or "
	    "\"https://*:8493\"",
	    value);
}

bool check_host_name(const char *value, char *why, size_t size)
{
	size_t len = strlen(value);

	if (len == 0 || len > 253 || !is_host_name(value) || value[len - 1] == '.')
		BAD("\"%.64s\" is no name of a host. Write it without port, like \"ups.example.org\"; "
		    "addresses need not be named",
		    value);
	return true;
}

bool check_port(const char *value, char *why, size_t size)
{
	struct link_url url;

	if (!*value)
		BAD("the port is empty. Name the serial port, like \"/dev/ttyUSB0\"");
	if (strlen(value) > 255 || !is_printable(value))
		BAD("this cannot be a port. Name the serial port, like \"/dev/ttyUSB0\"");
	if (value[0] == '/' && value[1] != '\0')
		return true;
	if (strcmp(value, "auto") == 0)
		BAD("port \"auto\" is not possible. Name the serial port, like "
		    "\"/dev/serial/by-path/...\" or \"/dev/ttyUSB0\"");
	if (!strstr(value, "://"))
		BAD("port \"%.64s\" is not a full path. Did you mean \"/dev/%.64s\"?", value,
		    value[0] == '/' ? "ttyUSB0" : value);
	return link_url_parse(value, &url, why, size);
}

bool check_serial(const char *value, char *why, size_t size)
{
	size_t len = strlen(value);

	if (len == 0 || len > 39)
		BAD("a serial number has 1 to 39 characters. Copy it from `ups2000 status` or the label");
	for (const char *p = value; *p; p++)
		if (!isgraph((unsigned char)*p))
			BAD("a serial number has no blanks. Copy it from `ups2000 status` or the label");
	return true;
}

bool value_is_hash(const char *password)
{
	return password[0] == '$';
}

bool check_password(const char *value, char *why, size_t size)
{
	if (!*value)
		BAD("the password is empty, everyone could pass. Leave the key out and nobody can");
	if (!is_printable(value) || strlen(value) > 255)
		BAD("this password cannot be sent by any client. Use up to 255 printable characters");
	if (!value_is_hash(value))
		return true;
	if (crypt_checksalt(value) == CRYPT_SALT_INVALID ||
	    crypt_checksalt(value) == CRYPT_SALT_METHOD_DISABLED)
		BAD("the password begins with '$' but is no hash that crypt(5) knows. Make one with "
		    "`mkpasswd -m yescrypt`; a plain password cannot begin with '$'");
	return true;
}

bool check_action(const char *value, char *why, size_t size)
{
	return check_word(actions, ARRAY_SIZE(actions), value, why, size);
}

bool check_upsmon(const char *value, char *why, size_t size)
{
	return check_word(upsmons, ARRAY_SIZE(upsmons), value, why, size);
}

static bool is_nut_name(const char *name, size_t len)
{
	if (len == 0 || len > NUT_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr(".-_", name[i]))
			return false;
	return true;
}

bool check_instcmd(const char *value, char *why, size_t size)
{
	if (!is_nut_name(value, strlen(value)))
		BAD("\"%.64s\" is no command. Write names as `upscmd -l` shows them, or \"ALL\"",
		    value);
	return true;
}

bool check_assignment(const char *value, char *why, size_t size)
{
	const char *equals = strchr(value, '=');
	size_t len = equals ? (size_t)(equals - value) : 0;

	while (len && value[len - 1] == ' ')
		len--;
	if (!equals || !is_nut_name(value, len))
		BAD("\"%.64s\" is no assignment. Write \"variable=value\", like \"ups.mfr=Huawei\"",
		    value);
	if (strncasecmp(value, "override.", 9) == 0 || strncasecmp(value, "default.", 8) == 0)
		BAD("\"%.64s\" repeats its key. Write \"%.64s\"", value, strchr(value, '.') + 1);
	if (strlen(equals + 1) > NUT_VALUE_MAX || !is_printable(equals + 1))
		BAD("the value of %.*s cannot be shown. Use up to %d printable characters",
		    (int)len, value, NUT_VALUE_MAX);
	if (strncasecmp(value, "ups.status", len) == 0 && len == 10)
		BAD("ups.status cannot be replaced, hosts depend on it. Use ignorelb and "
		    "battery-charge-low to change when LB is shown");
	return true;
}

bool check_log_target(const char *value, char *why, size_t size)
{
	return check_word(log_targets, ARRAY_SIZE(log_targets), value, why, size);
}

bool check_log_level(const char *value, char *why, size_t size)
{
	return check_word(log_levels, ARRAY_SIZE(log_levels), value, why, size);
}

bool check_directory(const char *value, char *why, size_t size)
{
	if (value[0] != '/' || !is_printable(value) || strlen(value) > 4000)
		BAD("\"%.64s\" is not a full path. Begin with '/'", value);
	return true;
}

bool check_run_as(const char *value, char *why, size_t size)
{
	char *copy = xstrdup(value);
	char *colon = strchr(copy, ':');
	bool has_user, has_group;

	if (colon)
		*colon = '\0';
	has_user = *copy && getpwnam(copy);
	has_group = !colon || getgrnam(colon + 1);
	free(copy);
	if (!has_user)
		BAD("there is no user \"%.64s\". Create it (`useradd --system ups2000`) or name one that "
		    "exists",
		    value);
	if (!has_group)
		BAD("there is no such group in \"%.64s\". Write USER or USER:GROUP", value);
	return true;
}

bool check_baud(const char *value, char *why, size_t size)
{
	static const char *const rates[] = { "1200",  "2400",  "4800",	"9600",
					     "19200", "38400", "57600", "115200" };

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		if (strcmp(value, rates[i]) == 0)
			return true;
	BAD("\"%.20s\" is no line speed. The UPS2000 speaks 9600; an adapter may need 1200, 2400, 4800, "
	    "9600, 19200, 38400, 57600 or 115200",
	    value);
}

bool check_bool(const char *value, char *why, size_t size)
{
	return check_word(bools, ARRAY_SIZE(bools), value, why, size);
}

bool check_network(const char *value, char *why, size_t size)
{
	return networks_add(NULL, value, why, size);
}

bool check_require_tls(const char *value, char *why, size_t size)
{
	return check_word(require_tls, ARRAY_SIZE(require_tls), value, why, size);
}

bool check_number(const char *value, long min, long max, char *why, size_t size)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (!*value || *end || isspace((unsigned char)*value))
		BAD("\"%.40s\" is no whole number. Use %ld to %ld", value, min, max);
	if (errno == ERANGE || number < min || number > max)
		BAD("%.40s is out of range. Use %ld to %ld", value, min, max);
	return true;
}

bool value_bool(const char *value)
{
	return word_value(bools, ARRAY_SIZE(bools), value) != 0;
}

long value_number(const char *value)
{
	return strtol(value, NULL, 10);
}

unsigned value_action(const char *value)
{
	return (unsigned)word_value(actions, ARRAY_SIZE(actions), value);
}

unsigned value_upsmon(const char *value)
{
	return (unsigned)word_value(upsmons, ARRAY_SIZE(upsmons), value);
}

int value_require_tls(const char *value)
{
	return word_value(require_tls, ARRAY_SIZE(require_tls), value);
}

int value_log_target(const char *value)
{
	return word_value(log_targets, ARRAY_SIZE(log_targets), value);
}

int value_log_level(const char *value)
{
	return word_value(log_levels, ARRAY_SIZE(log_levels), value);
}

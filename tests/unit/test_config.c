#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/config_text.h"
#include "util/nearest.h"
#include "util/log.h"
#include "util/util.h"

struct said {
	unsigned fatal, warnings;
	char text[4096];
};

static void say(void *user, bool fatal, const char *text)
{
	struct said *said = user;
	size_t len = strlen(said->text);

	if (fatal)
		said->fatal++;
	else
		said->warnings++;
	snprintf(said->text + len, sizeof(said->text) - len, "%s\n", text);
}

static struct config *load_text(const char *text, struct said *said)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct config *config;

	memset(said, 0, sizeof(*said));
	config = config_load_fp(file, "test.conf", say, said);
	fclose(file);
	return config;
}

static void test_everything(void **state)
{
	static const char text[] =
		"# all there is\n"
		"state-dir = /var/lib/x\n"
		"runtime-dir = /run/x   // a comment\n"
		"socket = /run/x/s\n"
		"run-as = \"root:root\"\n"
		"ups rack {\n"
		"	port = /dev/ttyUSB0 /* and another\n"
		"	one */ baud = 9600\n"
		"	unit-id = 2  number = 3\n"
		"	serial = \"2102ABC\"\n"
		"	alias = {ups, \"main\"}\n"
		"	desc = \"In the # rack\"\n"
		"	control = no\n"
		"	status-interval = 0\n"
		"	delay-shutdown = 30  delay-start = 120  delay-reboot = 12\n"
		"	battery-date = 2026-01-31  id = \"left\"\n"
		"	override = {\"ups.mfr = Huawei Ltd\", \"battery.runtime.low=300\"}\n"
		"	default = {ups.model}\n"
		"	ignorelb = yes  battery-charge-low = 20  cal-during-test = on\n"
		"}\n"
		"tls { certificate = \"/c.pem\"  key = \"/k.pem\" }\n"
		"access { connect = {\"10.0.0.0/8\", \"fd00::/8\"} fsd = {loopback} }\n"
		"nut { listen = {\"127.0.0.1:0\", \"[::]:3493\", \"*:1\"} max-connections = 5 "
		"tracking-delay = 60 starttls = yes require-tls = remote "
		"connections-per-address = 7 failed-logins = 0 }\n"
		"user \"admin\" { password = \"$6$abcdefgh$x\" actions = {set, FSD} instcmds = {ALL} }\n"
		"user \"mon\" { password = \"$6$abcdefgh$x\" upsmon = \"secondary\" }\n"
		"user \"pri\" { password = \"$6$abcdefgh$x\" upsmon = primary }\n"
		"log { target = syslog level = debug }\n";
	char *fixed = xstrdup(text);
	struct config_ups *ups;
	struct config *config;
	struct said said;

	(void)state;
	/* an assignment may not lack its value */
	assert_null(load_text(fixed, &said));
	assert_non_null(strstr(said.text, "test.conf:18: default:"));
	free(fixed);

	fixed = xstrdup(text);
	memcpy(strstr(fixed, "{ups.model}"), "{\"a.bc=c\"} ", 11);
	config = load_text(fixed, &said);
	free(fixed);
	if (!config)
		fail_msg("%s", said.text);
	assert_int_equal(said.warnings, 0);
	assert_string_equal(config->state_dir, "/var/lib/x");
	assert_string_equal(config->runtime_dir, "/run/x");
	assert_string_equal(config->socket, "/run/x/s");
	assert_string_equal(config->run_as_user, "root");
	assert_string_equal(config->run_as_group, "root");
	assert_int_equal(config->log_target, LOG_TARGET_SYSLOG);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->n_nut_listen, 3);
	assert_string_equal(config->nut_listen[1], "[::]:3493");
	assert_int_equal(config->nut_max_connections, 5);
	assert_int_equal(config->nut_tracking_delay, 60);
	assert_true(config->nut_starttls);
	assert_int_equal(config->nut_require_tls, CONFIG_TLS_REMOTE);
	assert_int_equal(config->nut_per_address, 7);
	assert_int_equal(config->nut_failed_logins, 0);
	assert_string_equal(config->tls_certificate, "/c.pem");
	assert_string_equal(config->tls_key, "/k.pem");
	assert_int_equal(config->access.connect.n, 2);
	assert_int_equal(config->access.fsd.n, 2);
	assert_int_equal(config->access.set.n, 0);

	assert_int_equal(config->n_ups, 1);
	ups = &config->ups[0];
	assert_string_equal(ups->name, "rack");
	assert_string_equal(ups->port, "/dev/ttyUSB0");
	assert_int_equal(ups->unit_id, 2);
	assert_int_equal(ups->number, 3);
	assert_string_equal(ups->serial, "2102ABC");
	assert_int_equal(ups->n_aliases, 2);
	assert_string_equal(ups->aliases[1], "main");
	assert_string_equal(ups->desc, "In the # rack");
	assert_false(ups->control);
	assert_int_equal(ups->status_interval_ms, 0);
	assert_int_equal(ups->delay_shutdown, 30);
	assert_int_equal(ups->delay_start, 120);
	assert_int_equal(ups->delay_reboot, 12);
	assert_string_equal(ups->vars.battery_date, "2026-01-31");
	assert_string_equal(ups->vars.id, "left");
	assert_int_equal(ups->vars.n_overrides, 2);
	assert_string_equal(ups->vars.overrides[0].name, "ups.mfr");
	assert_string_equal(ups->vars.overrides[0].value, "Huawei Ltd");
	assert_string_equal(ups->vars.defaults[0].value, "c");
	assert_true(ups->vars.ignorelb);
	assert_true(ups->vars.cal_for_test);
	assert_int_equal((int)ups->vars.battery_charge_low, 20);
	assert_int_equal((int)ups->vars.battery_runtime_low,
			 300); /* from the override, as in NUT */

	assert_int_equal(config->n_users, 3);
	assert_int_equal(config->users[0].actions, CONFIG_ACTION_SET | CONFIG_ACTION_FSD);
	assert_string_equal(config->users[0].instcmds[0], "ALL");
	assert_false(config->users[0].plain);
	assert_int_equal(config->users[1].actions, CONFIG_ACTION_LOGIN);
	assert_int_equal(config->users[2].actions,
			 CONFIG_ACTION_LOGIN | CONFIG_ACTION_PRIMARY | CONFIG_ACTION_FSD);
	config_free(config);
}

static void test_defaults(void **state)
{
	struct said said;
	struct config *config = load_text("ups \"a\" { port = /dev/ttyS0 }", &said);
	struct config *bare = config_default("/dev/ttyS0");

	(void)state;
	assert_non_null(config);
	assert_string_equal(said.text, "");
	assert_string_equal(bare->ups[0].name, "ups");
	assert_null(bare->path);
	assert_string_equal(config->path, "test.conf");
	assert_true(config_ups_same_device(&config->ups[0], &bare->ups[0]));
	assert_false(config_ups_same(&config->ups[0], &bare->ups[0])); /* the name */
	assert_int_equal(config->ups[0].baud, 9600);
	assert_int_equal(config->ups[0].unit_id, 1);
	assert_int_equal(config->ups[0].number, 1);
	assert_true(config->ups[0].control);
	assert_int_equal(config->ups[0].status_interval_ms, 100);
	assert_true(config->ups[0].vars.battery_charge_low < 0);
	assert_string_equal(config->nut_listen[0], "127.0.0.1:3493");
	assert_false(config->nut_listen_given);
	assert_int_equal(config->nut_tracking_delay, 3600);
	config_free(bare);
	config_free(config);
}

/* One mistake each: where it is, and what the message must say. */
static const struct {
	const char *text, *message;
} mistakes[] = {
	{ "", "test.conf: names no UPS. Add: ups" },
	{ "ups \"a\" { prot = x }",
	  "test.conf:1: unknown key \"prot\" in section ups. Did you mean \"port\"?" },
	{ "\nups \"a\" {\n unit_id = 1\n}",
	  "test.conf:3: unknown key \"unit_id\" in section ups. Did you mean \"unit-id\"?" },
	{ "# c\n# c\nupss \"a\" {}", "test.conf:3: unknown key \"upss\". Did you mean \"ups\"?" },
	{ "ups \"a\" { frobnicate = 1 }", "Known are: port, baud, unit-id" },
	{ "ups a { override.battery.charge.low = 20 }",
	  "Write override = {\"battery.charge.low=VALUE\"}." },
	{ "\nups \"a\" {\n}", "test.conf:2: ups \"a\" has no port. Add port = \"/dev/ttyUSB0\"." },
	{ "ups a { port = \"\" }", "the port is empty" },
	{ "ups a { port = ttyUSB0 }", "Did you mean \"/dev/ttyUSB0\"?" },
	{ "ups a { port = auto }", "port \"auto\" is not possible" },
	{ "ups a { port = \"udp://h:1\" }", "begins with an unknown word" },
	{ "ups a { port = \"tcp://\" }", "Write tcp://HOST:502" },
	{ "ups a { port = \"tcp://::1:502\" }", "an IPv6 address in brackets" },
	{ "ups a { port = \"rtu+tcp://h\" }", "Write rtu+tcp://HOST:4001" },
	{ "ups a { port = \"tcp://h:0\" }", "Write tcp://HOST:502" },
	{ "ups a { port = \"tcp://h:70000\" }", "Write tcp://HOST:502" },
	{ "ups a { port = \"rtu+tcp://300.1.1.1:4001\" }", "is no address" },
	{ "ups a { port = /dev/x\n port = /dev/y }",
	  "test.conf:2: port is given twice, first in line 1." },
	{ "ups a { port = /dev/x baud = 9601 }", "\"9601\" is no line speed" },
	{ "ups a { port = /dev/x unit-id = 0 }", "unit-id: 0 is out of range. Use 1 to 247." },
	{ "ups a { port = /dev/x unit-id = 248 }", "Use 1 to 247" },
	{ "ups a { port = /dev/x unit-id = one }", "\"one\" is no whole number" },
	{ "ups a { port = /dev/x unit-id = 99999999999999999999 }", "out of range" },
	{ "ups a { port = /dev/x number = 5 }", "Use 1 to 4" },
	{ "ups a { port = /dev/x status-interval = -1 }", "Use 0 to 5000" },
	{ "ups a { port = /dev/x delay-shutdown = 5 }", "Use 6 to 5940" },
	{ "ups a { port = /dev/x control = perhaps }", "Use yes, no, true, false, on or off." },
	{ "ups a { port = /dev/x serial = \"a b\" }", "has no blanks" },
	{ "ups a { port = /dev/x override = {\"ups.mfr\"} }", "Write \"variable=value\"" },
	{ "ups a { port = /dev/x override = {\"override.a.b=1\"} }", "Write \"a.b=1\"." },
	{ "ups a { port = /dev/x override = {\"ups.status=OL\"} }",
	  "ups.status cannot be replaced" },
	{ "ups a { port = /dev/x\n ignorelb = yes }",
	  "test.conf:2: ups \"a\" ignores the low battery signal" },
	{ "ups \"a b\" { port = /dev/x }", "\"a b\" cannot be the name of a UPS" },
	{ "ups \"a@b\" { port = /dev/x }", "cannot be the name" },
	{ "ups a { port = /dev/x }\nups a { port = /dev/y }",
	  "test.conf:2: found duplicate title 'a'" },
	{ "ups a { port = /dev/x }\nups A { port = /dev/y }",
	  "test.conf:2: the name \"A\" belongs to ups \"a\" already" },
	{ "ups a { port = /dev/x }\nups b { port = /dev/y\n alias = {x, A} }",
	  "test.conf:3: alias \"A\" of ups \"b\" belongs to ups \"a\" already" },
	{ "ups a { port = /dev/x\n alias = {A} }",
	  "test.conf:2: alias \"A\" is a name of ups \"a\" already" },
	{ "ups a { port = /dev/x\n alias = {b, B} }",
	  "alias \"B\" is a name of ups \"a\" already" },
	{ "ups a { port = /dev/x }\nups b {\n port = /dev/x }",
	  "test.conf:3: ups \"b\" is the same device as ups \"a\": port /dev/x, unit-id 1, number 1." },
	{ "ups a { port = /dev/x }\nups b { port = /dev/x unit-id = 2\n baud = 19200 }",
	  "test.conf:3: ups \"b\" and ups \"a\" share port /dev/x but not its baud" },
	{ "nut { listen = {\"127.0.0.1\"} }",
	  "\"127.0.0.1\" is no address to listen on. Write \"127.0.0.1:3493\"" },
	{ "nut { listen = {\"::1:3493\"} }", "is no address to listen on" },
	{ "nut { listen = {\"300.0.0.1:3493\"} }", "is no address to listen on" },
	{ "nut { listen = {\"127.0.0.1:65536\"} }", "is no address to listen on" },
	{ "nut { listen = {\"a:1\",\n \"a:1\"} }\nups a { port = /dev/x }",
	  "test.conf:2: listen address a:1 stands here twice" },
	{ "nut { max-connections = 0 }", "Use 1 to 100000" },
	{ "nut { require-tls = maybe }", "Use no, remote or yes" },
	{ "nut { starttls = no\n require-tls = remote }",
	  "test.conf:2: TLS is required, but starttls = no switches it off" },
	{ "nut { failed-logins = -1 }", "Use 0 to 1000" },
	{ "history { max-size = 4 }", "Use 5 to 100000" },
	{ "history { keep-raw = 0 }", "Use 1 to 168" },
	{ "history { keep-days = 1 }", "unknown key \"keep-days\"" },
	{ "history { enabled = 2 }", "enabled" },
	{ "tls { certificate = cert.pem }", "is not a full path" },
	{ "tls {\n key = \"/k\" }", "test.conf:2: a key alone is of no use" },
	{ "tls { cert = \"/k\" }", "unknown key \"cert\" in section tls" },
	{ "access {\n connect = {any,\n \"10.0.0.0/33\"} }",
	  "test.conf:3: connect: \"10.0.0.0/33\" does not end in its number of bits. Use 0 to 32" },
	{ "access { write = {any} }", "Known are: connect, login, set, instcmd, fsd" },
	{ "access { set = {\"10.0.0.1/24\"} }", "Did you mean \"10.0.0.0/24\"?" },
	{ "user a { weak = yes }", "test.conf:1: user \"a\" is weak and good everywhere" },
	{ "user a { weak = yes networks = {\"10.0.0.7\"} actions = {SET} }",
	  "it may log in (upsmon = secondary) and nothing else" },
	{ "user a { networks = {lan} }", "\"lan\" is no network" },
	{ "user \"a\" { password = \"\" }", "the password is empty" },
	{ "user \"a\" { password = \"$9$x$y\" }", "is no hash that crypt(5) knows" },
	{ "user \"a\" { actions = {RUN} }", "\"RUN\" is not known here. Use SET, FSD" },
	{ "user \"a\" { upsmon = tertiary }", "Use primary, secondary, master or slave" },
	{ "user \"a\" { instcmds = {\"load off\"} }", "is no command" },
	{ "user \"a\" {}\nuser \"a\" {}", "test.conf:2: found duplicate title 'a'" },
	{ "ups a { port = /dev/x }\nfeed a { supplies = 2 }",
	  "test.conf:2: feed has no meaning without a section shutdown. Add shutdown {}" },
	{ "ups a { port = /dev/x }\nshutdown {}\nfeed b { supplies = 2 }",
	  "test.conf:3: there is no ups \"b\"" },
	{ "ups a { port = /dev/x }\nshutdown { ups = {a,\n b} }",
	  "test.conf:3: there is no ups \"b\"" },
	{ "shutdown { charge-below = 101 }", "Use 0 to 100" },
	{ "shutdown { alarms = {\"66/2\", \"7/7\"} }", "there is no alarm \"7/7\". Known are " },
	{ "shutdown { ups-off = maybe }", "Use return (on again with the mains), stayoff or no" },
	{ "shutdown { on-fsd = obey }", "Use latch or run" },
	{ "shutdown { method = shell }", "Use auto, request or helper" },
	{ "shutdown { charge-belo = 10 }", "Did you mean \"charge-below\"?" },
	{ "ups a { port = /dev/x }\nshutdown {\n command = {poweroff} }",
	  "test.conf:3: command begins with \"poweroff\", which is not a full path" },
	{ "ups a { port = /dev/x }\nshutdown {\n arm-early = yes }",
	  "test.conf:3: arm-early needs to know how long this host takes to halt" },
	{ "ups a { port = /dev/x control = no }\nshutdown {}",
	  "test.conf:2: ups \"a\" is only monitored (control = no) and cannot be switched off" },
	{ "ups a { port = /dev/x }\nshutdown { minimum-supplies = 3 }", "test.conf:2: " },
	{ "ups a { port = /dev/x }\nshutdown {}\ntask t { }",
	  "test.conf:3: task \"t\" runs nothing" },
	{ "ups a { port = /dev/x }\nshutdown {}\ntask t {\n run = {sh, \"-c\"} }",
	  "test.conf:4: run begins with \"sh\", which is not a full path" },
	{ "ups a { port = /dev/x }\nshutdown {}\ntask t { run = {\"/bin/x\"} stage = 0 }",
	  "Use 1 to 32" },
	{ "ups a { port = /dev/x }\nshutdown {}\nwake w { }",
	  "test.conf:3: wake \"w\" has no mac" },
	{ "ups a { port = /dev/x }\nshutdown {}\nwake w { mac = \"00:11\" }", "mac: " },
	{ "ups a { port = /dev/x }\nshutdown {}\nwake w { broadcast = host }", "is no address" },
	{ "ups a { port = /dev/x }\nshutdown {}\nwake w { seen = \"10.0.0.1\" }",
	  "is no address with a port" },
	{ "ups a { port = /dev/x }\nshutdown {}\nwake w { mac = \"00:11:22:33:44:55\"\n ups = b }",
	  "test.conf:4: there is no ups \"b\"" },
	{ "run-as = nobody-of-that-name", "there is no user \"nobody-of-that-name\"" },
	{ "run-as = \"root:no-such-group\"", "there is no such group" },
	{ "state-dir = var/lib", "is not a full path" },
	{ "log { level = trace }", "Use error, warning, info or debug" },
	{ "log { target = journal }", "Use auto, stderr or syslog" },
	{ "ups { }", "test.conf:1: missing title for section 'ups'" },
	{ "ups a port", "missing opening brace" },
	{ "ups a {\n port /dev/x }",
	  "test.conf:2: missing equal sign after option 'port'. Write KEY = VALUE." },
	{ "}", "unexpected closing brace" },
	{ "ups a {\n port = /dev/x\n", "test.conf:1: the brace { is never closed" },
	{ "ups a { port = \"/dev/x\n }", "test.conf:" },
	{ "ups a { port = ", "premature end of file" },
	{ "ups a { port = {x} }", "unexpected token" },
	{ "/* ups a { port = /dev/x }", "test.conf:" },
};

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
		struct said said;
		struct config *config;

		if (*mistakes[i].text == '\0')
			config = load_text(" ", &said);
		else
			config = load_text(mistakes[i].text, &said);
		if (config || !said.fatal)
			fail_msg("row %zu was taken: %s", i, mistakes[i].text);
		if (!strstr(said.text, mistakes[i].message))
			fail_msg("row %zu: %s\nsays: %s\nnot: %s", i, mistakes[i].text, said.text,
				 mistakes[i].message);
		if (strncmp(said.text, "test.conf:", 10) != 0)
			fail_msg("row %zu names no file: %s", i, said.text);
	}
}

/* One bad value does not hide the next. */
static void test_all_mistakes_are_told(void **state)
{
	struct said said;

	(void)state;
	assert_null(load_text("ups a {\n unit-id = 0\n baud = 1\n}\nnut {\n listen = {\"x\"}\n}\n",
			      &said));
	assert_int_equal(said.fatal, 4); /* and the port is missing */
	assert_non_null(strstr(said.text, "test.conf:2: unit-id"));
	assert_non_null(strstr(said.text, "test.conf:3: baud"));
	assert_non_null(strstr(said.text, "test.conf:6: listen"));
	assert_non_null(strstr(said.text, "test.conf:1: ups \"a\" has no port"));
}

static void test_warnings(void **state)
{
	static const struct {
		const char *text, *warning;
	} rows[] = {
		{ "mqtt { broker = \"x\" }",
		  "the section mqtt is understood but not served by this version" },
		{ "mqtt {}", "test.conf:2: the section mqtt" },
		{ "snmp {}", "no agent runs" },
		{ "user admin { password = \"123456\" upsmon = secondary }",
		  "test.conf:2: user \"admin\" has a password that everybody knows: it is refused "
		  "from other hosts" },
		{ "user monuser { password = secret upsmon = primary networks = {\"10.0.0.7\"} }",
		  "may do more than log in" },
		{ "user nas { password = NAS }", "everybody knows" },
		{ "user \"a\" {}", "user \"a\" has no password and can never pass" },
		{ "user \"a b\" { password = x upsmon = primary }", "upsmon cannot send" },
		{ "user \"a\" { password = \"x#\" upsmon = primary }", "upsmon cannot send" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xasprintf("ups a { port = /dev/x }\n%s\n", rows[i].text);
		struct said said;
		struct config *config = load_text(text, &said);

		if (!config || said.warnings != 1 || !strstr(said.text, rows[i].warning))
			fail_msg("row %zu: %s", i, said.text);
		config_free(config);
		free(text);
	}
}

static void test_file_mode(void **state)
{
	static const struct {
		const char *password;
		mode_t mode;
		unsigned fatal, warnings;
	} rows[] = {
		{ "plain", 0600, 0, 1 },	 { "plain", 0640, 1, 0 },
		{ "plain", 0644, 1, 0 },	 { "$6$abcdefgh$x", 0640, 0, 0 },
		{ "$6$abcdefgh$x", 0644, 0, 1 },
	};
	char path[] = "/tmp/test_config.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct said said = { 0 };
		struct config *config;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_true(lseek(fd, 0, SEEK_SET) == 0);
		assert_true(dprintf(fd, "ups a { port = /dev/x }\nuser u { password = \"%s\" }\n",
				    rows[i].password) > 0);
		assert_int_equal(fchmod(fd, rows[i].mode), 0);
		config = config_load(path, say, &said);
		if (said.fatal != rows[i].fatal || said.warnings != rows[i].warnings ||
		    !config != !!said.fatal)
			fail_msg("row %zu: %s", i, said.text);
		config_free(config);
	}
	close(fd);
	unlink(path);
}

static void test_bad_files(void **state)
{
	struct said said = { 0 };
	char *large = xmalloc(CONFIG_TEXT_MAX + 3);
	FILE *file;

	(void)state;
	assert_null(config_load("/nonexistent/x.conf", say, &said));
	assert_string_equal(said.text,
			    "/nonexistent/x.conf: cannot be opened: No such file or directory. "
			    "Name a file with --config, or a port with --port.\n");
	memset(&said, 0, sizeof(said));
	assert_null(config_load("/tmp", say, &said));
	assert_string_equal(said.text, "/tmp: is not a file. Name a file with --config.\n");

	memset(large, ' ', CONFIG_TEXT_MAX + 2);
	large[CONFIG_TEXT_MAX + 2] = '\0';
	assert_null(load_text(large, &said));
	assert_non_null(strstr(said.text, "larger than 1 MB"));
	free(large);

	memset(&said, 0, sizeof(said));
	file = fmemopen((void *)(uintptr_t) "\n\0\n", 3, "r");
	assert_null(config_load_fp(file, "test.conf", say, &said));
	fclose(file);
	assert_string_equal(said.text, "test.conf:2: holds a NUL byte. Only text is possible.\n");
}

static void test_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same, same_device;
	} rows[] = {
		{ "port=/dev/x", "port=/dev/x", true, true },
		{ "port=/dev/x", "port=/dev/x baud=9600 unit-id=1", true, true },
		{ "port=/dev/x", "port=/dev/y", false, false },
		{ "port=/dev/x", "port=/dev/x unit-id=2", false, false },
		{ "port=/dev/x", "port=/dev/x number=2", false, false },
		{ "port=/dev/x", "port=/dev/x serial=a", false, false },
		{ "port=/dev/x", "port=/dev/x control=no", false, false },
		{ "port=/dev/x", "port=/dev/x status-interval=0", false, false },
		{ "port=/dev/x", "port=/dev/x desc=a", false, true },
		{ "port=/dev/x", "port=/dev/x alias=a", false, true },
		{ "port=/dev/x alias={a,b}", "port=/dev/x alias={a,c}", false, true },
		{ "port=/dev/x", "port=/dev/x id=a", false, true },
		{ "port=/dev/x", "port=/dev/x battery-charge-low=10", false, true },
		{ "port=/dev/x override={\"a=b\"}", "port=/dev/x override={\"a=b\"}", true, true },
		{ "port=/dev/x override={\"a=b\"}", "port=/dev/x override={\"a=c\"}", false, true },
		{ "port=/dev/x override={\"a=b\"}", "port=/dev/x default={\"a=b\"}", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text_a = xasprintf("ups u { %s }", rows[i].a);
		char *text_b = xasprintf("ups u { %s }", rows[i].b);
		struct said said;
		struct config *a = load_text(text_a, &said);
		struct config *b = load_text(text_b, &said);

		if (!a || !b)
			fail_msg("row %zu: %s", i, said.text);
		if (config_ups_same(&a->ups[0], &b->ups[0]) != rows[i].same ||
		    config_ups_same_device(&a->ups[0], &b->ups[0]) != rows[i].same_device)
			fail_msg("row %zu", i);
		config_free(a);
		config_free(b);
		free(text_a);
		free(text_b);
	}
}

static void test_comments(void **state)
{
	static const struct {
		const char *text, *blanked;
	} rows[] = {
		{ "a # b\nc", "a    \nc" },	      { "a // b\nc", "a     \nc" },
		{ "a /* b\n */c", "a     \n   c" },   { "\"# x\" '// y' #", "\"# x\" '// y'  " },
		{ "tcp://host/*x", "tcp://host/*x" }, { "a=/*x*/b", "a=     b" },
		{ "\"\\\"# x\"#", "\"\\\"# x\" " },   { "/* open", "/* open" },
		{ "\"open # x", "\"open # x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = xstrdup(rows[i].text);

		config_text_blank_comments(text);
		assert_string_equal(text, rows[i].blanked);
		free(text);
	}
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "port", "unit-id", "serial", "battery-charge-low" };
	static const struct {
		const char *typed, *nearest;
	} rows[] = {
		{ "prot", "port" },	 { "Port", "port" },
		{ "unitid", "unit-id" }, { "unit_id", "unit-id" },
		{ "seriel", "serial" },	 { "battery-charge", "battery-charge-low" },
		{ "frobnicate", NULL },	 { "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *found = nearest(rows[i].typed, words, ARRAY_SIZE(words));

		if (!rows[i].nearest)
			assert_null(found);
		else
			assert_string_equal(found ? found : "nothing", rows[i].nearest);
	}
}

static void test_no_shutdown(void **state)
{
	struct said said;
	struct config *config =
		load_text("ups a { port = /dev/x }\nups b { port = /dev/y }", &said);
	const struct policy_config *policy;

	(void)state;
	assert_non_null(config);
	policy = &config->shutdown.policy;
	assert_false(config->shutdown.given);
	assert_false(policy->enabled);
	assert_int_equal(policy->n_ups, 2);
	assert_int_equal(policy->ups[1].supplies, 0);
	assert_string_equal(policy->ups[1].name, "b");
	config_free(config);
}

static void test_one_line_shutdown(void **state)
{
	struct said said;
	struct config *config = load_text("ups a { port = /dev/x }\nshutdown {}", &said);
	const struct policy_config *policy;

	(void)state;
	assert_non_null(config);
	assert_int_equal(said.warnings, 0);
	policy = &config->shutdown.policy;
	assert_true(config->shutdown.given);
	assert_true(policy->enabled);
	assert_int_equal(policy->n_ups, 1);
	assert_int_equal(policy->ups[0].supplies, 1);
	assert_true(policy->ups[0].when.low_battery);
	assert_int_equal(policy->ups[0].end, POLICY_END_RETURN);
	assert_int_equal(policy->host, POLICY_HOST_SHUTDOWN);
	assert_int_equal(policy->on_fsd, POLICY_FSD_LATCH);
	assert_null(config->shutdown.command);
	config_free(config);
}

static void test_whole_shutdown(void **state)
{
	static const char text[] =
		"ups a { port = /dev/x }\nups b { port = /dev/y alias = {bb} }\nups c { port = /dev/z }\n"
		"shutdown { ups = {a, bb} minimum-supplies = 2 on-battery = 300 charge-below = 40\n"
		" runtime-below = 600 low-battery = no temperature-above = 45 alarms = {\"66/2\"}\n"
		" lost-on-battery = 90 warning = 20 mains-stable = 30 secondaries-wait = 120\n"
		" own-logins = 1 final-delay = 7 ups-off = stayoff on-fsd = run this-host = no\n"
		" host-shutdown-time = 240 arm-early = yes method = helper command = {\"/bin/x\", y} }\n"
		"feed a { supplies = 2 charge-below = 10 ups-off = no }\n"
		"task last { run = {\"/bin/last\"} stage = 2 }\n"
		"task one { run = {\"/bin/one\", \"a b\"} timeout = 5 }\n"
		"task two { run = {\"/bin/two\"} }\n"
		"wake nas { mac = \"00:11:22:33:44:55\" ups = b charge-above = 50 after = 9 retry = 60\n"
		" tries = 3 seen = \"[fd00::1]:22\" broadcast = \"10.0.0.255\" interface = eth0 }\n"
		"wake all { mac = \"00-11-22-33-44-66\" }\n";
	struct said said;
	struct config *config = load_text(text, &said);
	const struct config_shutdown *shutdown;
	const struct policy_config *policy;

	(void)state;
	if (!config)
		fail_msg("%s", said.text);
	shutdown = &config->shutdown;
	policy = &shutdown->policy;
	assert_int_equal(policy->n_ups, 3);
	assert_int_equal(policy->ups[0].supplies, 2);
	assert_int_equal(policy->ups[0].end, POLICY_END_NOTHING);
	assert_true(policy->ups[0].when.charge_percent < 10.5);
	assert_int_equal(policy->ups[0].when.runtime_s, 600);
	assert_int_equal(policy->ups[1].supplies, 1);
	assert_int_equal(policy->ups[1].end, POLICY_END_STAYOFF);
	assert_true(policy->ups[1].when.charge_percent > 39.5);
	assert_int_equal(policy->ups[2].supplies, 0);
	assert_false(policy->ups[1].when.low_battery);
	assert_int_equal(policy->ups[1].when.lost_s, 90);
	assert_int_not_equal(policy->ups[1].when.alarms, 0);
	assert_int_equal(policy->minimum_supplies, 2);
	assert_int_equal(policy->warning_s, 20);
	assert_int_equal(policy->mains_stable_s, 30);
	assert_int_equal(policy->hostsync_s, 120);
	assert_int_equal(policy->own_logins, 1);
	assert_int_equal(policy->final_delay_s, 7);
	assert_int_equal(policy->host_shutdown_time_s, 240);
	assert_true(policy->early_arming);
	assert_int_equal(policy->host, POLICY_HOST_NONE);
	assert_int_equal(policy->on_fsd, POLICY_FSD_RUN);
	assert_int_equal(shutdown->way, CONFIG_HOST_HELPER);
	assert_string_equal(shutdown->command[1], "y");

	/* stages in their order, tasks of one stage as they stand */
	assert_int_equal(policy->n_stages, 2);
	assert_int_equal(policy->stages[0].n_commands, 2);
	assert_string_equal(policy->stages[0].commands[0].name, "one");
	assert_int_equal(policy->stages[0].commands[0].timeout_s, 5);
	assert_string_equal(policy->stages[0].commands[1].name, "two");
	assert_string_equal(policy->stages[1].commands[0].name, "last");
	assert_string_equal(shutdown->tasks[0].run[1], "a b");
	assert_null(shutdown->tasks[0].run[2]);
	assert_string_equal(shutdown->tasks[2].name, "last");

	assert_int_equal(policy->n_wake, 2);
	assert_int_equal(policy->wake[0].ups, 1);
	assert_int_equal(policy->wake[0].after_s, 9);
	assert_int_equal(policy->wake[0].tries, 3);
	assert_int_equal(policy->wake[1].ups, -1);
	assert_int_equal(shutdown->wake[1].host.mac[5], 0x66);
	assert_string_equal(shutdown->wake[0].seen, "[fd00::1]:22");
	config_free(config);
}

/* The late hook cannot reach it: said, not refused. */
static void test_network_port_with_shutdown(void **state)
{
	struct said said;
	struct config *config =
		load_text("ups a { port = \"tcp://10.0.0.1\" }\nshutdown {}", &said);

	(void)state;
	assert_non_null(config);
	assert_non_null(strstr(said.text, "test.conf:2: ups \"a\" is reached over the network"));
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_shutdown),
		cmocka_unit_test(test_one_line_shutdown),
		cmocka_unit_test(test_whole_shutdown),
		cmocka_unit_test(test_network_port_with_shutdown),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_all_mistakes_are_told),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_file_mode),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <jansson.h>

#include "sim/command.h"
#include "sim/scenario.h"
#include "sim/server.h"
#include "util/util.h"

static struct sim_server srv;
static bool plugged, quit;

static int unplug(void *user)
{
	(void)user;
	if (!plugged)
		return -1;
	plugged = false;
	return 0;
}

static int replug(void *user)
{
	(void)user;
	if (plugged)
		return -1;
	plugged = true;
	return 0;
}

static void end(void *user)
{
	(void)user;
	quit = true;
}

static const char *port(void *user)
{
	(void)user;
	return plugged ? "/dev/somewhere" : NULL;
}

static struct sim_world world = {
	.srv = &srv, .unplug = unplug, .replug = replug, .quit = end, .port = port
};

static int bench(void **state)
{
	struct sim_options device;
	struct sim_server_options line;

	(void)state;
	sim_options_default(&device);
	sim_server_options_default(&line);
	sim_server_init(&srv, 0, &line, &device);
	plugged = true;
	quit = false;
	return 0;
}

/* The reply; freed by the caller. */
static char *say(const char *line)
{
	char *reply = NULL;
	size_t size;
	FILE *out = open_memstream(&reply, &size);
	int status;

	assert_non_null(out);
	status = sim_command(&world, srv.now_us, line, out);
	fclose(out);
	assert_int_equal(status != 0, strncmp(reply, "error: ", 7) == 0);
	assert_int_equal(strncmp(reply, "ok", 2) == 0, status == 0);
	assert_ptr_equal(strchr(reply, '\n'), reply + size - 1); /* one line, always */
	return reply;
}

static void test_replies(void **state)
{
	static const struct {
		const char *line, *reply; /* how it starts */
	} rows[] = {
		{ "help", "ok help" },
		{ "help mains", "ok mains on|off" },
		{ "help fault", "ok fault NAME" },
		{ "help nonsense", "error: unknown command \"nonsense\"" },
		{ "", "error: empty command" },
		{ "   ", "error: empty command" },
		{ "nonsense", "error: unknown command \"nonsense\"" },
		{ "MAINS off", "error: unknown command" },
		{ "mains", "error: usage: mains" },
		{ "mains on off on", "error: usage: mains" },
		{ "mains maybe", "error: mains \"maybe\": must be on, off or 0 to 400" },
		{ "mains 401", "error: mains \"401\"" },
		{ "mains -1", "error: mains" },
		{ "mains nan", "error: mains" },
		{ "mains 230 50x", "error: mains frequency" },
		{ "mains off", "ok" },
		{ "mains 231.5", "ok" },
		{ "mains 231.5 49.9", "ok" },
		{ "  mains \t on \r", "ok" },
		{ "load 50", "ok" },
		{ "load 301", "error: load \"301\": must be 0 to 300" },
		{ "load 5%", "error: load" },
		{ "battery 50%", "ok" },
		{ "battery 50", "ok" },
		{ "battery 101%", "error: battery \"101%\"" },
		{ "battery %", "error: battery" },
		{ "battery unplug", "ok" },
		{ "battery plug", "ok" },
		{ "battery worn on", "ok" },
		{ "battery worn perhaps", "error: battery" },
		{ "bypass bad", "ok" },
		{ "bypass good", "error: bypass \"good\": must be ok or bad" },
		{ "alarm 22/1 on", "ok" },
		{ "alarm 22/1 auto", "ok" },
		{ "alarm 22/1", "error: usage: alarm" },
		{ "alarm 22/1 yes", "error: alarm 22/1 \"yes\": must be on, off or auto" },
		{ "alarm 99/1 on", "error: unknown alarm \"99/1\"" },
		{ "reg 9009", "ok 10" },
		{ "reg 1001", "ok 0 undefined" },
		{ "reg 1024 3", "ok" },
		{ "reg 1024", "ok 3" },
		{ "reg 1024 auto", "ok" },
		{ "reg 1024", "ok 2" },
		{ "reg 0x400", "ok 2" },
		{ "reg 1027 -1", "ok" },
		{ "reg 1027", "ok 65535" },
		{ "reg 1027 65536", "error: register 1027" },
		{ "reg 1027 x", "error: register 1027" },
		{ "reg 65536", "error: register \"65536\"" },
		{ "reg ups", "error: register \"ups\"" },
		{ "temperature -10.5", "ok" },
		{ "temperature hot", "error: temperature \"hot\"" },
		{ "fault late 0.5 max=100", "ok" },
		{ "fault late sometimes", "error: \"sometimes\" after fault late" },
		{ "fault lates", "error: unknown fault \"lates\"" },
		{ "fault off", "ok" },
		{ "fault", "error: usage: fault" },
		{ "dialect pair-only on", "ok" },
		{ "dialect pair-only off", "ok" },
		{ "dialect pair-only perhaps", "error: dialect pair-only \"perhaps\"" },
		{ "dialect nonsense on", "error: unknown dialect \"nonsense\"" },
		{ "panel off", "ok" },
		{ "panel on", "ok" },
		{ "panel mute", "ok" },
		{ "panel clear", "ok" },
		{ "panel eco on", "ok" },
		{ "panel eco", "error: panel" },
		{ "panel smash", "error: panel \" smash\"" },
		{ "mute", "ok" },
		{ "unmute", "ok" },
		{ "speed 10", "ok" },
		{ "speed 0", "error: speed \"0\"" },
		{ "speed 1e9", "error: speed" },
		{ "log", "ok [" },
		{ "writes", "ok [" },
		{ "get", "ok {" },
		{ "get it", "error: usage: get" },
		{ "replug", "error: the port is there" },
		{ "unplug", "ok" },
		{ "unplug", "error: there is nothing to unplug" },
		{ "replug", "ok /dev/somewhere" },
		{ "quit now", "error: usage: quit" },
		{ "quit", "ok" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *reply = say(rows[i].line);

		if (strncmp(reply, rows[i].reply, strlen(rows[i].reply)) != 0)
			fail_msg("\"%s\" says %s", rows[i].line, reply);
		free(reply);
	}
	assert_true(quit);
}

static void test_long_lines(void **state)
{
	char line[2000];

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	free(say(line));
	memset(line, ' ', sizeof(line) - 1);
	free(say(line));
	memcpy(line, "fault", 5);
	for (size_t i = 6; i < 500; i += 2)
		line[i] = 'x';
	line[500] = '\0';
	free(say(line));
	free(say("\x01\xff\xfe %s%n%d"));
}

static json_t *json(const char *line)
{
	char *reply = say(line);
	json_error_t error;
	json_t *root = json_loads(reply + 3, 0, &error);

	if (!root)
		fail_msg("%s: %s in %s", line, error.text, reply);
	free(reply);
	return root;
}

static void test_state_is_json(void **state)
{
	static const char request[] = "\x01\x06\x2b\x26\x00\x01\xa0\x25";
	json_t *root;

	(void)state;
	free(say("alarm 42/27 on"));
	free(say("fault late 0.5"));
	free(say("dialect max-read=43"));
	free(say("mains off"));
	sim_server_receive(&srv, 1000, (const uint8_t *)request, 8);
	sim_server_advance(&srv, 1000000);
	root = json("get");
	assert_true(json_is_false(json_object_get(root, "mains")));
	assert_int_equal(json_integer_value(json_object_get(root, "source")), 3);
	assert_int_equal(json_integer_value(json_object_get(root, "bits")), 0x98);
	assert_int_equal(json_integer_value(json_object_get(root, "muted")), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "writes")), 1);
	assert_int_equal(json_array_size(json_object_get(root, "alarms")), 2);
	assert_string_equal(json_string_value(json_object_get(root, "port")), "/dev/somewhere");
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(root, "dialects"), "max-read")),
		43);
	json_decref(root);
	free(say("unplug"));
	root = json("get");
	assert_true(json_is_null(json_object_get(root, "port")));
	json_decref(root);
	root = json("writes");
	assert_int_equal(json_array_size(root), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(root, 0), "base")),
			 1046);
	json_decref(root);
	root = json("log");
	assert_string_equal(json_string_value(json_object_get(json_array_get(root, 0), "request")),
			    "01 06 2B 26 00 01 A0 25");
	json_decref(root);
}

static void test_scenarios(void **state)
{
	static const struct {
		const char *text, *error; /* NULL: right */
		size_t steps;
	} rows[] = {
		{ "", NULL, 0 },
		{ "# nothing\n\n  \n", NULL, 0 },
		{ "+1 mains off\n+0.5 mains on\n# end\n", NULL, 2 },
		{ "+0 unplug\n+1 unplug\n+2 replug", NULL, 3 },
		{ "mains off\n", ":1: \"mains off\": must be \"+SECONDS COMMAND\"", 0 },
		{ "+1\n", ":1: ", 0 },
		{ "+ mains off\n", ":1: ", 0 },
		{ "+-1 mains off\n", ":1: ", 0 },
		{ "+nan mains off\n", ":1: ", 0 },
		{ "+1x mains off\n", ":1: ", 0 },
		{ "+1 mains off\n\n+1 mians on\n", ":3: error: unknown command \"mians\"", 0 },
		{ "+1 load 400\n", ":1: error: load \"400\"", 0 },
	};
	struct sim_options device;
	char path[] = "/tmp/test-sim-XXXXXX", err[300];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	sim_options_default(&device);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		FILE *f = fopen(path, "w");
		struct scenario *s;

		assert_non_null(f);
		fputs(rows[i].text, f);
		fclose(f);
		s = scenario_load(path, &device, err, sizeof(err));
		if (!!s == !!rows[i].error)
			fail_msg("row %zu: %s", i, s ? "taken" : err);
		if (!s && (strncmp(err, path, strlen(path)) != 0 ||
			   strncmp(err + strlen(path), rows[i].error, strlen(rows[i].error)) != 0))
			fail_msg("row %zu: %s", i, err);
		if (s)
			assert_int_equal(s->n, rows[i].steps);
		if (i == 2)
			assert_int_equal(s->steps[1].at_us, 1500000);
		scenario_free(s);
	}
	unlink(path);
	assert_null(scenario_load(path, &device, err, sizeof(err)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_replies, bench),
		cmocka_unit_test_setup(test_long_lines, bench),
		cmocka_unit_test_setup(test_state_is_json, bench),
		cmocka_unit_test_setup(test_scenarios, bench),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/ask.h"
#include "cli/probe.h"
#include "cli/scan_port.h"
#include "util/util.h"

struct found {
	struct scan_port *ports;
	size_t n;
};

static void keep_port(void *user, const struct scan_port *port)
{
	struct found *found = user;

	found->ports = xrealloc(found->ports, (found->n + 1) * sizeof(*found->ports));
	found->ports[found->n++] = *port;
}

/* The name to configure. */
static const char *best_name(const struct scan_port *port)
{
	return *port->by_path ? port->by_path : port->device;
}

static void describe(const struct scan_port *port, const struct scan_state *state)
{
	char adapter[160];

	adapter_text(&port->adapter, adapter, sizeof(adapter));
	printf("%s\n", port->device);
	if (*adapter)
		printf("  adapter   %s%s\n", adapter,
		       adapter_likely(&port->adapter) ? "; UPS2000s have this chip built in" : "");
	else if (*port->adapter.driver)
		printf("  driver    %s\n", port->adapter.driver);
	if (*port->by_path)
		printf("  by path   %s\n", port->by_path);
	printf("  %s  %s\n", state->usable ? "usable  " : "unusable",
	       state->usable ? "yes" : state->reason);
}

/* On a terminal, and only with a plain yes. */
static bool agreed(const struct cli *cli, const struct scan_port *port)
{
	char answer[16];

	if (cli->yes)
		return true;
	if (cli->no_input || !isatty(STDIN_FILENO))
		return false;
	fprintf(stderr, "Ask what is on %s (two identification requests and a read)? [y/N] ",
		port->device);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin))
		return false;
	return *answer == 'y' || *answer == 'Y';
}

static json_t *port_json(const struct scan_port *port, const struct scan_state *state)
{
	char ids[16];

	snprintf(ids, sizeof(ids), "%04x:%04x", port->adapter.vendor, port->adapter.product);
	return json_pack("{ss so so so sb sb sb so so}", "device", port->device, "by_path",
			 *port->by_path ? json_string(port->by_path) : json_null(), "usb",
			 port->adapter.usb ? json_string(ids) : json_null(), "driver",
			 *port->adapter.driver ? json_string(port->adapter.driver) : json_null(),
			 "likely", adapter_likely(&port->adapter), "wrong_driver",
			 adapter_wrong_driver(&port->adapter), "usable", state->usable, "reason",
			 state->usable ? json_null() : json_string(state->reason), "ups",
			 json_null());
}

static void tell_ups(const struct survey *s, const char *conf)
{
	const uint16_t *rating = survey_register(s, 9009);

	printf("  UPS       %s, firmware %s, serial %s", s->identity.model,
	       *s->identity.firmware ? s->identity.firmware : "?",
	       *s->identity.esn ? s->identity.esn : "?");
	if (rating)
		printf(", %.1f kVA", *rating / 10.0);
	printf("\n  commands  %s\n  write     %s\n",
	       s->gate == U2K_GATE_OPEN ? "possible" : u2k_gate_text(s->gate), conf);
}

/* What is on the port. json gets its member "ups". Returns EXIT_OK if a UPS was found. */
static int identify(const struct cli *cli, const struct scan_port *port, json_t *json)
{
	struct survey_config config = probe_config(cli);
	struct survey *s;
	int code = EXIT_OK;
	struct wire *wire = probe_open(cli, best_name(port), NULL, &code);

	if (!wire)
		return code;
	s = xcalloc(1, sizeof(*s));
	survey_identify(s, wire, &config);
	wire_close(wire);
	probe_progress_end();
	char *conf = probe_conf(best_name(port), s);

	if (s->interrupted) {
		code = EXIT_INTERRUPTED;
	} else if (!s->identity.known) {
		code = EXIT_TEMPORARY;
		if (!json)
			printf("  UPS       none answers%s\n",
			       s->answered ? " the identification" : " here");
	} else if (json) {
		json_t *ups = probe_identity_json(&s->identity);
		const uint16_t *rating = survey_register(s, 9009);

		json_object_set_new(ups, "rated_va",
				    rating ? json_integer(*rating * 100) : json_null());
		json_object_set_new(ups, "commands",
				    s->gate == U2K_GATE_OPEN ? json_true() : json_false());
		json_object_set_new(ups, "reason",
				    s->gate == U2K_GATE_OPEN ? json_null()
							     : json_string(u2k_gate_text(s->gate)));
		json_object_set_new(ups, "configuration", json_string(conf));
		json_object_set_new(json, "ups", ups);
	} else {
		tell_ups(s, conf);
	}
	free(conf);
	free(s);
	return code;
}

static int scan_one(const struct cli *cli, const struct scan_port *port, json_t *list, bool *left)
{
	struct scan_state state;
	json_t *json = NULL;
	int code = EXIT_OK;

	scan_look(port, &state);
	if (cli->json)
		json = port_json(port, &state);
	else
		describe(port, &state);
	fflush(stdout);
	if (state.usable && agreed(cli, port))
		code = identify(cli, port, json);
	else
		*left = *left || state.usable;
	if (json)
		json_array_append_new(list, json);
	return code == EXIT_INTERRUPTED ? code : EXIT_OK;
}

int cmd_scan(struct cli *cli)
{
	struct found found = { 0 };
	json_t *list = json_array(), *out;
	bool left = false;
	int code = EXIT_OK;

	if (scan_ports(probe_sysfs(), probe_dev(), keep_port, &found) < 0) {
		complain("sysfs cannot be read, so there is no telling which ports there are");
		advise("name the port: \"ups2000 probe /dev/ttyUSB0\"");
		json_decref(list);
		return EXIT_UNREACHABLE;
	}
	for (size_t i = 0; i < found.n && code == EXIT_OK; i++)
		code = scan_one(cli, &found.ports[i], list, &left);
	if (cli->json) {
		out = json_pack("{sO}", "ports", list);
		ask_print(cli, out);
		json_decref(out);
	} else if (!found.n) {
		printf("There are no serial ports.\n");
		advise("is the cable plugged in and the UPS on? Its USB chip is fed by the UPS");
	}
	if (left && !cli->json)
		advise("nothing was sent to ports left out; \"ups2000 scan --yes\" asks what is on them");
	json_decref(list);
	free(found.ports);
	return code;
}

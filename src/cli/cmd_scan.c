#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli/ask.h"
#include "cli/probe.h"
#include "cli/prompt.h"
#include "cli/scan_port.h"
#include "util/util.h"

/* Only with a plain yes. */
static bool agreed(const struct cli *cli, const struct scan_port *port)
{
	char question[PATH_MAX + 80];

	snprintf(question, sizeof(question),
		 "Ask what is on %s (two identification requests and a read)?", port->device);
	return cli->yes || prompt_yes(cli, question, false);
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

/* What is on the port. json gets its member "ups". Returns EXIT_OK if a UPS was found. */
static int identify(const struct cli *cli, const struct scan_port *port, json_t *json)
{
	struct survey_config config = probe_config(cli);
	struct survey *s;
	int code = EXIT_OK;
	struct wire *wire = probe_open(cli, scan_best_name(port), NULL, &code);

	if (!wire)
		return code;
	s = xcalloc(1, sizeof(*s));
	survey_identify(s, wire, &config);
	wire_close(wire);
	probe_progress_end();
	char *conf = probe_conf(scan_best_name(port), s);

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
		probe_tell_ups(s);
		printf("  write     %s\n", conf);
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
		scan_describe(port, &state);
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
	json_t *list = json_array(), *out;
	struct scan_port *ports;
	bool left = false;
	int code = EXIT_OK;
	size_t n;

	if (!scan_list(probe_sysfs(), probe_dev(), &ports, &n)) {
		complain("sysfs cannot be read, so there is no telling which ports there are");
		advise("name the port: \"ups2000 probe /dev/ttyUSB0\"");
		json_decref(list);
		return EXIT_UNREACHABLE;
	}
	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = scan_one(cli, &ports[i], list, &left);
	if (cli->json) {
		out = json_pack("{sO}", "ports", list);
		ask_print(cli, out);
		json_decref(out);
	} else if (!n) {
		printf("There are no serial ports.\n");
		advise("is the cable plugged in and the UPS on? Its USB chip is fed by the UPS");
	}
	if (left && !cli->json)
		advise("nothing was sent to ports left out; \"ups2000 scan --yes\" asks what is on them");
	json_decref(list);
	free(ports);
	return code;
}

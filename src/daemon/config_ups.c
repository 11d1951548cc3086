#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

/* One UPS of a configuration, whoever made it: apart from config.c, which needs the parser. */

void config_ups_init(struct config_ups *ups)
{
	memset(ups, 0, sizeof(*ups));
	ups->baud = 9600;
	ups->unit_id = 1;
	ups->number = 1;
	ups->control = true;
	ups->status_interval_ms = CONFIG_STATUS_INTERVAL_MS;
	ups->delay_shutdown = 60;
	ups->delay_start = 60;
	ups->delay_reboot = 60;
	ups->vars.battery_charge_low = -1;
	ups->vars.battery_runtime_low = -1;
}

static void free_texts(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void config_ups_close(struct config_ups *ups)
{
	free(ups->name);
	free(ups->desc);
	free(ups->port);
	free(ups->serial);
	free_texts(ups->aliases, ups->n_aliases);
	free(ups->overrides);
	free(ups->defaults);
	free_texts(ups->texts, ups->n_texts);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_texts(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!same_text(a[i], b[i]))
			return false;
	return true;
}

static bool same_overrides(const struct nut_override *a, size_t n_a, const struct nut_override *b,
			   size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!same_text(a[i].name, b[i].name) || !same_text(a[i].value, b[i].value))
			return false;
	return true;
}

bool config_ups_same_device(const struct config_ups *a, const struct config_ups *b)
{
	return strcmp(a->port, b->port) == 0 && a->baud == b->baud && a->unit_id == b->unit_id &&
	       a->number == b->number && same_text(a->serial, b->serial) &&
	       a->control == b->control && a->status_interval_ms == b->status_interval_ms;
}

bool config_ups_same(const struct config_ups *a, const struct config_ups *b)
{
	const struct nut_vars_config *va = &a->vars, *vb = &b->vars;

	return config_ups_same_device(a, b) && same_text(a->name, b->name) &&
	       same_text(a->desc, b->desc) &&
	       same_texts(a->aliases, a->n_aliases, b->aliases, b->n_aliases) &&
	       a->delay_shutdown == b->delay_shutdown && a->delay_start == b->delay_start &&
	       a->delay_reboot == b->delay_reboot &&
	       same_text(va->battery_date, vb->battery_date) && same_text(va->id, vb->id) &&
	       same_overrides(a->overrides, a->n_overrides, b->overrides, b->n_overrides) &&
	       same_overrides(a->defaults, a->n_defaults, b->defaults, b->n_defaults) &&
	       va->ignorelb == vb->ignorelb && va->cal_for_test == vb->cal_for_test &&
	       !(va->battery_charge_low < vb->battery_charge_low) &&
	       !(va->battery_charge_low > vb->battery_charge_low) &&
	       !(va->battery_runtime_low < vb->battery_runtime_low) &&
	       !(va->battery_runtime_low > vb->battery_runtime_low);
}

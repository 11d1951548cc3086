#include "policy/policy.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ups2000/error.h>

#include "policy/policy_impl.h"

enum { DAY_S = 86400, NAME_LONGEST = 100, OFF_LATEST_S = 5940 };

void policy_conditions_default(struct policy_conditions *when)
{
	*when = (struct policy_conditions){
		.charge_percent = 20,
		.runtime_s = 180,
		.low_battery = true,
		.lost_s = 60,
	};
}

void policy_config_default(struct policy_config *config)
{
	*config = (struct policy_config){
		.enabled = true,
		.minimum_supplies = 1,
		.warning_s = 10,
		.mains_stable_s = 5,
		.hostsync_s = 60,
		.final_delay_s = 5,
		.host_shutdown_time_s = 120,
	};
}

/* --- what cannot work --------------------------------------------------------------------------- */

#define complain(...) (snprintf(text, POLICY_TEXT_MAX, __VA_ARGS__), U2K_EINVAL)

static bool in_range(double value, double least, double most)
{
	return value >= least && value <= most; /* false for a NaN */
}

/* Names stand in the record and in what people read. */
static bool good_name(const char *name)
{
	if (!name || !*name || strlen(name) > NAME_LONGEST)
		return false;
	for (; *name; name++)
		if ((unsigned char)*name <= ' ' || *name == 0x7f)
			return false;
	return true;
}

static int check_ups(const struct policy_config *config, size_t i, char *text)
{
	const struct policy_ups_config *ups = &config->ups[i];
	const struct policy_conditions *when = &ups->when;

	if (!good_name(ups->name))
		return complain("UPS %zu needs a name of 1 to %d characters without blanks.", i + 1,
				NAME_LONGEST);
	for (size_t k = 0; k < i; k++)
		if (!strcasecmp(config->ups[k].name, ups->name))
			return complain("UPS %s is named twice; once is enough.", ups->name);
	if (ups->supplies > 100)
		return complain("UPS %s: supplies must be 0 to 100.", ups->name);
	if (when->on_battery_s > DAY_S || when->runtime_s > DAY_S || when->lost_s > DAY_S)
		return complain("UPS %s: times must be 0 to %d s.", ups->name, DAY_S);
	if (!in_range(when->charge_percent, 0, 100))
		return complain("UPS %s: charge must be 0 to 100 %%.", ups->name);
	if (!in_range(when->temperature_c, 0, 100))
		return complain("UPS %s: temperature must be 0 to 100 degrees.", ups->name);
	if (when->alarms >> U2K_ALARM_COUNT)
		return complain("UPS %s: there are %d alarms.", ups->name, U2K_ALARM_COUNT);
	return 0;
}

static int check_stage(const struct policy_config *config, size_t i, char *text)
{
	const struct policy_stage *stage = &config->stages[i];

	if (!good_name(stage->name))
		return complain("stage %zu needs a name of 1 to %d characters without blanks.",
				i + 1, NAME_LONGEST);
	for (size_t k = 0; k < i; k++)
		if (!strcmp(config->stages[k].name, stage->name))
			return complain("stage %s is named twice; use another name.", stage->name);
	if (stage->n_commands > POLICY_COMMANDS_MAX)
		return complain("stage %s has %zu commands; at most %d.", stage->name,
				stage->n_commands, POLICY_COMMANDS_MAX);
	for (size_t k = 0; k < stage->n_commands; k++) {
		const struct policy_command *command = &stage->commands[k];

		if (!good_name(command->name))
			return complain("stage %s: command %zu needs a name without blanks.",
					stage->name, k + 1);
		if (!command->timeout_s || command->timeout_s > DAY_S)
			return complain("command %s: its time-out must be 1 to %d s.",
					command->name, DAY_S);
	}
	return 0;
}

static int check_wake(const struct policy_config *config, size_t i, char *text)
{
	const struct policy_wake *wake = &config->wake[i];

	if (!good_name(wake->name))
		return complain(
			"host %zu to wake needs a name of 1 to %d characters without blanks.",
			i + 1, NAME_LONGEST);
	for (size_t k = 0; k < i; k++)
		if (!strcmp(config->wake[k].name, wake->name))
			return complain("host %s is to be woken twice; once is enough.",
					wake->name);
	if (wake->ups < -1 || wake->ups >= (int)config->n_ups)
		return complain("host %s hangs on a UPS that is not here.", wake->name);
	if (!in_range(wake->min_charge_percent, 0, 100))
		return complain("host %s: the charge must be 0 to 100 %%.", wake->name);
	if (wake->after_s > DAY_S || !wake->retry_s || wake->retry_s > DAY_S)
		return complain("host %s: after must be 0 to %d s, retry 1 to %d s.", wake->name,
				DAY_S, DAY_S);
	if (!wake->tries || wake->tries > 1000)
		return complain("host %s: tries must be 1 to 1000.", wake->name);
	return 0;
}

static int check_whole(const struct policy_config *config, char *text)
{
	unsigned supplies = 0;

	if (config->n_ups > POLICY_UPS_MAX)
		return complain("%zu UPSes; at most %d.", config->n_ups, POLICY_UPS_MAX);
	if (config->n_stages > POLICY_STAGES_MAX)
		return complain("%zu stages; at most %d.", config->n_stages, POLICY_STAGES_MAX);
	if (config->n_wake > POLICY_WAKE_MAX)
		return complain("%zu hosts to wake; at most %d.", config->n_wake, POLICY_WAKE_MAX);
	if (config->warning_s > DAY_S || config->mains_stable_s > 3600 ||
	    config->hostsync_s > DAY_S || config->final_delay_s > DAY_S ||
	    config->host_shutdown_time_s > DAY_S || config->own_logins > 1000)
		return complain("times must be 0 to %d s, the mains stable after 3600 s at most.",
				DAY_S);
	if (config->host == POLICY_HOST_SHUTDOWN && config->early_arming &&
	    !config->host_shutdown_time_s)
		return complain(
			"early arming needs host-shutdown-time: how long this host takes to "
			"halt, in seconds.");
	if ((config->early_arming || config->host == POLICY_HOST_NONE) &&
	    config->host_shutdown_time_s > OFF_LATEST_S)
		return complain("host-shutdown-time must be 0 to %d s: a UPS can wait no longer "
				"before it switches off.",
				OFF_LATEST_S);
	for (size_t i = 0; i < config->n_ups; i++)
		supplies += config->ups[i].supplies > 100 ? 0 : config->ups[i].supplies;
	if (config->enabled && !config->minimum_supplies)
		return complain("minimum-supplies must be 1 at least.");
	if (config->enabled && config->minimum_supplies > supplies)
		return complain("minimum-supplies is %u, but all UPSes together feed %u; no more "
				"than %u would be right.",
				config->minimum_supplies, supplies, supplies);
	return 0;
}

int policy_config_check(const struct policy_config *config, char *text)
{
	int error = check_whole(config, text);

	for (size_t i = 0; !error && i < config->n_ups; i++)
		error = check_ups(config, i, text);
	for (size_t i = 0; !error && i < config->n_stages; i++)
		error = check_stage(config, i, text);
	for (size_t i = 0; !error && i < config->n_wake; i++)
		error = check_wake(config, i, text);
	return error;
}

/* --- a copy of one's own ---------------------------------------------------------------------- */

/* Copies n elements; each begins with its name, which is copied too. NULL if memory is out. */
static void *copy_named(const void *from, size_t n, size_t size)
{
	char *to = calloc(n ? n : 1, size);

	for (size_t i = 0; to && i < n; i++) {
		const char *name;

		memcpy(to + i * size, (const char *)from + i * size, size);
		memcpy(&name, to + i * size, sizeof(name));
		name = strdup(name);
		memcpy(to + i * size, &name, sizeof(name));
	}
	return to;
}

static void free_named(const void *list, size_t n, size_t size)
{
	for (size_t i = 0; list && i < n; i++) {
		char *name;

		memcpy(&name, (const char *)list + i * size, sizeof(name));
		free(name);
	}
	free((void *)(uintptr_t)list);
}

static bool named(const void *list, size_t n, size_t size)
{
	for (size_t i = 0; list && i < n; i++) {
		const char *name;

		memcpy(&name, (const char *)list + i * size, sizeof(name));
		if (!name)
			return false;
	}
	return list != NULL;
}

static_assert(offsetof(struct policy_ups_config, name) == 0 &&
		      offsetof(struct policy_stage, name) == 0 &&
		      offsetof(struct policy_command, name) == 0 &&
		      offsetof(struct policy_wake, name) == 0,
	      "copy_named() takes the name to be first");

int policy_config_copy(struct policy_config *to, const struct policy_config *from)
{
	struct policy_stage *stages;
	bool good;

	*to = *from;
	to->ups = copy_named(from->ups, from->n_ups, sizeof(*from->ups));
	to->wake = copy_named(from->wake, from->n_wake, sizeof(*from->wake));
	to->stages = stages = copy_named(from->stages, from->n_stages, sizeof(*from->stages));
	good = named(to->ups, to->n_ups, sizeof(*to->ups)) &&
	       named(to->wake, to->n_wake, sizeof(*to->wake)) &&
	       named(to->stages, to->n_stages, sizeof(*to->stages));
	for (size_t i = 0; stages && i < to->n_stages; i++) {
		stages[i].commands = copy_named(stages[i].commands, stages[i].n_commands,
						sizeof(*stages[i].commands));
		good = good &&
		       named(stages[i].commands, stages[i].n_commands, sizeof(*stages[i].commands));
	}
	return good ? 0 : U2K_ENOMEM;
}

void policy_config_free(struct policy_config *config)
{
	for (size_t i = 0; config->stages && i < config->n_stages; i++)
		free_named(config->stages[i].commands, config->stages[i].n_commands,
			   sizeof(*config->stages[i].commands));
	free_named(config->stages, config->n_stages, sizeof(*config->stages));
	free_named(config->ups, config->n_ups, sizeof(*config->ups));
	free_named(config->wake, config->n_wake, sizeof(*config->wake));
	memset(config, 0, sizeof(*config));
}

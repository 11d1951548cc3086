#include "daemon/config_build.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config_check.h"
#include "util/util.h"

/*
 * The sections shutdown, feed, task and wake, as the policy wants them. Without a shutdown section
 * the policy has all UPSes, watched only: it knows when an FSD may be cleared.
 */

static const char *text_of(cfg_t *section, const char *key)
{
	return cfg_size(section, key) ? cfg_getstr(section, key) : NULL;
}

static void get_unsigned(cfg_t *section, const char *key, unsigned *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = (unsigned)value_number(text);
}

static void get_double(cfg_t *section, const char *key, double *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = (double)value_number(text);
}

static void get_bool(cfg_t *section, const char *key, bool *out)
{
	const char *text = text_of(section, key);

	if (text)
		*out = value_bool(text);
}

static char *copy_of(cfg_t *section, const char *key)
{
	return xstrdup(text_of(section, key));
}

/* A list that ends with NULL, or NULL if the key is not given. */
static char **get_vector(cfg_t *section, const char *key)
{
	unsigned n = cfg_size(section, key);
	char **list = n ? xcalloc(n + 1, sizeof(*list)) : NULL;

	for (unsigned i = 0; i < n; i++)
		list[i] = xstrdup(cfg_getnstr(section, key, i));
	return list;
}

static void free_vector(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static const struct config_ups *find_ups(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_ups; i++) {
		const struct config_ups *ups = &config->ups[i];

		if (strcasecmp(ups->name, name) == 0)
			return ups;
		for (size_t a = 0; a < ups->n_aliases; a++)
			if (strcasecmp(ups->aliases[a], name) == 0)
				return ups;
	}
	return NULL;
}

static const struct config_ups *need_ups(const struct config *config, cfg_t *section,
					 const char *key, size_t index, const char *name)
{
	const struct config_ups *ups = find_ups(config, name);

	if (!ups)
		config__say(true, config__line(section, key, index),
			    "there is no ups \"%s\". Name one that has a section of its own", name);
	return ups;
}

/* --- what feeds this host ------------------------------------------------------------------------ */

static void get_conditions(cfg_t *section, struct policy_conditions *when)
{
	get_unsigned(section, "on-battery", &when->on_battery_s);
	get_double(section, "charge-below", &when->charge_percent);
	get_unsigned(section, "runtime-below", &when->runtime_s);
	get_bool(section, "low-battery", &when->low_battery);
	get_double(section, "temperature-above", &when->temperature_c);
	get_unsigned(section, "lost-on-battery", &when->lost_s);
	if (cfg_size(section, "alarms"))
		when->alarms = 0;
	for (unsigned i = 0; i < cfg_size(section, "alarms"); i++)
		when->alarms |= value_alarm(cfg_getnstr(section, "alarms", i));
}

static void get_end(cfg_t *section, enum policy_end *end)
{
	const char *text = text_of(section, "ups-off");

	if (text)
		*end = (enum policy_end)value_ups_off(text);
}

static cfg_t *find_feed(const struct config *config, cfg_t *root, const struct config_ups *ups)
{
	for (unsigned i = 0; i < cfg_size(root, "feed"); i++) {
		cfg_t *feed = cfg_getnsec(root, "feed", i);

		if (find_ups(config, feed->title) == ups)
			return feed;
	}
	return NULL;
}

/* Does this UPS feed the host, by the list in shutdown? All do if there is none. */
static bool is_listed(const struct config *config, cfg_t *section, const struct config_ups *ups)
{
	unsigned n = cfg_size(section, "ups");

	for (unsigned i = 0; i < n; i++)
		if (find_ups(config, cfg_getnstr(section, "ups", i)) == ups)
			return true;
	return n == 0;
}

/* The late hook runs when the network is gone. */
static void check_reach(const struct config *config, const struct config_ups *ups, int line,
			const struct policy_ups_config *feed)
{
	const struct policy_config *policy = &config->shutdown.policy;

	if (feed->end == POLICY_END_NOTHING || !feed->supplies)
		return;
	if (!ups->control)
		config__say(
			true, line,
			"ups \"%s\" is only monitored (control = no) and cannot be switched off. Write "
			"ups-off = no in feed \"%s\", or take control = no away",
			ups->name, ups->name);
	if (strstr(ups->port, "://") && policy->host == POLICY_HOST_SHUTDOWN &&
	    !policy->early_arming)
		config__say(
			false, line,
			"ups \"%s\" is reached over the network, which is gone when the host halts: it "
			"will not be switched off. Use arm-early = yes with host-shutdown-time, or "
			"ups-off = no",
			ups->name);
}

static void add_feeds(struct config *config, cfg_t *root, cfg_t *section,
		      const struct policy_conditions *when, enum policy_end end)
{
	struct policy_config *policy = &config->shutdown.policy;
	struct policy_ups_config *list = xcalloc(config->n_ups + 1, sizeof(*list));

	for (size_t i = 0; i < config->n_ups && policy->n_ups < POLICY_UPS_MAX; i++) {
		const struct config_ups *ups = &config->ups[i];
		struct policy_ups_config *feed = &list[policy->n_ups];
		cfg_t *own = root ? find_feed(config, root, ups) : NULL;

		*feed = (struct policy_ups_config){ .name = ups->name, .when = *when, .end = end };
		feed->supplies = section && is_listed(config, section, ups) ? 1 : 0;
		if (own) {
			get_unsigned(own, "supplies", &feed->supplies);
			get_conditions(own, &feed->when);
			get_end(own, &feed->end);
		}
		if (section)
			check_reach(config, ups,
				    own ? config__line(own, NULL, 0)
					: config__section_line("shutdown"),
				    feed);
		policy->n_ups++;
	}
	policy->ups = list;
}

static void check_feed_names(const struct config *config, cfg_t *root, cfg_t *section)
{
	for (unsigned i = 0; i < cfg_size(section, "ups"); i++)
		need_ups(config, section, "ups", i, cfg_getnstr(section, "ups", i));
	for (unsigned i = 0; i < cfg_size(root, "feed"); i++) {
		cfg_t *feed = cfg_getnsec(root, "feed", i);

		need_ups(config, feed, NULL, 0, feed->title);
	}
}

/* --- tasks ---------------------------------------------------------------------------------------- */

static int by_stage(const void *a, const void *b)
{
	const struct config_task *const *x = a, *const *y = b;

	if ((*x)->stage != (*y)->stage)
		return (*x)->stage < (*y)->stage ? -1 : 1;
	return *x < *y ? -1 : *x > *y; /* as they stand in the file */
}

static void sort_tasks(struct config_shutdown *shutdown)
{
	struct config_task **order = xcalloc(shutdown->n_tasks + 1, sizeof(struct config_task *));
	struct config_task *sorted = xcalloc(shutdown->n_tasks + 1, sizeof(*sorted));

	for (size_t i = 0; i < shutdown->n_tasks; i++)
		order[i] = &shutdown->tasks[i];
	qsort(order, shutdown->n_tasks, sizeof(struct config_task *), by_stage);
	for (size_t i = 0; i < shutdown->n_tasks; i++)
		sorted[i] = *order[i];
	free(order);
	free(shutdown->tasks);
	shutdown->tasks = sorted;
}

static void get_tasks(struct config_shutdown *shutdown, cfg_t *root)
{
	unsigned n = cfg_size(root, "task");

	shutdown->tasks = xcalloc(n + 1, sizeof(*shutdown->tasks));
	for (unsigned i = 0; i < n; i++) {
		cfg_t *section = cfg_getnsec(root, "task", i);
		struct config_task *task = &shutdown->tasks[shutdown->n_tasks++];

		*task = (struct config_task){ .name = xstrdup(section->title),
					      .run = get_vector(section, "run"),
					      .timeout_s = 60,
					      .stage = 1 };
		get_unsigned(section, "timeout", &task->timeout_s);
		get_unsigned(section, "stage", &task->stage);
		if (!task->run)
			config__say(
				true, config__line(section, NULL, 0),
				"task \"%s\" runs nothing. Add run = {\"/full/path\", \"argument\"}",
				task->name);
		else if (task->run[0][0] != '/')
			config__say(
				true, config__line(section, "run", 0),
				"run begins with \"%.64s\", which is not a full path. No shell looks "
				"for it: begin with '/'",
				task->run[0]);
	}
	sort_tasks(shutdown);
}

/* Tasks with the same number run together. */
static void make_stages(struct config_shutdown *shutdown)
{
	struct policy_stage *stages = xcalloc(shutdown->n_tasks + 1, sizeof(*stages));
	struct policy_command *commands = xcalloc(shutdown->n_tasks + 1, sizeof(*commands));
	struct policy_stage *stage = NULL;
	unsigned number = 0;
	size_t n = 0;

	for (size_t i = 0; i < shutdown->n_tasks; i++) {
		const struct config_task *task = &shutdown->tasks[i];

		commands[i] = (struct policy_command){ task->name, task->timeout_s };
		if (!stage || task->stage != number) {
			stage = &stages[n++];
			stage->name = task->name;
			stage->parallel = true;
			stage->commands = &commands[i];
			number = task->stage;
		}
		stage->n_commands++;
	}
	if (!n) {
		free(commands);
		free(stages);
		return;
	}
	shutdown->policy.stages = stages;
	shutdown->policy.n_stages = n;
}

/* --- wake ----------------------------------------------------------------------------------------- */

static int index_of(const struct config *config, const char *name)
{
	const struct config_ups *ups = name ? find_ups(config, name) : NULL;
	const struct policy_config *policy = &config->shutdown.policy;

	for (size_t i = 0; ups && i < policy->n_ups; i++)
		if (strcmp(policy->ups[i].name, ups->name) == 0)
			return (int)i;
	return -1;
}

static void get_wake(struct config *config, cfg_t *root)
{
	struct config_shutdown *shutdown = &config->shutdown;
	unsigned n = cfg_size(root, "wake");
	struct policy_wake *list = xcalloc(n + 1, sizeof(*list));
	char why[512];

	shutdown->wake = xcalloc(n + 1, sizeof(*shutdown->wake));
	for (unsigned i = 0; i < n; i++) {
		cfg_t *section = cfg_getnsec(root, "wake", i);
		struct config_wake *wake = &shutdown->wake[shutdown->n_wake];
		struct policy_wake *when = &list[shutdown->n_wake++];
		const char *mac = text_of(section, "mac");
		const char *password = text_of(section, "password");

		wake->name = xstrdup(section->title);
		wake->ups = copy_of(section, "ups");
		wake->broadcast = copy_of(section, "broadcast");
		wake->interface = copy_of(section, "interface");
		wake->seen = copy_of(section, "seen");
		if (!mac)
			config__say(true, config__line(section, NULL, 0),
				    "wake \"%s\" has no mac. Add mac = \"00:11:22:33:44:55\"",
				    wake->name);
		else
			wol_parse_mac(mac, wake->host.mac, why, sizeof(why));
		if (password)
			wol_parse_password(password, &wake->host, why, sizeof(why));
		if (wake->ups)
			need_ups(config, section, "ups", 0, wake->ups);
		*when = (struct policy_wake){ .name = wake->name,
					      .ups = index_of(config, wake->ups),
					      .after_s = 30 * i,
					      .retry_s = 120,
					      .tries = 5,
					      .unseen = !wake->seen };
		get_double(section, "charge-above", &when->min_charge_percent);
		get_unsigned(section, "after", &when->after_s);
		get_unsigned(section, "retry", &when->retry_s);
		get_unsigned(section, "tries", &when->tries);
	}
	shutdown->policy.wake = list;
	shutdown->policy.n_wake = n;
}

/* --- all of it ------------------------------------------------------------------------------------ */

/* A section that only a shutdown section gives a meaning. */
static void say_idle(cfg_t *root)
{
	static const char *const parts[] = { "feed", "task", "wake" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (cfg_size(root, parts[i]))
			config__say(true, config__line(cfg_getnsec(root, parts[i], 0), NULL, 0),
				    "%s has no meaning without a section shutdown. Add shutdown {}",
				    parts[i]);
}

static void get_plan(struct config *config, cfg_t *section)
{
	struct config_shutdown *shutdown = &config->shutdown;
	struct policy_config *policy = &shutdown->policy;
	const char *text;
	bool this_host = true;

	get_unsigned(section, "minimum-supplies", &policy->minimum_supplies);
	get_unsigned(section, "warning", &policy->warning_s);
	get_unsigned(section, "mains-stable", &policy->mains_stable_s);
	get_unsigned(section, "secondaries-wait", &policy->hostsync_s);
	get_unsigned(section, "own-logins", &policy->own_logins);
	get_unsigned(section, "final-delay", &policy->final_delay_s);
	get_unsigned(section, "host-shutdown-time", &policy->host_shutdown_time_s);
	get_bool(section, "arm-early", &policy->early_arming);
	get_bool(section, "this-host", &this_host);
	policy->host = this_host ? POLICY_HOST_SHUTDOWN : POLICY_HOST_NONE;
	if ((text = text_of(section, "on-fsd")))
		policy->on_fsd = (enum policy_on_fsd)value_on_fsd(text);
	if ((text = text_of(section, "method")))
		shutdown->way = (enum config_host_way)value_host_way(text);
	shutdown->command = get_vector(section, "command");
	if (shutdown->command && shutdown->command[0][0] != '/')
		config__say(
			true, config__line(section, "command", 0),
			"command begins with \"%.64s\", which is not a full path. No shell looks "
			"for it: begin with '/'",
			shutdown->command[0]);
	if (policy->early_arming && !text_of(section, "host-shutdown-time"))
		config__say(true, config__line(section, "arm-early", 0),
			    "arm-early needs to know how long this host takes to halt. Add "
			    "host-shutdown-time, in seconds, with some to spare");
}

void config__build_shutdown(struct config *config, cfg_t *root)
{
	cfg_t *section = cfg_getsec(root, "shutdown");
	struct policy_conditions when;
	enum policy_end end = POLICY_END_RETURN;
	char why[POLICY_TEXT_MAX];

	config->shutdown.given = config__section_line("shutdown") > 0;
	if (!config->shutdown.given) {
		say_idle(root);
		config__no_shutdown(config);
		return;
	}
	policy_config_default(&config->shutdown.policy);
	policy_conditions_default(&when);
	get_conditions(section, &when);
	get_end(section, &end);
	get_plan(config, section);
	check_feed_names(config, root, section);
	add_feeds(config, root, section, &when, end);
	get_tasks(&config->shutdown, root);
	make_stages(&config->shutdown);
	get_wake(config, root);
	if (config->n_ups > POLICY_UPS_MAX)
		config__say(
			true, config__section_line("shutdown"),
			"there are %zu UPSes and a shutdown can watch %d. Let several ups2000d share "
			"them",
			config->n_ups, POLICY_UPS_MAX);
	else if (policy_config_check(&config->shutdown.policy, why) < 0) {
		why[strcspn(why, "\n")] = '\0';
		if (*why && why[strlen(why) - 1] == '.')
			why[strlen(why) - 1] = '\0';
		config__say(true, config__section_line("shutdown"), "%s", why);
	}
}

void config__no_shutdown(struct config *config)
{
	struct policy_conditions none = { 0 };

	policy_config_default(&config->shutdown.policy);
	config->shutdown.policy.enabled = false;
	add_feeds(config, NULL, NULL, &none, POLICY_END_NOTHING);
}

void config__close_shutdown(struct config_shutdown *shutdown)
{
	const struct policy_config *policy = &shutdown->policy;

	for (size_t i = 0; i < shutdown->n_tasks; i++) {
		free(shutdown->tasks[i].name);
		free_vector(shutdown->tasks[i].run);
	}
	for (size_t i = 0; i < shutdown->n_wake; i++) {
		free(shutdown->wake[i].name);
		free(shutdown->wake[i].ups);
		free(shutdown->wake[i].broadcast);
		free(shutdown->wake[i].interface);
		free(shutdown->wake[i].seen);
	}
	if (policy->n_stages)
		free((void *)(uintptr_t)policy->stages[0].commands);
	free((void *)(uintptr_t)policy->stages);
	free((void *)(uintptr_t)policy->ups);
	free((void *)(uintptr_t)policy->wake);
	free(shutdown->tasks);
	free(shutdown->wake);
	free_vector(shutdown->command);
}

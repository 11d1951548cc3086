#include "driver/settings_impl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/config.h"
#include "driver/args.h"
#include "driver/paths.h"
#include "nut/ups_conf.h"
#include "util/util.h"

void settings__say(struct loader *l, bool fatal, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = xvasprintf(format, args);
	va_end(args);
	l->say(l->user, fatal, text);
	l->bad = l->bad || fatal;
	free(text);
}

char *settings__keep(struct config_ups *ups, const char *text)
{
	ups->texts = xrealloc(ups->texts, (ups->n_texts + 1) * sizeof(*ups->texts));
	return ups->texts[ups->n_texts++] = xstrdup(text);
}

/* name = value in a list; a later one replaces an earlier one. */
void settings__put(struct config_ups *ups, struct nut_override **list, size_t *n, const char *name,
		   const char *value)
{
	size_t i = 0;

	while (i < *n && strcasecmp((*list)[i].name, name) != 0)
		i++;
	if (i == *n) {
		*list = xrealloc(*list, (*n + 1) * sizeof(**list));
		(*n)++;
	}
	(*list)[i] = (struct nut_override){ settings__keep(ups, name), settings__keep(ups, value) };
}

void settings__parameter(struct loader *l, const char *name, const char *value)
{
	char *full = xasprintf("driver.parameter.%s", name);

	settings__put(l->ups, &l->ups->defaults, &l->ups->n_defaults, full, value);
	free(full);
}

void settings__replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with);
}

/* --- sources ------------------------------------------------------------------------------------ */

static void take_section(struct loader *l, const struct ups_conf *conf,
			 const struct ups_conf_section *section)
{
	for (size_t i = 0; i < section->n_entries; i++) {
		const struct ups_conf_entry *entry = &section->entries[i];
		char *where = xasprintf("%s:%d", conf->path, entry->line);

		l->where = where;
		settings__entry(l, entry->key, entry->value);
		free(where);
	}
	l->where = NULL;
}

static void say_no_section(struct loader *l, const struct ups_conf *conf, const char *name)
{
	char names[256] = "";
	size_t used = 0;

	for (size_t i = 1; i < conf->n_sections && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s[%s]",
					 used ? ", " : "", conf->sections[i].name);
	settings__say(l, true, "%s has no section [%s]; it has %s", conf->path, name,
		      used ? names : "none at all");
}

/* ups.conf's words for the section, and that the section is for this program. */
static void take_file(struct loader *l, const struct ups_conf *conf)
{
	const struct settings *s = l->settings;
	const struct ups_conf_section *section = ups_conf_find(conf, s->section);
	const char *driver;

	if (!section) {
		say_no_section(l, conf, s->section);
		return;
	}
	driver = ups_conf_value(section, "driver");
	if (!driver)
		settings__say(l, true, "%s: section [%s] has no driver. Add: driver = %s",
			      conf->path, s->section, s->driver);
	else if (strcmp(driver, s->driver) != 0)
		settings__say(
			l, true,
			"%s: section [%s] is for the driver \"%s\", this is \"%s\". Change driver = there, "
			"or start the other program",
			conf->path, s->section, driver, s->driver);
	if (l->bad)
		return;
	l->section = false;
	take_section(l, conf, &conf->sections[0]);
	l->section = true;
	take_section(l, conf, section);
}

static void take_command_line(struct loader *l, const struct args *args)
{
	l->where = "-x";
	l->section = true;
	for (size_t i = 0; i < args->n_extra; i++) {
		char *key = xstrdup(args->extra[i]);
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		settings__entry(l, key, value);
		free(key);
	}
	if (args->poll)
		l->poll = args->poll;
	if (args->user)
		settings__replace(&l->settings->user, args->user);
	if (args->group)
		settings__replace(&l->settings->group, args->group);
	if (args->chroot)
		settings__replace(&l->settings->chroot, args->chroot);
	if (args->debug > l->settings->debug)
		l->settings->debug = args->debug;
	l->settings->quiet = args->quiet;
}

static bool has_threshold(const struct nut_override *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i].name, "battery.charge.low") == 0 ||
		    strcasecmp(list[i].name, "battery.runtime.low") == 0)
			return true;
	return false;
}

static void set_paths(struct settings *s, const char *from_file)
{
	s->state_path = paths_state(from_file);
	s->socket_path = xasprintf("%s/%s-%s", s->state_path, s->driver, s->section);
	s->pid_path = paths_pid(from_file, s->driver, s->section);
}

static void finish(struct loader *l, const char *state_path)
{
	struct settings *s = l->settings;
	struct config_ups *ups = l->ups;

	if (!*ups->port)
		settings__say(l, true, "UPS [%s] has no port. Add: port = /dev/ttyUSB0",
			      s->section);
	if (ups->vars.ignorelb && !has_threshold(ups->overrides, ups->n_overrides) &&
	    !has_threshold(ups->defaults, ups->n_defaults)) {
		settings__say(
			l, false,
			"ignorelb without override.battery.charge.low or override.battery.runtime.low: the "
			"UPS's own low battery signal is used");
		ups->vars.ignorelb = false;
	}
	settings__parameter(l, "port", ups->port);
	settings__parameter(l, "pollinterval", l->poll ? l->poll : "2");
	settings__parameter(l, "synchronous", l->synchronous ? l->synchronous : "auto");
	settings__put(ups, &ups->overrides, &ups->n_overrides, "driver.name", s->driver);

	set_paths(s, state_path);
	if (strlen(s->socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		settings__say(
			l, true,
			"the socket's name %s is too long: at most %zu bytes are possible. Use a "
			"shorter section name or NUT_STATEPATH",
			s->socket_path, sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1);

	ups->vars.overrides = ups->overrides;
	ups->vars.n_overrides = ups->n_overrides;
	ups->vars.defaults = ups->defaults;
	ups->vars.n_defaults = ups->n_defaults;
}

static bool section_ok(const char *name)
{
	return *name && strlen(name) <= 64 && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static struct settings *new_settings(const char *driver, const char *section)
{
	struct settings *s = xcalloc(1, sizeof(*s));
	struct config_ups *ups = xcalloc(1, sizeof(*ups));

	s->driver = xstrdup(driver);
	s->section = xstrdup(section);
	s->config = xcalloc(1, sizeof(*s->config));
	s->config->ups = ups;
	s->config->n_ups = 1;
	config_ups_init(ups);
	ups->name = xstrdup(section);
	ups->port = xstrdup("");
	return s;
}

struct settings *settings_paths(const char *driver, const struct args *args)
{
	struct settings *s = new_settings(driver, args->section);

	set_paths(s, NULL);
	return s;
}

struct settings *settings_load(const char *driver, const struct args *args, settings_say_cb say_cb,
			       void *user)
{
	struct settings *s = new_settings(driver, args->section);
	struct loader l = { .settings = s, .say = say_cb, .user = user, .where = "" };
	struct ups_conf *conf = NULL;
	char *path = paths_conf(), error[512];

	l.ups = &s->config->ups[0];
	if (!section_ok(args->section)) {
		settings__say(&l, true,
			      "\"%s\" cannot be a UPS's name: 1 to 64 characters without '/'",
			      args->section);
	} else if (!args->no_file) {
		conf = ups_conf_load(path, error, sizeof(error));
		if (conf)
			take_file(&l, conf);
		else
			settings__say(&l, true, "%s", error);
	}
	if (!l.bad) {
		take_command_line(&l, args);
		finish(&l, conf ? ups_conf_value(&conf->sections[0], "statepath") : NULL);
	}
	ups_conf_free(conf);
	free(path);
	if (!l.bad)
		return s;
	settings_free(s);
	return NULL;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_sdcommands; i++)
		free(s->sdcommands[i]);
	free(s->sdcommands);
	config_ups_close(&s->config->ups[0]);
	free(s->config->ups);
	free(s->config);
	free(s->driver);
	free(s->section);
	free(s->state_path);
	free(s->socket_path);
	free(s->pid_path);
	free(s->chroot);
	free(s->user);
	free(s->group);
	free(s);
}

char *settings_own_name(const char *argv0)
{
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	const char *from = argv0 && *argv0 ? argv0 : "ups2000-nut", *slash;
	char *deleted;

	if (len > 0) {
		path[len] = '\0';
		deleted = strstr(path, " (deleted)"); /* the file was replaced by an upgrade */
		if (deleted && !deleted[10])
			*deleted = '\0';
		from = path;
	}
	slash = strrchr(from, '/');
	return xstrdup(slash ? slash + 1 : from);
}

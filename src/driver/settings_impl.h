#pragma once

#include <stdbool.h>

#include "driver/settings.h"

struct config_ups;
struct nut_override;

/* Shared by settings.c (where settings come from) and keys.c (what each key means). */
struct loader {
	struct settings *settings;
	struct config_ups *ups;
	const char *poll;
	const char *synchronous;
	const char *where; /* of the entry being judged: "/etc/nut/ups.conf:7" or "-x" */
	bool section;	   /* it stands in the section (or -x), not in the global part */
	bool bad;
	settings_say_cb say;
	void *user;
};

/** A warning, or the error after which nothing starts. */
void settings__say(struct loader *l, bool fatal, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/** A copy that lives as long as the UPS's description. */
char *settings__keep(struct config_ups *ups, const char *text);
/** name = value in a list; a later one replaces an earlier one. */
void settings__put(struct config_ups *ups, struct nut_override **list, size_t *n, const char *name,
		   const char *value);
/** Shown as driver.parameter.NAME. */
void settings__parameter(struct loader *l, const char *name, const char *value);
void settings__replace(char **text, const char *with);

/** Obey an entry of ups.conf or -x; value NULL: a flag. (keys.c) */
void settings__entry(struct loader *l, const char *key, const char *value);

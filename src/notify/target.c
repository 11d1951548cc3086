#include "notify/target.h"

#include <stdlib.h>
#include <string.h>

#include "util/util.h"

static const char *const names[] = {
	[TARGET_COMMAND] = "command", [TARGET_MAIL] = "mail",	  [TARGET_WEBHOOK] = "webhook",
	[TARGET_NTFY] = "ntfy",	      [TARGET_GOTIFY] = "gotify",
};

const char *target_type_name(unsigned type)
{
	return type < ARRAY_SIZE(names) ? names[type] : NULL;
}

void target_init(struct notify_target *target)
{
	memset(target, 0, sizeof(*target));
	target->rank = 1;
	target->hold_off_s = 5;
	target->blips = true;
	target->timeout_s = 30;
	target->expire_s = 86400;
}

static void free_texts(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void target_close(struct notify_target *target)
{
	free(target->name);
	free_texts(target->events, target->n_events);
	free_texts(target->ups, target->n_ups);
	free_texts(target->command, target->n_command);
	free_texts(target->to, target->n_to);
	free_texts(target->headers, target->n_headers);
	free(target->from);
	free(target->smtp);
	free(target->user);
	free_secret(target->password);
	free_secret(target->url);
	free_secret(target->token);
	free_secret(target->secret);
	free(target->ca_file);
	memset(target, 0, sizeof(*target));
}

static char **copy_texts(char *const *list, size_t n)
{
	char **copy = n ? xcalloc(n, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

void target_copy(struct notify_target *to, const struct notify_target *from)
{
	*to = *from;
	to->name = xstrdup(from->name);
	to->events = copy_texts(from->events, from->n_events);
	to->ups = copy_texts(from->ups, from->n_ups);
	to->command = copy_texts(from->command, from->n_command);
	to->to = copy_texts(from->to, from->n_to);
	to->headers = copy_texts(from->headers, from->n_headers);
	to->from = xstrdup(from->from);
	to->smtp = xstrdup(from->smtp);
	to->user = xstrdup(from->user);
	to->password = xstrdup(from->password);
	to->url = xstrdup(from->url);
	to->token = xstrdup(from->token);
	to->secret = xstrdup(from->secret);
	to->ca_file = xstrdup(from->ca_file);
}

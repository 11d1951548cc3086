#include "setup/from_nut_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/config_check.h"
#include "nut/conf_file.h"
#include "setup/password.h"
#include "util/util.h"

static const char upsmons[] = "upsmon's own, and upsmon goes on as it is";

const char *from_nut_fate_text(enum from_nut_fate fate)
{
	static const char *const texts[] = {
		[FROM_NUT_TAKEN] = "taken",
		[FROM_NUT_CHANGED] = "changed",
		[FROM_NUT_NOT_NEEDED] = "not needed",
		[FROM_NUT_LEFT] = "left out",
	};

	return texts[fate];
}

void from_nut__say(const struct take *t, int line, const char *setting, enum from_nut_fate fate,
		   const char *format, ...)
{
	struct from_nut_line told = { t->path, line, setting, fate, NULL };
	va_list args;
	char *what;

	va_start(args, format);
	what = xvasprintf(format, args);
	va_end(args);
	told.what = what;
	if (t->job->say)
		t->job->say(t->job->user, &told);
	free(what);
}

bool from_nut__fail(struct take *t, int line, const char *format, ...)
{
	va_list args;
	size_t used;

	used = (size_t)(line ? snprintf(t->error, t->error_size, "%s:%d: ", t->path, line)
			     : snprintf(t->error, t->error_size, "%s: ", t->path));
	if (used >= t->error_size)
		return false;
	va_start(args, format);
	vsnprintf(t->error + used, t->error_size - used, format, args);
	va_end(args);
	return false;
}

/* The words of a line as it may be shown, from word first on. */
static char *join(const struct nut_line *line, size_t first)
{
	char *text = xstrdup("");

	for (size_t i = first; i < line->n; i++) {
		char *more = xasprintf("%s%s%s", text, *text ? " " : "", line->words[i]);

		free(text);
		text = more;
	}
	return text;
}

/* ---- rows of settings that are one word and what follows ---- */

struct word_row {
	const char *word;
	/* NULL: not needed, for the reason in what */
	void (*take)(struct take *t, int number, const struct nut_line *line, const char *setting);
	const char *what;
};

static void take_by_rows(struct take *t, int number, const struct nut_line *line,
			 const struct word_row *rows, size_t n)
{
	char *setting = join(line, 0);
	const struct word_row *row = NULL;

	for (size_t i = 0; i < n && !row; i++)
		if (strcasecmp(rows[i].word, line->words[0]) == 0)
			row = &rows[i];
	if (!row)
		from_nut__say(t, number, setting, FROM_NUT_LEFT,
			      "not known to ups2000d; look whether you need it");
	else if (row->take)
		row->take(t, number, line, setting);
	else
		from_nut__say(t, number, setting, FROM_NUT_NOT_NEEDED, "%s", row->what);
	free(setting);
}

/* ---- upsd.conf ---- */

static void take_listen(struct take *t, int number, const struct nut_line *line,
			const char *setting)
{
	const char *host = line->n > 1 ? line->words[1] : "";
	const char *port = line->n > 2 ? line->words[2] : "3493";
	char *address = strchr(host, ':') ? xasprintf("[%s]:%s", host, port)
					  : xasprintf("%s:%s", host, port);
	char why[512];

	if (check_listen(address, why, sizeof(why))) {
		draft_add(draft_section(t->draft, "nut", NULL), "listen", address);
		from_nut__say(t, number, setting, FROM_NUT_TAKEN, "nut { listen }");
	} else {
		from_nut__say(t, number, setting, FROM_NUT_LEFT, "%s", why);
	}
	free(address);
}

static void take_nut_number(struct take *t, int number, const struct nut_line *line,
			    const char *setting, const char *key, long min, long max)
{
	const char *value = line->n > 1 ? line->words[1] : "";
	char why[512];

	if (!check_number(value, min, max, why, sizeof(why))) {
		from_nut__say(t, number, setting, FROM_NUT_LEFT, "%s", why);
		return;
	}
	draft_set(draft_section(t->draft, "nut", NULL), key, value);
	from_nut__say(t, number, setting, FROM_NUT_TAKEN, "nut { %s }", key);
}

static void take_maxconn(struct take *t, int number, const struct nut_line *line,
			 const char *setting)
{
	take_nut_number(t, number, line, setting, "max-connections", 1, 100000);
}

static void take_tracking(struct take *t, int number, const struct nut_line *line,
			  const char *setting)
{
	take_nut_number(t, number, line, setting, "tracking-delay", 1, 604800);
}

static void take_certfile(struct take *t, int number, const struct nut_line *line,
			  const char *setting)
{
	const char *path = line->n > 1 ? line->words[1] : "";
	char why[512];

	if (!check_directory(path, why, sizeof(why))) {
		from_nut__say(t, number, setting, FROM_NUT_LEFT, "%s", why);
		return;
	}
	draft_set(draft_section(t->draft, "tls", NULL), "certificate", path);
	from_nut__say(t, number, setting, FROM_NUT_TAKEN,
		      "tls { certificate }; the user ups2000d runs as must be able to read it");
}

static void leave_nss(struct take *t, int number, const struct nut_line *line, const char *setting)
{
	bool secret = strcasecmp(line->words[0], "CERTIDENT") == 0;

	from_nut__say(t, number, secret ? line->words[0] : setting, FROM_NUT_LEFT,
		      "ups2000d reads PEM files, not NSS databases; without tls { certificate } it "
		      "makes a certificate of its own");
}

static void leave_acl(struct take *t, int number, const struct nut_line *line, const char *setting)
{
	(void)line;
	from_nut__say(t, number, setting, FROM_NUT_LEFT,
		      "no upsd of today obeys it either; networks are named in section access");
}

static const struct word_row upsd_rows[] = {
	{ "LISTEN", take_listen, NULL },
	{ "MAXCONN", take_maxconn, NULL },
	{ "TRACKINGDELAY", take_tracking, NULL },
	{ "CERTFILE", take_certfile, NULL },
	{ "CERTPATH", leave_nss, NULL },
	{ "CERTIDENT", leave_nss, NULL },
	{ "CERTREQUEST", leave_nss, NULL },
	{ "ACL", leave_acl, NULL },
	{ "ACCEPT", leave_acl, NULL },
	{ "REJECT", leave_acl, NULL },
	{ "MAXAGE", NULL, "a status is stale after 10 s, always" },
	{ "STATEPATH", NULL, "there are no driver sockets" },
	{ "ALLOW_NO_DEVICE", NULL, "ups2000d starts without its UPS and waits for it" },
	{ "ALLOW_NOT_ALL_LISTENERS", NULL, "an address that is taken is said and asked again" },
	{ "DISABLE_WEAK_SSL", NULL, "nothing older than TLS 1.2 is spoken" },
	{ "DEBUG_MIN", NULL, "log { level = debug } when it is needed" },
};

static bool upsd_line(void *user, int number, const struct nut_line *line)
{
	take_by_rows(user, number, line, upsd_rows, ARRAY_SIZE(upsd_rows));
	return true;
}

/* ---- upsd.users ---- */

struct users {
	struct take *t;
	struct draft_section *user; /* NULL: what stands here is of no user */
};

static bool open_user(struct users *u, int number, const char *word)
{
	struct take *t = u->t;
	size_t len = strlen(word);
	char *name, why[512];
	bool good = true;

	if (len < 3 || word[len - 1] != ']')
		return from_nut__fail(t, number, "\"%.64s\" opens no section. Write [name]", word);
	name = xasprintf("%.*s", (int)len - 2, word + 1);
	u->user = NULL;
	if (!check_user_name(name, why, sizeof(why)))
		good = from_nut__fail(t, number, "%s", why);
	else if (draft_find(t->draft, "user", name))
		from_nut__say(t, number, word, FROM_NUT_LEFT,
			      "a second section of this user; upsd ignores it too");
	else
		u->user = draft_section(t->draft, "user", name);
	free(name);
	return good;
}

static bool take_password(struct users *u, int number, const char *password)
{
	char why[512], *hash;

	if (!*password) {
		from_nut__say(
			u->t, number, "password", FROM_NUT_LEFT,
			"it is empty, so everyone could pass; here nobody can until you set one");
		return true;
	}
	if (*password != '$' && !check_password(password, why, sizeof(why))) {
		from_nut__say(u->t, number, "password", FROM_NUT_LEFT, "%s", why);
		return true;
	}
	hash = password_hash(password);
	if (!hash)
		return from_nut__fail(
			u->t, number,
			"the password cannot be hashed: this system's crypt(3) has no "
			"yescrypt");
	draft_set(u->user, "password", hash);
	explicit_bzero(hash, strlen(hash));
	free(hash);
	from_nut__say(u->t, number, "password", FROM_NUT_CHANGED,
		      "kept as a hash; clients send the same password as before");
	return true;
}

static void take_words(struct users *u, int number, const struct nut_line *line, size_t first,
		       const char *key, check_fn check)
{
	for (size_t i = first; i < line->n; i++) {
		char *setting = xasprintf("%s = %s", key, line->words[i]);
		char why[512];

		if (check(line->words[i], why, sizeof(why))) {
			draft_add(u->user, key, line->words[i]);
			from_nut__say(u->t, number, setting, FROM_NUT_TAKEN, "%s", key);
		} else {
			from_nut__say(u->t, number, setting, FROM_NUT_LEFT, "%s", why);
		}
		free(setting);
	}
}

static void take_upsmon(struct users *u, int number, const char *role)
{
	bool primary = strcasecmp(role, "primary") == 0 || strcasecmp(role, "master") == 0;
	char *setting = xasprintf("upsmon %s", role), why[512];

	if (check_upsmon(role, why, sizeof(why))) {
		draft_set(u->user, "upsmon", primary ? "primary" : "secondary");
		from_nut__say(u->t, number, setting, FROM_NUT_TAKEN, "upsmon");
	} else {
		from_nut__say(u->t, number, setting, FROM_NUT_LEFT, "%s", why);
	}
	free(setting);
}

static bool users_line(void *user, int number, const struct nut_line *line)
{
	struct users *u = user;
	const char *key = line->words[0];
	size_t first = line->n > 1 && !strcmp(line->words[1], "=") ? 2 : 1;

	if (*key == '[' && !line->quoted[0])
		return open_user(u, number, key);
	if (!u->user) {
		from_nut__say(u->t, number, key, FROM_NUT_LEFT, "it stands in no user's section");
		return true;
	}
	if (line->n <= first)
		return from_nut__fail(u->t, number, "%.64s has no value. Write %.64s = value", key,
				      key);
	if (!strcasecmp(key, "password"))
		return take_password(u, number, line->words[first]);
	if (!strcasecmp(key, "actions"))
		take_words(u, number, line, first, "actions", check_action);
	else if (!strcasecmp(key, "instcmds"))
		take_words(u, number, line, first, "instcmds", check_instcmd);
	else if (!strcasecmp(key, "upsmon"))
		take_upsmon(u, number, line->words[first]);
	else if (!strcasecmp(key, "allowfrom"))
		from_nut__say(u->t, number, key, FROM_NUT_LEFT,
			      "no upsd of today obeys it either; write networks = {\"...\"} there");
	else
		from_nut__say(u->t, number, key, FROM_NUT_LEFT,
			      "no such setting of a user; see ups2000.conf(5)");
	return true;
}

/* ---- upsmon.conf ---- */

static bool is_here(const char *host)
{
	return !*host || !strcasecmp(host, "localhost") || !strcmp(host, "127.0.0.1") ||
	       !strcmp(host, "::1") || !strcmp(host, "[::1]");
}

static bool is_other(const struct take *t, const char *name)
{
	for (size_t i = 0; i < t->n_others; i++)
		if (!strcmp(t->others[i], name))
			return true;
	return false;
}

/* MONITOR ups[@host[:port]] supplies user password primary|secondary */
static void take_monitor(struct take *t, int number, const struct nut_line *line,
			 const char *setting)
{
	const char *system = line->n > 1 ? line->words[1] : "";
	const char *at = strchr(system, '@');
	char *ups = xasprintf("%.*s", (int)(at ? at - system : (ptrdiff_t)strlen(system)), system);
	char *host = xstrdup(at ? at + 1 : "");
	char *port = strrchr(host, ':');
	char *shown = xasprintf("MONITOR %s%s%s ...", system, line->n > 3 ? " " : "",
				line->n > 3 ? line->words[3] : "");
	const char *role = line->n > 5 ? line->words[5] : "";

	(void)setting; /* it holds the password */
	if (port && !(*host == '[' && port[-1] != ']') && strchr(host, ':') == port)
		*port = '\0';
	if (!is_here(host)) {
		from_nut__say(t, number, shown, FROM_NUT_NOT_NEEDED,
			      "it watches another server, and goes on to");
	} else if (is_other(t, ups)) {
		from_nut__say(t, number, shown, FROM_NUT_LEFT,
			      "[%s] stays with NUT: it needs upsd, on another port than ups2000d",
			      ups);
	} else if (!draft_find(t->draft, "ups", ups)) {
		from_nut__say(t, number, shown, FROM_NUT_LEFT, "ups.conf has no section [%s]", ups);
	} else if (line->n > 3 && !draft_find(t->draft, "user", line->words[3])) {
		from_nut__say(t, number, shown, FROM_NUT_LEFT,
			      "upsd.users has no user \"%s\": this upsmon could not log in before, "
			      "and cannot now",
			      line->words[3]);
	} else {
		t->found->upsmon_here = true;
		t->found->upsmon_primary = t->found->upsmon_primary ||
					   !strcasecmp(role, "primary") ||
					   !strcasecmp(role, "master");
		from_nut__say(t, number, shown, FROM_NUT_NOT_NEEDED,
			      "upsmon finds the same UPS, user and password at ups2000d");
	}
	free(shown);
	free(host);
	free(ups);
}

static void take_notifycmd(struct take *t, int number, const struct nut_line *line,
			   const char *setting)
{
	(void)line;
	t->found->notifies = true;
	from_nut__say(t, number, setting, FROM_NUT_NOT_NEEDED, "%s", upsmons);
}

static void hide_certident(struct take *t, int number, const struct nut_line *line,
			   const char *setting)
{
	(void)setting; /* it holds a password */
	from_nut__say(t, number, line->words[0], FROM_NUT_NOT_NEEDED, "%s", upsmons);
}

static const struct word_row upsmon_rows[] = {
	{ "MONITOR", take_monitor, NULL },   { "NOTIFYCMD", take_notifycmd, NULL },
	{ "MINSUPPLIES", NULL, upsmons },    { "SHUTDOWNCMD", NULL, upsmons },
	{ "POWERDOWNFLAG", NULL, upsmons },  { "NOTIFYMSG", NULL, upsmons },
	{ "NOTIFYFLAG", NULL, upsmons },     { "POLLFREQ", NULL, upsmons },
	{ "POLLFREQALERT", NULL, upsmons },  { "POLLFAIL_LOG_THROTTLE_MAX", NULL, upsmons },
	{ "HOSTSYNC", NULL, upsmons },	     { "DEADTIME", NULL, upsmons },
	{ "FINALDELAY", NULL, upsmons },     { "RBWARNTIME", NULL, upsmons },
	{ "NOCOMMWARNTIME", NULL, upsmons }, { "RUN_AS_USER", NULL, upsmons },
	{ "CERTPATH", NULL, upsmons },	     { "CERTIDENT", hide_certident, NULL },
	{ "CERTHOST", NULL, upsmons },	     { "CERTVERIFY", NULL, upsmons },
	{ "FORCESSL", NULL, upsmons },	     { "OFFDURATION", NULL, upsmons },
	{ "OBLBDURATION", NULL, upsmons },   { "OVERDURATION", NULL, upsmons },
	{ "ALARMCRITICAL", NULL, upsmons },  { "SHUTDOWNEXIT", NULL, upsmons },
	{ "DEBUG_MIN", NULL, upsmons },
};

static bool upsmon_line(void *user, int number, const struct nut_line *line)
{
	take_by_rows(user, number, line, upsmon_rows, ARRAY_SIZE(upsmon_rows));
	return true;
}

/* ---- nut.conf: a shell's assignments, read by NUT's start scripts ---- */

static bool nut_conf_line(void *user, int number, const struct nut_line *line)
{
	char *setting = join(line, 0);

	from_nut__say(user, number, setting, FROM_NUT_NOT_NEEDED, "it is for NUT's start scripts");
	free(setting);
	return true;
}

/* ---- all of it ---- */

static bool read_file(struct take *t, const char *name, nut_conf_line_fn take_line, void *user)
{
	FILE *file;
	bool good;

	free(t->path);
	t->path = xasprintf("%s/%s", t->job->dir, name);
	file = fopen(t->path, "re");
	if (!file && errno == ENOENT)
		return true;
	if (!file)
		return from_nut__fail(t, 0, "cannot be opened: %s. Run as root", strerror(errno));
	good = nut_conf_read(file, t->path, take_line, user, t->error, t->error_size);
	fclose(file);
	return good;
}

bool from_nut(const struct from_nut *job, struct draft *draft, struct from_nut_found *found,
	      char *error, size_t error_size)
{
	struct take t = {
		.job = job, .draft = draft, .found = found, .error = error, .error_size = error_size
	};
	struct users users = { .t = &t };
	bool good;

	*found = (struct from_nut_found){ 0 };
	t.path = xasprintf("%s/ups.conf", job->dir);
	good = from_nut__ups_conf(&t) && read_file(&t, "upsd.conf", upsd_line, &t) &&
	       read_file(&t, "upsd.users", users_line, &users) &&
	       read_file(&t, "upsmon.conf", upsmon_line, &t) &&
	       read_file(&t, "nut.conf", nut_conf_line, &t);
	for (size_t i = 0; i < t.n_others; i++)
		free(t.others[i]);
	free(t.others);
	free(t.path);
	return good;
}

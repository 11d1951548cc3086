#include "notify/render.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "notify/kinds.h"
#include "notify/message.h"
#include "notify/target.h"
#include "util/util.h"

static const char sendmail[] = "/usr/sbin/sendmail";
static const char curl[] = "/usr/bin/curl";

static void add_arg(struct job *job, const char *word)
{
	if (job->n_args < JOB_ARGS_MAX)
		job->args[job->n_args++] = xstrdup(word);
}

static void add_env(struct job *job, const char *name, const char *value)
{
	if (value && job->n_env < JOB_ENV_MAX)
		job->env[job->n_env++] = xasprintf("%s=%s", name, value);
}

static void host_name(char out[HOST_NAME_MAX + 1])
{
	if (gethostname(out, HOST_NAME_MAX + 1) < 0 || !*out)
		strcpy(out, "localhost");
	out[HOST_NAME_MAX] = '\0';
	for (char *p = out; *p; p++) /* it goes into headers */
		if (*p <= ' ' || *p == 0x7f || strchr("<>()[]\\,;:\"@", *p))
			*p = '-';
}

static void iso_time(int64_t wall_us, char out[32])
{
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* "rack", or who speaks where no UPS is meant. */
static const char *about(const struct message *m)
{
	return m->ups ? m->ups : "ups2000d";
}

/* For what shows one text: with its time if that is not now. */
static char *late_text(const struct message *m, int64_t late_s)
{
	char when[32];

	if (late_s < 60)
		return xstrdup(m->text);
	iso_time(m->wall_us, when);
	return xasprintf("%s (That was at %s; it could not be sent before.)", m->text, when);
}

/* "ALERT rack: On battery: the mains failed", for a heading. */
static char *title(const struct message *m)
{
	static const char *const words[] = { "", "", "ALERT " };
	char *text = xstrdup(m->text), *whole;
	size_t len;

	text[strcspn(text, "(")] = '\0';
	message_cut(text, 100);
	for (len = strlen(text); len > 0 && strchr(" .", text[len - 1]);)
		text[--len] = '\0';
	whole = xasprintf("%s%s: %s",
			  m->state == MESSAGE_TEST ? "" : words[message_rank(m->severity)],
			  about(m), text);
	free(text);
	return whole;
}

/* --- environment ------------------------------------------------------------------------------ */

static const char *const passed_on[] = {
	"HOME",	      "LANG",	     "LC_ALL",	    "TZ",	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
};

/* "battery.charge": "87" becomes UPS2000_BATTERY_CHARGE=87. */
static void add_values(struct job *job, const char *values)
{
	json_t *object = values ? json_loads(values, 0, NULL) : NULL;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		char name[64];

		snprintf(name, sizeof(name), "UPS2000_%s", key);
		for (char *p = name; *p; p++)
			*p = *p == '.' || *p == '='   ? '_'
			     : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A')
						      : *p;
		if (json_is_string(value))
			add_env(job, name, json_string_value(value));
	}
	json_decref(object);
}

static void add_number(struct job *job, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	add_env(job, name, text);
}

static void add_environment(struct job *job, const struct notify_target *target,
			    const struct message *m, unsigned attempt, int64_t late_s)
{
	char host[HOST_NAME_MAX + 1], when[32];

	add_env(job, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		add_env(job, passed_on[i], getenv(passed_on[i]));

	add_env(job, "NOTIFYTYPE", kind_nut(m->kind));
	add_env(job, "UPSNAME", m->ups ? m->ups : "");

	host_name(host);
	add_env(job, "UPS2000_TARGET", target->name);
	add_env(job, "UPS2000_HOST", host);
	add_env(job, "UPS2000_ID", m->id);
	add_env(job, "UPS2000_THREAD", *m->thread ? m->thread : m->id);
	add_env(job, "UPS2000_KIND", m->kind);
	add_env(job, "UPS2000_STATE", message_state_word(m->state));
	add_env(job, "UPS2000_SEVERITY", m->severity);
	add_env(job, "UPS2000_UPS", m->ups ? m->ups : "");
	add_env(job, "UPS2000_TEXT", m->text);
	iso_time(m->wall_us, when);
	add_env(job, "UPS2000_TIME", when);
	add_number(job, "UPS2000_TIME_S", m->wall_us / 1000000);
	add_number(job, "UPS2000_START_S", m->start_us / 1000000);
	add_number(job, "UPS2000_COUNT", m->count);
	add_number(job, "UPS2000_ATTEMPT", attempt);
	add_number(job, "UPS2000_LATE_S", late_s);
	add_env(job, "UPS2000_FACTS", m->facts ? m->facts : "{}");
	add_values(job, m->values);
}

/* --- a command --------------------------------------------------------------------------------- */

/* A word that is one of these as a whole is replaced; there is no shell that could misread it. */
static const char *placeholder(const char *word, const struct message *m)
{
	if (strcmp(word, "{text}") == 0)
		return m->text;
	if (strcmp(word, "{ups}") == 0)
		return m->ups ? m->ups : "";
	if (strcmp(word, "{kind}") == 0)
		return m->kind;
	if (strcmp(word, "{severity}") == 0)
		return m->severity;
	if (strcmp(word, "{type}") == 0)
		return kind_nut(m->kind);
	return word;
}

static void render_command(struct job *job, const struct notify_target *target,
			   const struct message *m)
{
	for (size_t i = 0; i < target->n_command; i++)
		add_arg(job, i ? placeholder(target->command[i], m) : target->command[0]);
	job->input = xasprintf("%s\n", m->text);
}

/* --- mail -------------------------------------------------------------------------------------- */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* RFC 2047: words of at most 75 characters, each a piece of whole UTF-8 characters in base64. */
static void put_header(struct textbuf *out, const char *name, const char *value)
{
	enum { PIECE = 39 };
	size_t len = strlen(value);

	text_put(out, "%s:", name);
	if (is_ascii(value)) {
		text_put(out, " %s\n", value);
		return;
	}
	for (size_t at = 0; at < len;) {
		size_t n = len - at > PIECE ? PIECE : len - at;
		unsigned char base64[64];

		while (at + n < len && n > 1 && ((unsigned char)value[at + n] & 0xc0) == 0x80)
			n--;
		EVP_EncodeBlock(base64, (const unsigned char *)value + at, (int)n);
		text_put(out, " =?UTF-8?B?%s?=\n", base64);
		at += n;
	}
}

/* Lines of at most 76 bytes, broken between words. */
static void put_wrapped(struct textbuf *out, const char *words)
{
	size_t column = 0;

	while (*words) {
		size_t len = strcspn(words, " ");

		if (column && column + 1 + len > 76) {
			text_put(out, "\n");
			column = 0;
		}
		text_put(out, "%s%.*s", column ? " " : "", (int)len, words);
		column += len + (column ? 1 : 0);
		words += len;
		words += strspn(words, " ");
	}
	text_put(out, "\n");
}

/* RFC 5322, in English whatever the locale. */
static void mail_date(int64_t wall_us, char out[64])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t s = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(out, 64, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
		 tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
}

static void put_values(struct textbuf *out, const char *values)
{
	json_t *object = values ? json_loads(values, 0, NULL) : NULL;
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) if (json_is_string(value))
		text_put(out, "  %-20s %s\n", key, json_string_value(value));
	json_decref(object);
}

static char *sender(const struct notify_target *target)
{
	char host[HOST_NAME_MAX + 1];

	if (target->from)
		return xstrdup(target->from);
	host_name(host);
	return xasprintf("ups2000@%s", host);
}

static char *mail_text(const struct notify_target *target, const struct message *m, int64_t late_s)
{
	char host[HOST_NAME_MAX + 1], date[64], when[32];
	char *heading = title(m), *subject, *body;
	struct textbuf out = { NULL, 0 };
	char *from = sender(target);

	host_name(host);
	mail_date(m->wall_us, date);
	iso_time(m->wall_us, when);
	text_put(&out, "Date: %s\n", date);
	text_put(&out, "From: %s\n", from);
	for (size_t i = 0; i < target->n_to; i++)
		text_put(&out, "%s%s%s", i ? ",\n " : "To: ", target->to[i],
			 i + 1 == target->n_to ? "\n" : "");
	subject = xasprintf("%s (%s)", heading, host);
	put_header(&out, "Subject", subject);
	text_put(&out, "Message-ID: <%s@%s>\n", m->id, host);
	if (*m->thread)
		text_put(&out, "In-Reply-To: <%s@%s>\nReferences: <%s@%s>\n", m->thread, host,
			 m->thread, host);
	if (message_rank(m->severity) == 2)
		text_put(&out, "Importance: high\n");
	text_put(&out,
		 "Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
		 "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n");

	body = late_text(m, late_s);
	put_wrapped(&out, body);
	text_put(&out, "\n  %-20s %s\n  %-20s %s\n  %-20s %s\n", "time", when, "host", host,
		 "event", m->kind);
	if (m->ups)
		text_put(&out, "  %-20s %s\n", "ups", m->ups);
	put_values(&out, m->values);
	free(body);
	free(subject);
	free(heading);
	free(from);
	return out.at;
}

/* --- curl -------------------------------------------------------------------------------------- */

/* A line of curl's configuration; its quoted strings know these escapes. */
static void put_option(struct textbuf *out, const char *name, const char *value)
{
	text_put(out, "%s = \"", name);
	for (; *value; value++)
		if (*value == '\n')
			text_put(out, "\\n");
		else
			text_put(out, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
	text_put(out, "\"\n");
}

static void put_http_header(struct textbuf *out, const char *name, const char *value)
{
	char *line = xasprintf("%s: %s", name, value);

	put_option(out, "header", line);
	free(line);
}

static void begin_curl(struct job *job, struct textbuf *out, const struct notify_target *target,
		       const char *protocols)
{
	add_arg(job, curl);
	add_arg(job, "--disable"); /* nobody's ~/.curlrc; has to be first */
	add_arg(job, "--config");
	add_arg(job, "/dev/fd/3");
	text_put(out, "silent\nshow-error\ngloboff\nconnect-timeout = 10\nmax-time = %u\n",
		 target->timeout_s);
	put_option(out, "proto", protocols);
	if (target->ca_file)
		put_option(out, "cacert", target->ca_file);
}

static void begin_http(struct job *job, struct textbuf *out, const struct notify_target *target,
		       const char *url)
{
	begin_curl(job, out, target, "=http,https");
	put_option(out, "url", url);
	put_option(out, "user-agent", "ups2000/" U2K_VERSION);
	put_option(out, "data-binary", "@-");
	put_option(out, "output", "/dev/null");
	put_option(out, "write-out", "\nHTTP %{http_code}\n");
}

static json_t *object_or_null(const char *text)
{
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;

	return object ? object : json_null();
}

static char *webhook_text(const struct notify_target *target, const struct message *m,
			  unsigned attempt, int64_t late_s)
{
	char host[HOST_NAME_MAX + 1], when[32], start[32];
	json_t *root;
	char *text;

	host_name(host);
	iso_time(m->wall_us, when);
	iso_time(m->start_us, start);
	root = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:i, s:i, s:I}", "id",
			 m->id, "thread", *m->thread ? m->thread : m->id, "target", target->name,
			 "kind", m->kind, "state", message_state_word(m->state), "severity",
			 m->severity, "ups", m->ups, "text", m->text, "time", when, "start", start,
			 "count", (int)m->count, "attempt", (int)attempt, "late_s",
			 (json_int_t)late_s);
	json_object_set_new(root, "host", json_string(host));
	json_object_set_new(root, "facts", object_or_null(m->facts));
	json_object_set_new(root, "values", object_or_null(m->values));
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static void put_signature(struct textbuf *out, const char *secret, const char *body)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	char hex[2 * EVP_MAX_MD_SIZE + 8] = "sha256=";

	HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)body, strlen(body),
	     mac, &len);
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + 7 + 2 * i, 3, "%02x", mac[i]);
	put_http_header(out, "X-UPS2000-Signature", hex);
}

static void render_webhook(struct job *job, const struct notify_target *target,
			   const struct message *m, unsigned attempt, int64_t late_s)
{
	struct textbuf out = { NULL, 0 };

	job->input = webhook_text(target, m, attempt, late_s);
	begin_http(job, &out, target, target->url);
	put_http_header(&out, "Content-Type", "application/json");
	put_http_header(&out, "Idempotency-Key", m->id);
	if (target->secret)
		put_signature(&out, target->secret, job->input);
	for (size_t i = 0; i < target->n_headers; i++)
		put_option(&out, "header", target->headers[i]);
	job->config = out.at;
}

static void render_ntfy(struct job *job, const struct notify_target *target,
			const struct message *m, int64_t late_s)
{
	static const struct {
		const char *priority, *tags;
	} rows[] = { { "3", "information_source" }, { "4", "warning" }, { "5", "rotating_light" } };
	unsigned rank = message_rank(m->severity);
	struct textbuf out = { NULL, 0 };
	char *heading = title(m);

	job->input = late_text(m, late_s);
	begin_http(job, &out, target, target->url);
	put_http_header(&out, "Title", heading);
	put_http_header(&out, "Priority", rows[rank].priority);
	put_http_header(&out, "Tags", rows[rank].tags);
	if (target->token) {
		char *value = xasprintf("Bearer %s", target->token);

		put_http_header(&out, "Authorization", value);
		free(value);
	}
	job->config = out.at;
	free(heading);
}

static void render_gotify(struct job *job, const struct notify_target *target,
			  const struct message *m, int64_t late_s)
{
	static const int priorities[] = { 3, 6, 9 };
	char *url = xasprintf("%s%smessage", target->url,
			      target->url[strlen(target->url) - 1] == '/' ? "" : "/");
	char *heading = title(m), *text = late_text(m, late_s);
	json_t *root = json_pack("{s:s, s:s, s:i}", "title", heading, "message", text, "priority",
				 priorities[message_rank(m->severity)]);
	struct textbuf out = { NULL, 0 };

	job->input = json_dumps(root, JSON_COMPACT);
	begin_http(job, &out, target, url);
	put_http_header(&out, "Content-Type", "application/json");
	put_http_header(&out, "X-Gotify-Key", target->token);
	job->config = out.at;
	json_decref(root);
	free(text);
	free(heading);
	free(url);
}

/* "Tom <tom@example.org>" is for the header; the envelope has the address alone. */
static char *bare_address(const char *address)
{
	const char *open = strrchr(address, '<');
	const char *close = open ? strchr(open, '>') : NULL;

	return close ? xasprintf("%.*s", (int)(close - open - 1), open + 1) : xstrdup(address);
}

static void render_smtp(struct job *job, const struct notify_target *target)
{
	struct textbuf out = { NULL, 0 };
	char *from = sender(target), *address = bare_address(from);

	begin_curl(job, &out, target, "=smtp,smtps");
	put_option(&out, "url", target->smtp);
	put_option(&out, "mail-from", address);
	free(address);
	free(from);
	for (size_t i = 0; i < target->n_to; i++) {
		address = bare_address(target->to[i]);
		put_option(&out, "mail-rcpt", address);
		free(address);
	}
	put_option(&out, "upload-file", "-");
	text_put(&out, "crlf\n");
	if (target->user) {
		char *login =
			xasprintf("%s:%s", target->user, target->password ? target->password : "");

		if (strncmp(target->smtp, "smtps:", 6) != 0)
			text_put(&out, "ssl-reqd\n"); /* no password over an open line */
		put_option(&out, "user", login);
		explicit_bzero(login, strlen(login));
		free(login);
	}
	job->config = out.at;
}

static void render_mail(struct job *job, const struct notify_target *target,
			const struct message *m, int64_t late_s)
{
	job->input = mail_text(target, m, late_s);
	if (target->smtp) {
		render_smtp(job, target);
	} else if (target->n_command) {
		for (size_t i = 0; i < target->n_command; i++)
			add_arg(job, target->command[i]);
	} else {
		add_arg(job, sendmail);
		add_arg(job, "-t");
		add_arg(job, "-i");
	}
}

void render(struct job *job, const struct notify_target *target, const struct message *message,
	    unsigned attempt, int64_t late_s)
{
	memset(job, 0, sizeof(*job));
	switch (target->type) {
	case TARGET_COMMAND:
		render_command(job, target, message);
		break;
	case TARGET_MAIL:
		render_mail(job, target, message, late_s);
		break;
	case TARGET_WEBHOOK:
		render_webhook(job, target, message, attempt, late_s);
		break;
	case TARGET_NTFY:
		render_ntfy(job, target, message, late_s);
		break;
	case TARGET_GOTIFY:
		render_gotify(job, target, message, late_s);
		break;
	}
	if (!job->input)
		job->input = xstrdup("");
	add_environment(job, target, message, attempt, late_s);
}

void job_clear(struct job *job)
{
	for (size_t i = 0; i < job->n_args; i++)
		free(job->args[i]);
	for (size_t i = 0; i < job->n_env; i++)
		free(job->env[i]);
	free(job->input);
	if (job->config)
		explicit_bzero(job->config, strlen(job->config));
	free(job->config);
	memset(job, 0, sizeof(*job));
}

/* --- the result --------------------------------------------------------------------------------- */

static enum queue_result judge_http(const char *said, char *why, size_t size)
{
	const char *at = NULL;
	int code;

	for (const char *p = said; (p = strstr(p, "HTTP ")); p++)
		at = p;
	code = at ? atoi(at + 5) : 0;
	if (code >= 200 && code <= 299) {
		snprintf(why, size, "HTTP %d", code);
		return QUEUE_DELIVERED;
	}
	snprintf(why, size, "the server answered HTTP %d%s", code,
		 code == 410 ? ", gone for good" : "");
	return code == 410 ? QUEUE_GIVEN_UP : QUEUE_AGAIN;
}

static bool is_http(const struct notify_target *target)
{
	return target->type == TARGET_WEBHOOK || target->type == TARGET_NTFY ||
	       target->type == TARGET_GOTIFY;
}

static const char *program_of(const struct notify_target *target)
{
	if (is_http(target) || target->smtp)
		return curl;
	return target->n_command ? target->command[0] : sendmail;
}

/* The last line a program wrote is most often the one that tells; of curl's, its own. */
static void last_line(const char *said, char *out, size_t size)
{
	const char *begin = strstr(said, "curl: (");
	size_t len = begin ? (size_t)(begin - said) + strcspn(begin, "\n") : strlen(said);

	while (len > 0 && (unsigned char)said[len - 1] <= ' ')
		len--;
	if (!begin)
		for (begin = said + len; begin > said && begin[-1] != '\n';)
			begin--;
	snprintf(out, size, "%.*s", (int)(said + len - begin), begin);
	message_clean(out);
}

enum queue_result render_judge(const struct notify_target *target, const struct run_end *end,
			       char *why, size_t size)
{
	enum { GIVE_UP_CODE = 65 }; /* EX_DATAERR of sysexits.h */
	char said[200];

	if (end->error) {
		snprintf(why, size, "%.100s cannot be run: %s", program_of(target),
			 strerror(end->error));
		return QUEUE_AGAIN;
	}
	if (end->timed_out) {
		snprintf(why, size, "not done within %u s, so it was ended", target->timeout_s);
		return QUEUE_AGAIN;
	}
	if (WIFSIGNALED(end->status)) {
		snprintf(why, size, "ended by signal %d", WTERMSIG(end->status));
		return QUEUE_AGAIN;
	}
	if (WEXITSTATUS(end->status) == 0) {
		if (is_http(target))
			return judge_http(end->said, why, size);
		snprintf(why, size, "done");
		return QUEUE_DELIVERED;
	}
	last_line(end->said, said, sizeof(said));
	if (strncmp(said, "curl: (", 7) == 0 && (is_http(target) || target->smtp)) {
		snprintf(why, size, "%s", said); /* has its code in it */
		return QUEUE_AGAIN;
	}
	snprintf(why, size, "exit code %d%s%s", WEXITSTATUS(end->status), *said ? ": " : "", said);
	return WEXITSTATUS(end->status) == GIVE_UP_CODE && !is_http(target) && !target->smtp
		       ? QUEUE_GIVEN_UP
		       : QUEUE_AGAIN;
}

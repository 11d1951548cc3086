#include "util/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum sink { SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG };

enum { LINE_MAX_BYTES = 1024 }; /* with the newline */

static enum sink sink = SINK_STDERR;
static enum log_level max_level = LOG_LEVEL_INFO;
static char ident[32] = "ups2000"; /* openlog() keeps the pointer */

/* Whether stderr is the stream the journal gave us: $JOURNAL_STREAM, systemd.exec(5). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &inode) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == inode;
}

void log_open(const char *program, enum log_target target, enum log_level max)
{
	if (sink == SINK_SYSLOG)
		closelog();

	snprintf(ident, sizeof(ident), "%s", program);
	max_level = max;
	sink = SINK_STDERR;

	if (target == LOG_TARGET_SYSLOG) {
		sink = SINK_SYSLOG;
		openlog(ident, LOG_PID, LOG_DAEMON);
	} else if (target == LOG_TARGET_AUTO && stderr_is_journal()) {
		sink = SINK_JOURNAL;
	}
}

bool log_enabled(enum log_level level)
{
	return level <= max_level;
}

static const char *level_str(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "error";
	case LOG_LEVEL_WARNING:
		return "warning";
	case LOG_LEVEL_INFO:
		return "info";
	case LOG_LEVEL_DEBUG:
		return "debug";
	}
	return "?";
}

static size_t put_head(char *line, size_t size, enum log_level level)
{
	if (sink == SINK_JOURNAL)
		return (size_t)snprintf(line, size, "<%d>", (int)level);
	if (sink == SINK_SYSLOG)
		return 0;

	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return (size_t)snprintf(line, size, "%s ", level_str(level));

	size_t n = strftime(line, size, "%Y-%m-%d %H:%M:%S ", &tm);

	return n + (size_t)snprintf(line + n, size - n, "%s ", level_str(level));
}

/* Ends a line that was cut with "...", never in the middle of a UTF-8 character. */
static size_t mark_cut(char *line, size_t len)
{
	len -= 3;
	while (len > 0 && ((unsigned char)line[len] & 0xc0) == 0x80)
		len--;
	memcpy(line + len, "...", 4);
	return len + 3;
}

void log_write(enum log_level level, const char *part, const char *format, ...)
{
	if (!log_enabled(level))
		return;

	int saved_errno = errno;
	char line[LINE_MAX_BYTES];
	const size_t room = sizeof(line) - 1; /* text and its NUL, which becomes the newline */
	size_t len = put_head(line, room, level);
	int n = snprintf(line + len, room - len, "%.32s: ", part);
	size_t text = len + (n > 0 ? (size_t)n : 0);
	va_list args;

	va_start(args, format);
	n = vsnprintf(line + text, sizeof(line) - text, format, args);
	va_end(args);

	len = text + (n > 0 ? (size_t)n : 0);
	if (len > room)
		len = mark_cut(line, room);
	for (size_t i = text; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';

	if (sink == SINK_SYSLOG) {
		line[len] = '\0';
		syslog((int)level, "%s", line);
	} else {
		line[len] = '\n';
		ssize_t written = write(STDERR_FILENO, line, len + 1);

		(void)written; /* there is nowhere to complain */
	}
	errno = saved_errno;
}

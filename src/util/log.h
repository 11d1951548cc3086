#pragma once

#include <stdbool.h>

/*
 * Log lines of the programs (the library does not log). Each .c that logs defines LOG_PART before
 * including this. error: a person must act; warning: unexpected, we coped; info: few enough to read
 * a year of; debug: free. A condition is logged when it changes, not while it lasts.
 */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

enum log_target {
	LOG_TARGET_AUTO,   /* stderr; with <priority> prefixes when stderr is the journal */
	LOG_TARGET_STDERR, /* stderr, with time */
	LOG_TARGET_SYSLOG,
};

void log_open(const char *program, enum log_target target, enum log_level max);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_write(LOG_LEVEL_ERROR, LOG_PART, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, LOG_PART, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, LOG_PART, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_enabled(LOG_LEVEL_DEBUG))                                                  \
			log_write(LOG_LEVEL_DEBUG, LOG_PART, __VA_ARGS__);                         \
	} while (0)

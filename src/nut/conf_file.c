#include "nut/conf_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

enum { FILE_MAX = 1024 * 1024 };

static int count_lines(const char *text, size_t len)
{
	int lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

/* The next line of a text; false at its end, or if a quote is still open there. */
static bool next_line(struct nut_lexer *lexer, const char **text, size_t *len, int *passed)
{
	size_t used;

	*passed = 0;
	if (*len) {
		bool whole = nut_lexer_feed(lexer, *text, *len, &used);

		*passed = count_lines(*text, used);
		*text += used;
		*len -= used;
		if (whole)
			return true;
	}
	/* the last line may lack its newline */
	return lexer->partial && nut_lexer_feed(lexer, "\n", 1, &used);
}

static bool take_text(const char *text, size_t len, const char *path, nut_conf_line_fn take,
		      void *user, char *error, size_t error_size)
{
	struct nut_lexer *lexer = xmalloc(sizeof(*lexer));
	int line = 1, passed;
	bool good = true;

	nut_lexer_init(lexer);
	while (good && next_line(lexer, &text, &len, &passed)) {
		if (lexer->line.n)
			good = take(user, line, &lexer->line);
		line += passed;
	}
	if (good && lexer->partial) {
		snprintf(error, error_size,
			 "%s:%d: a quote is opened here and never closed. Close it with \"", path,
			 line);
		good = false;
	}
	free(lexer);
	return good;
}

bool nut_conf_read(FILE *file, const char *path, nut_conf_line_fn take, void *user, char *error,
		   size_t error_size)
{
	char *text = xmalloc(FILE_MAX + 1);
	size_t len = fread(text, 1, FILE_MAX + 1, file);
	bool good = false;

	if (ferror(file))
		snprintf(error, error_size, "%s cannot be read: %s", path, strerror(errno));
	else if (len > FILE_MAX)
		snprintf(error, error_size, "%s is larger than 1 MB: that is no configuration",
			 path);
	else if (memchr(text, '\0', len))
		snprintf(error, error_size, "%s holds a NUL byte: only text is possible", path);
	else
		good = take_text(text, len, path, take, user, error, error_size);
	explicit_bzero(text, len); /* it may hold passwords */
	free(text);
	return good;
}

#include "daemon/config_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

static int line_of(const char *text, size_t offset)
{
	int line = 1;

	for (size_t i = 0; i < offset; i++)
		line += text[i] == '\n';
	return line;
}

char *config_text_read(FILE *file, int *line, char *why, size_t size)
{
	char *text = xmalloc(CONFIG_TEXT_MAX + 2);
	size_t len = fread(text, 1, CONFIG_TEXT_MAX + 1, file);
	char *end;

	*line = 0;
	text[len] = '\0';
	if (ferror(file)) {
		snprintf(why, size, "cannot be read: %s. Name another file", strerror(errno));
		goto bad;
	}
	if (len > CONFIG_TEXT_MAX) {
		snprintf(why, size,
			 "is larger than 1 MB. It cannot be a configuration of ups2000d");
		goto bad;
	}
	end = memchr(text, '\0', len);
	if (end) {
		*line = line_of(text, (size_t)(end - text));
		snprintf(why, size, "holds a NUL byte. Only text is possible");
		goto bad;
	}
	return xrealloc(text, len + 1);
bad:
	free(text);
	return NULL;
}

static const char *end_of_string(const char *p)
{
	char quote = *p++;

	for (; *p && *p != quote; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static char *blank_until(char *p, const char *end)
{
	for (; p < end; p++)
		if (*p != '\n')
			*p = ' ';
	return p;
}

void config_text_blank_comments(char *text)
{
	bool in_word = false; /* "tcp://host" holds no comment */
	char *end;

	for (char *p = text; *p;) {
		if (*p == '"' || *p == '\'') {
			p += end_of_string(p) - p;
			in_word = false;
		} else if (*p == '#' || (!in_word && p[0] == '/' && p[1] == '/')) {
			p = blank_until(p, p + strcspn(p, "\n"));
			in_word = false;
		} else if (!in_word && p[0] == '/' && p[1] == '*' && (end = strstr(p + 2, "*/"))) {
			p = blank_until(p, end + 2);
		} else {
			in_word = !strchr(" \t\r\n{}()=+,", *p);
			p++;
		}
	}
}

int config_text_unclosed(const char *text)
{
	enum { DEPTH_MAX = 8 }; /* deeper ones are errors for libconfuse already */
	size_t opened[DEPTH_MAX];
	size_t depth = 0;

	for (const char *p = text; *p;) {
		if (*p == '"' || *p == '\'') {
			p = end_of_string(p);
			continue;
		}
		if (*p == '{' && depth < DEPTH_MAX)
			opened[depth++] = (size_t)(p - text);
		else if (*p == '}' && depth)
			depth--;
		p++;
	}
	return depth ? line_of(text, opened[depth - 1]) : 0;
}

bool config_text_says_nothing(FILE *file)
{
	char why[256];
	int line;
	char *text = config_text_read(file, &line, why, sizeof(why));
	bool nothing;

	if (!text)
		return false;
	config_text_blank_comments(text);
	nothing = text[strspn(text, " \t\r\n")] == '\0';
	free(text);
	return nothing;
}

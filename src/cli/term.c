#include "cli/term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>
#include "cli/cli.h"

static struct termios before;
static bool entered;

void term_look(struct cli *cli)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	bool dumb = !term || !*term || !strcmp(term, "dumb");

	setlocale(LC_CTYPE, "");
	cli->tty = isatty(STDOUT_FILENO);
	cli->smart = cli->tty && !dumb;
	cli->color = cli->smart && !(no_color && *no_color);
	cli->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8") && !dumb;
}

void term_size(unsigned *columns, unsigned *rows)
{
	const char *wish = getenv("COLUMNS");
	struct winsize size = { 0 };

	*columns = 80;
	*rows = 24;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		*columns = size.ws_col;
		*rows = size.ws_row > 0 ? size.ws_row : 24;
	} else if (wish && atoi(wish) >= 20 && atoi(wish) <= 1000) {
		*columns = (unsigned)atoi(wish);
	}
}

/* Length of an escape sequence (CSI only: we write no other), 0 if there is none. */
static size_t escape_len(const char *text, size_t len)
{
	size_t i = 2;

	if (len < 2 || text[0] != '\033' || text[1] != '[')
		return 0;
	while (i < len && (text[i] < '@' || text[i] > '~'))
		i++;
	return i < len ? i + 1 : len;
}

/* One character: its bytes and columns. Bytes that are no character count as one column. */
static size_t character(const char *text, size_t len, unsigned *columns)
{
	mbstate_t state = { 0 };
	wchar_t c;
	size_t n = mbrtowc(&c, text, len, &state);
	int width;

	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*columns = 1;
		return 1;
	}
	width = wcwidth(c);
	*columns = width < 0 ? 0 : (unsigned)width;
	return n;
}

unsigned term_width(const char *text, size_t len)
{
	unsigned total = 0;

	for (size_t at = 0; at < len;) {
		size_t skip = escape_len(text + at, len - at);
		unsigned columns = 0;

		at += skip ? skip : character(text + at, len - at, &columns);
		total += columns;
	}
	return total;
}

size_t term_cut(const char *text, size_t len, unsigned columns)
{
	unsigned total = 0;

	for (size_t at = 0; at < len;) {
		size_t n = escape_len(text + at, len - at);
		unsigned width = 0;

		if (!n)
			n = character(text + at, len - at, &width);
		if (total + width > columns)
			return at;
		total += width;
		at += n;
	}
	return len;
}

/* Straight to the descriptor: it is also called on the way out of a signal. */
static void put(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		return; /* the terminal is gone: nothing to do for it */
}

bool term_enter(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return false;
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) < 0)
		return false;
	entered = true;
	put("\033[?1049h\033[?25l\033[?7l\033[H\033[2J");
	return true;
}

void term_leave(void)
{
	if (!entered)
		return;
	entered = false;
	put("\033[0m\033[?7h\033[?25h\033[?1049l");
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
}

#include "cli/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "cli/cli.h"
#include "util/util.h"

bool prompt_possible(const struct cli *cli)
{
	return !cli->yes && !cli->no_input && isatty(STDIN_FILENO);
}

/* A line without its end; NULL if there is none. */
static char *read_line(void)
{
	char line[512];
	char *copy;

	if (!fgets(line, sizeof(line), stdin))
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	copy = xstrdup(line);
	explicit_bzero(line, sizeof(line));
	return copy;
}

char *prompt_text(const struct cli *cli, const char *question, const char *otherwise)
{
	char *line;

	if (!prompt_possible(cli))
		return xstrdup(otherwise);
	fprintf(stderr, "%s [%s]: ", question, otherwise);
	fflush(stderr);
	line = read_line();
	if (!line || *line)
		return line;
	free(line);
	return xstrdup(otherwise);
}

bool prompt_yes(const struct cli *cli, const char *question, bool otherwise)
{
	bool yes = otherwise;
	char *line;

	if (!prompt_possible(cli))
		return otherwise;
	fprintf(stderr, "%s [%s] ", question, otherwise ? "Y/n" : "y/N");
	fflush(stderr);
	line = read_line();
	if (!line)
		return false;
	if (*line == 'y' || *line == 'Y')
		yes = true;
	else if (*line == 'n' || *line == 'N')
		yes = false;
	free(line);
	return yes;
}

char *prompt_secret(const struct cli *cli, const char *question)
{
	struct termios before, silent;
	char *line;

	if (!prompt_possible(cli) || tcgetattr(STDIN_FILENO, &before))
		return NULL;
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	/* first, or what is typed at once is shown, and then lost */
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	fprintf(stderr, "%s: ", question);
	fflush(stderr);
	line = read_line();
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	return line;
}

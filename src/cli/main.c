#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli/term.h"

int main(int argc, char **argv)
{
	struct cli cli = { 0 };
	int code;

	term_look(&cli);
	code = options_parse(&cli, argc, argv);
	if (code < 0)
		code = cli.verb->run(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (errno != EPIPE)
			complain("cannot write the result: %s", strerror(errno));
		return code ? code : EXIT_FAILED;
	}
	return code;
}

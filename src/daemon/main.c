#include "daemon/run.h"

int main(int argc, char **argv)
{
	struct options options;
	int rc = options_parse(&options, argc, argv);

	if (rc < 0 && options.configured)
		rc = run_configured(&options);
	else if (rc < 0)
		rc = options.check ? run_check(&options) : run(&options);
	options_free(&options);
	return rc;
}

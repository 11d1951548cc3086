#pragma once

#include "daemon/options.h"

/** Exit codes, as sysexits.h names them. */
enum { EXIT_GOOD = 0, EXIT_RUNTIME = 1, EXIT_USAGE = 64, EXIT_CONFIG = 78 };

/** Run the daemon until it is told to stop. Returns the exit code. */
int run(const struct options *options);

/** Whether there is a configuration that says anything at all, good or bad. */
int run_configured(const struct options *options);

/** Read the configuration and say whether it is good. Returns the exit code. */
int run_check(const struct options *options);

#pragma once

/** The whole program: see docs/man/ups2000-nut.8. Returns its exit status. */
int driver_run(int argc, char **argv);

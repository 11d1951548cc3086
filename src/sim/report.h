#pragma once

#include <stdio.h>

struct sim_server;

/* JSON on one line, without the newline. */
void report_state(const struct sim_server *srv, const char *port, FILE *out);
void report_log(const struct sim_server *srv, FILE *out);
void report_writes(const struct sim_server *srv, FILE *out);

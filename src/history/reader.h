#pragma once

#include "daemon/records.h"

struct event_base;
struct reader;
struct writer;

/*
 * The thread that reads the database for front ends, through a connection of its own. Questions
 * wait in a short queue; each has an end to its time.
 */

/** path is copied; writer is borrowed: it tells when there is another database. */
struct reader *reader_new(struct event_base *base, const char *path, struct writer *writer);
/** Interrupts what is being read; what still waits is answered with 503. NULL is allowed. */
void reader_free(struct reader *reader);
void reader_ask(struct reader *reader, const struct record_query *query, record_cb cb, void *user);

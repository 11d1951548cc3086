#pragma once

struct event_base;

/*
 * Who comes first on the loop. UPSes, NUT clients and all else have libevent's default, the middle
 * one. What many strangers can keep busy comes last, a few milliseconds at a time.
 */
enum { PRIORITY_FIRST, PRIORITY_DEFAULT, PRIORITY_STRANGERS, PRIORITY_COUNT };

/** The daemon's loop. Returns NULL and errno. */
struct event_base *priority_base_new(void);

#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

/* A thread with a small stack that signals never reach: they are the loop's. */
static inline bool thread_start(pthread_t *thread, void *(*run)(void *), void *user)
{
	enum { STACK_SIZE = 256 * 1024 };
	pthread_attr_t attr;
	sigset_t all, before;
	bool ok;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(thread, &attr, run, user) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return ok;
}

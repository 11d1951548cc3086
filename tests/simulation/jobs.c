#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

bool jobs_number(const char *text, unsigned long least, unsigned long *out)
{
	char *rest;
	unsigned long value = strtoul(text, &rest, 10);

	if (*text < '0' || *text > '9' || *rest || value < least)
		return false;
	*out = value;
	return true;
}

int jobs_run(unsigned long jobs, jobs_fn run, const void *options)
{
	bool bad = false;
	int status;

	if (jobs == 1)
		return run(options, 0) ? 0 : 1;
	fflush(stdout);
	for (unsigned long job = 0; job < jobs; job++) {
		pid_t pid = fork();

		if (pid == 0) {
			bool good = run(options, job);

			fflush(stdout);
			_exit(good ? 0 : 1);
		}
		bad = bad || pid < 0;
	}
	while (wait(&status) > 0)
		bad = bad || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	return bad ? 1 : 0;
}

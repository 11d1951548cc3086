/*
 * Outages of whole sites in virtual time: see "The shutdown sequence in virtual time" in
 * docs/architecture.md.
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "jobs.h"
#include "site.h"

static void print_line(const struct site *site, const char *text)
{
	printf("%10.1f %s\n", (double)(site->now_us - 1000000000) / 1e6, text);
}

struct options {
	unsigned long seed, seeds, jobs;
	bool trace;
};

struct sums {
	unsigned long outages, sequences, cancelled, kills, reboots, unplugs, disks, woken, bad;
	double lived_s;
};

static void add(struct sums *sums, const struct site *site)
{
	sums->outages += site->outages;
	sums->sequences += site->sequences;
	sums->cancelled += site->cancelled;
	sums->kills += site->kills;
	sums->reboots += site->reboots;
	sums->unplugs += site->unplugs;
	sums->disks += site->disks;
	sums->woken += site->woken;
	sums->lived_s += (double)(site->now_us - 1000000000) / 1e6;
}

static bool live(struct site *site, unsigned long seed, bool trace)
{
	bool good;

	site->trace = trace ? print_line : NULL;
	site_init(site, seed);
	good = site_live(site);
	site_close(site);
	return good;
}

static void run_seed(const struct options *opt, unsigned long seed, struct sums *sums)
{
	static struct site site;

	if (!live(&site, seed, opt->trace)) {
		sums->bad++;
		if (!opt->trace)
			live(&site, seed, true); /* the same once more, written down */
		printf("seed %lu failed at %.1f s: %s\nagain: outages --seed %lu --trace\n", seed,
		       (double)(site.failed_us - 1000000000) / 1e6, site.failure, seed);
	}
	add(sums, &site);
}

static bool run_seeds(const void *options, unsigned long job)
{
	const struct options *opt = options;
	struct timespec from, to;
	struct sums sums = { 0 };
	double took_s;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long i = job; i < opt->seeds; i += opt->jobs)
		run_seed(opt, opt->seed + i, &sums);
	clock_gettime(CLOCK_MONOTONIC, &to);
	took_s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%lu outages in %.1f s (%.1f h lived): %lu shutdowns, %lu called off, %lu hosts woken; "
	       "%lu daemons killed, %lu resets, %lu cables, %lu disks; %lu seeds failed\n",
	       sums.outages, took_s, sums.lived_s / 3600, sums.sequences, sums.cancelled,
	       sums.woken, sums.kills, sums.reboots, sums.unplugs, sums.disks, sums.bad);
	return sums.bad == 0;
}

static const char usage[] = "usage: outages [--seed N] [--seeds K] [--jobs J] [--trace]\n\n"
			    "  --seed N    the first seed (1)\n"
			    "  --seeds K   how many seeds, counting up (1)\n"
			    "  --jobs J    processes at the same time (1)\n"
			    "  --trace     print everything that happens\n";

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "seeds", required_argument, NULL, 'k' },
		{ "jobs", required_argument, NULL, 'j' }, { "trace", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },	  { 0 },
	};
	struct options opt = { .seed = 1, .seeds = 1, .jobs = 1 };
	bool good = true;
	int c;

	while (good && (c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			good = jobs_number(optarg, 0, &opt.seed);
			break;
		case 'k':
			good = jobs_number(optarg, 1, &opt.seeds);
			break;
		case 'j':
			good = jobs_number(optarg, 1, &opt.jobs) && opt.jobs <= 64;
			break;
		case 't':
			opt.trace = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			good = false;
		}
	}
	if (!good || optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	return jobs_run(opt.jobs, run_seeds, &opt);
}

/*
 * Random lives of a UPS in virtual time. See docs/control.md, "How this is tested".
 */
#include "world.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "jobs.h"
#include "matrix.h"

enum { LINES = 400, LINE_LEN = 400 };

static char lines[LINES][LINE_LEN];
static unsigned long n_lines;

static void keep_line(struct rig *rig, const char *text, void *user)
{
	(void)user;
	snprintf(lines[n_lines++ % LINES], LINE_LEN, "%12.3f %s", (double)rig->now_us / 1e6, text);
}

static void print_line(struct rig *rig, const char *text, void *user)
{
	(void)user;
	printf("%12.3f %s\n", (double)rig->now_us / 1e6, text);
}

static void print_kept(void)
{
	unsigned long first = n_lines > LINES ? n_lines - LINES : 0;

	for (unsigned long i = first; i < n_lines; i++)
		printf("%s\n", lines[i % LINES]);
}

struct options {
	unsigned long seed, seeds, jobs;
	double days;
	bool trace;
};

static bool live(struct world *world, uint64_t seed, double days,
		 void (*trace)(struct rig *rig, const char *text, void *user))
{
	bool good;

	world->rig.trace = trace;
	world_init(world, seed);
	good = world_live(world, days * 86400) && world_end(world);
	rig_close(&world->rig);
	return good;
}

static bool run_seed(const struct options *opt, unsigned long seed, double *lived_s)
{
	static struct world world;

	if (live(&world, seed, opt->days, opt->trace ? print_line : NULL)) {
		*lived_s += (double)(world.rig.now_us - 1000000000) / 1e6;
		return true;
	}
	if (!opt->trace) {
		n_lines = 0;
		live(&world, seed, opt->days, keep_line); /* the same once more, written down */
		print_kept();
	}
	printf("seed %lu failed at %.3f s: %s\n"
	       "unit: %s\nagain: simulate --seed %lu --days %g --trace\n",
	       seed, (double)world.failed_us / 1e6, world.failure,
	       *world.dialect ? world.dialect : "the likely one", seed, opt->days);
	return false;
}

static bool run_seeds(const void *options, unsigned long job)
{
	const struct options *opt = options;
	struct timespec from, to;
	double lived_s = 0, took_s;
	unsigned bad = 0;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned long i = job; i < opt->seeds; i += opt->jobs)
		bad += !run_seed(opt, opt->seed + i, &lived_s);
	clock_gettime(CLOCK_MONOTONIC, &to);
	took_s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("%.1f days simulated in %.1f s, %.0f s per second; %u seeds failed\n",
	       lived_s / 86400, took_s, took_s > 0 ? lived_s / took_s : 0, bad);
	return bad == 0;
}

static const char usage[] =
	"usage: simulate [--seed N] [--seeds K] [--days D] [--jobs J] [--trace]\n"
	"       simulate --matrix\n\n"
	"  --seed N    the first seed (1)\n"
	"  --seeds K   how many seeds, counting up (1)\n"
	"  --days D    simulated days for each seed (1)\n"
	"  --jobs J    processes at the same time (1)\n"
	"  --trace     print everything that happens, frames too\n"
	"  --matrix    print what becomes of every command on every kind of unit\n";

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' }, { "seeds", required_argument, NULL, 'k' },
		{ "days", required_argument, NULL, 'd' }, { "jobs", required_argument, NULL, 'j' },
		{ "trace", no_argument, NULL, 't' },	  { "matrix", no_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },	  { 0 },
	};
	struct options opt = { .seed = 1, .seeds = 1, .jobs = 1, .days = 1 };
	bool good = true;
	char *rest;
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
		case 'd':
			opt.days = strtod(optarg, &rest);
			good = rest != optarg && !*rest && opt.days > 0 && opt.days <= 36500;
			break;
		case 't':
			opt.trace = true;
			break;
		case 'm':
			return matrix_print() ? 1 : 0;
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

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/areas.h"
#include "probe/wire.h"
#include <ups2000/ups.h>

/*
 * All that reading tells about one UPS. Only the reads and the identification of our encoder are
 * sent, no more than 43 registers at once, and nothing is ever written.
 */
enum { SURVEY_READS_MAX = 64, SURVEY_SAMPLES_MAX = 512, SURVEY_GAPS = 7, SURVEY_TEXT_MAX = 246 };

/* One read that was tried. */
struct survey_read {
	uint16_t base;
	uint8_t n;
	bool fallback;	 /* because a longer one was refused */
	const char *why; /* static */
	int status;	 /* 0, exception code, U2K_E* */
	unsigned tries;
	int64_t took_us;
};

/* One of the two ways to identify. */
struct survey_identity {
	bool asked;
	int status;
	struct u2k_identity identity;
	char text[SURVEY_TEXT_MAX]; /* the description as it came, unprintables as '?' */
};

/* Requests that followed the answer before after so much silence. */
struct survey_gap {
	unsigned gap_ms, asked, answered;
	int64_t p50_us, max_us; /* until the answer was complete */
};

struct survey {
	unsigned unit_id, number, baud;
	bool serial;
	bool answered; /* the unit said anything at all */
	bool interrupted;
	char lost[512]; /* why the port went away meanwhile; "" */
	char adapter[160];
	struct survey_identity described, basic;
	struct u2k_identity identity; /* the better of the two */
	enum u2k_gate gate;	      /* what would speak against commands */
	struct survey_read reads[SURVEY_READS_MAX];
	size_t n_reads;
	uint16_t value[AREA_REGS];
	bool known[AREA_REGS];
	struct u2k_alarms alarms; /* at_us 0: not read */
	int64_t think_us[SURVEY_SAMPLES_MAX],
		took_us[SURVEY_SAMPLES_MAX]; /* of good answers, in order */
	size_t n_samples;
	struct survey_gap gaps[SURVEY_GAPS];
	size_t n_gaps;
	unsigned slow;	  /* answers that took longer than 1 s, or came after we gave up */
	int gateway;	  /* a gateway's word that it cannot reach the unit: 0x0a, 0x0b; else 0 */
	unsigned invalid; /* reads of the battery that held invalid values */
	unsigned echoes;
	struct line_stats line;
};

struct survey_config {
	unsigned unit_id, number, baud;
	bool timing;					/* also try the gaps */
	void (*progress)(void *user, const char *text); /* may be NULL */
	void *user;
};

/** Look at everything. What was found until an interruption is in the survey. */
void survey_run(struct survey *survey, struct wire *wire, const struct survey_config *config);

/** Only who it is: identification and rating. */
void survey_identify(struct survey *survey, struct wire *wire, const struct survey_config *config);

/** A register: NULL if it was not read. */
const uint16_t *survey_register(const struct survey *survey, uint16_t base);

/** The decoded value of a quantity. False if not read, or invalid. */
bool survey_value(const struct survey *survey, enum u2k_qty qty, double *value);

/** The q-th of n rising values, q 0..1; 0 of none. */
int64_t survey_quantile(const int64_t *rising, size_t n, double q);
/** A sorted copy of the samples; n_samples of them; free() it. */
int64_t *survey_sorted(const int64_t *samples, size_t n);

/* What --diff looks at: registers as they are now. */
struct survey_image {
	uint16_t value[AREA_REGS];
	bool known[AREA_REGS];
};

/**
 * Read every register once.
 *
 * @plan  before the first call zeroed; remembers which ranges must be read in pieces
 *
 * Returns 0, or the U2K_E* that ended it.
 */
struct survey_plan {
	struct {
		uint16_t base;
		uint8_t n;
		bool refused;
	} pieces[2 * AREA_REGS];
	size_t n;
	bool made;
};
int survey_image(struct survey_image *image, struct survey_plan *plan, struct wire *wire,
		 const struct survey_config *config);

#include "lib/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void journal_print(const struct engine_journal *journal, char text[U2K_JOURNAL_MAX])
{
	snprintf(text, U2K_JOURNAL_MAX, "ups2000 1 %d %d %d %d %d %" PRId64 " %u %u %s\n",
		 (int)journal->proven, journal->owed_auto_start ? journal->auto_start : -1,
		 journal->owed_bypass ? journal->bypass : -1,
		 journal->pending ? journal->pending_kind : -1, journal->pending_stage,
		 journal->pending_due_us, journal->pending_delay_s, journal->pending_on_s,
		 journal->esn);
}

static bool within(int64_t n, int64_t min, int64_t max)
{
	return n >= min && n <= max;
}

bool journal_parse(const char *text, struct engine_journal *journal)
{
	int64_t n[8]; /* in the order of the line */
	const char *esn;
	size_t len;
	int at = 0;

	if (sscanf(text,
		   "ups2000 1 %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64
		   " %" SCNd64 " %" SCNd64 "%n",
		   &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &at) != 8 ||
	    text[at] != ' ')
		return false;
	esn = text + at + 1;
	len = strcspn(esn, "\n");
	if (len >= sizeof(journal->esn) || (esn[len] && esn[len + 1]) ||
	    !within(n[0], 0, STAGE_POWER_OFF) || !within(n[1], -1, 1) || !within(n[2], -1, 1) ||
	    !within(n[3], -1, 3) || !within(n[4], 0, STAGE_POWER_OFF) || n[5] < 0 ||
	    !within(n[6], 0, 990 * 6) || !within(n[7], 0, 9999 * 60))
		return false;

	*journal = (struct engine_journal){
		.proven = (enum engine_stage)n[0],
		.owed_auto_start = n[1] >= 0,
		.auto_start = n[1] > 0,
		.owed_bypass = n[2] >= 0,
		.bypass = n[2] > 0,
		.pending = n[3] >= 0,
		.pending_kind = n[3] >= 0 ? (uint8_t)n[3] : 0,
		.pending_stage = (uint8_t)n[4],
		.pending_due_us = n[5],
		.pending_delay_s = (uint32_t)n[6],
		.pending_on_s = (uint32_t)n[7],
	};
	memcpy(journal->esn, esn, len);
	return true;
}

#pragma once

#include "policy/policy.h"

/*
 * The record as data. It is a small text, one fact per line, with a check sum at its end: what a full
 * disk cut off or somebody edited is not believed.
 */
enum { RECORD_NAME_MAX = 101 };

enum saved_start { START_NONE, START_WANTED, START_DONE, START_FAILED };
enum saved_off { OFF_NONE, OFF_WANTED, OFF_ORDERED, OFF_VERIFIED, OFF_FAILED };
enum saved_host { HOST_NONE, HOST_ASKED, HOST_ACCEPTED, HOST_FAILED };

struct saved_ups {
	bool outage; /* on battery, as far as was known */
	int64_t outage_us;
	bool mains;  /* last seen on mains again, not long enough yet */
	bool doomed; /* part of the sequence */
	bool ended;  /* ... and done with */
	bool fsd, fsd_runs;
	int64_t fsd_us;
	bool seen_off;	/* since FSD */
	unsigned spent; /* conditions that led to a sequence: bit i = enum policy_condition i */
	enum saved_start start;
	enum saved_off off;
	int64_t off_us; /* ordered at */
};

struct saved_wake {
	bool pending;
	unsigned tries;	 /* so far */
	int64_t next_us; /* not before; 0 = not begun */
};

struct record {
	char boot[POLICY_ID_MAX];
	uint64_t serial;
	char sequence[POLICY_ID_MAX], cause[POLICY_TEXT_MAX];
	enum policy_state state;
	int64_t since_us, announced_us;
	bool operator_asked;
	int64_t operator_us;
	char operator_text[POLICY_TEXT_MAX];
	char stage[RECORD_NAME_MAX];
	struct {
		char name[RECORD_NAME_MAX];
		bool ended;
		int64_t until_us;
	} commands[POLICY_COMMANDS_MAX];
	size_t n_commands;
	enum saved_host host;
	unsigned host_tries;
	int64_t host_us;
	struct {
		char name[RECORD_NAME_MAX];
		struct saved_ups ups;
	} ups[POLICY_UPS_MAX];
	size_t n_ups;
	struct {
		char name[RECORD_NAME_MAX];
		struct saved_wake wake;
	} wake[POLICY_WAKE_MAX];
	size_t n_wake;
};

/** False, and nothing useful in record, if the text is not a whole record. */
bool record_parse(const char *text, size_t len, struct record *record);
/** Length of the text, or 0 if size is too small. */
size_t record_print(const struct record *record, char *out, size_t size);

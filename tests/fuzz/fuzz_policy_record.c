/* A kept record, as a damaged disk or a curious hand leaves it: read, gone on with, written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What it says is data; the check sum only keeps accidents out. Give it the right one. */
static size_t with_sum(const uint8_t *data, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ data[i]) * 16777619u;
	memcpy(out, data, len);
	memcpy(out + len, "end ", 4);
	for (int i = 0; i < 8; i++)
		out[len + 4 + (size_t)i] = digits[sum >> (28 - 4 * i) & 15];
	out[len + 12] = '\n';
	out[len + 13] = '\0';
	return len + 13;
}

static void go_on_from(const char *text, const char *boot)
{
	static const struct policy_ups_config ups[2] = { { .name = "rack", .supplies = 1 },
							 { .name = "desk", .supplies = 1 } };
	static const struct policy_command commands[1] = { { "stop", 10 } };
	static const struct policy_stage stages[1] = { { "vms", true, commands, 1 } };
	static const struct policy_wake wake[1] = { { "nas", -1, 0, 0, 30, 3, false } };
	static char again[POLICY_RECORD_MAX];
	static struct record record;
	struct policy_config config;
	struct policy_start start = { .boot = boot, .records = { text, NULL } };
	struct policy_action action;
	struct policy *policy;
	size_t n;

	policy_config_default(&config);
	config.ups = ups;
	config.n_ups = 2;
	config.stages = stages;
	config.n_stages = 1;
	config.wake = wake;
	config.n_wake = 1;
	policy = policy_new(&config, &start, 1000000000);
	if (!policy)
		abort();
	for (int i = 0; i < 5; i++) {
		policy_run(policy, 1000000000 + i * (int64_t)30000000);
		while (policy_next(policy, &action))
			if (action.what == POLICY_SAVE)
				policy_saved(policy, true, 1000000000 + i * (int64_t)30000000);
	}
	n = policy_record(policy, again, sizeof(again));
	if (!n || !record_parse(again, n, &record))
		abort();
	policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct record record;
	static char text[POLICY_RECORD_MAX + 20];

	record_parse((const char *)data, len, &record);
	if (len > POLICY_RECORD_MAX || memchr(data, '\0', len))
		return 0;
	with_sum(data, len, text);
	go_on_from(text, "b");
	go_on_from(text, "another");
	return 0;
}

/* Every command on every dialect of the simulated device: no untrue answer, nothing left undone. */
#include "matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void tell(struct rig *rig, const char *text, void *user)
{
	(void)user;
	if (strncmp(text, "->", 2) != 0 && strncmp(text, "  <-", 4) != 0)
		printf("%10.3f %s\n", (double)rig->now_us / 1e6, text);
	else if (getenv("FRAMES") || strstr(text, "WRITE") ||
		 (strstr(text, "  <-") && !strstr(text, "01 03")))
		printf("%10.3f %s\n", (double)rig->now_us / 1e6, text);
}

static unsigned run_case(const struct matrix_case *c)
{
	const char *only = getenv("MATRIX");
	struct matrix_result result;
	char name[200];

	snprintf(name, sizeof(name), "%s/%s/%d%d%d", c->command, c->dialect, c->mains,
		 c->auto_start, c->option);
	if (only && strcmp(only, name) != 0)
		return 0;
	matrix_run(c, &result, only ? tell : NULL);
	if (!result.wrong[0])
		return 0;
	print_error("%s: %s: %s\n   %s (%.1f s)\n", name, u2k_outcome_text(result.outcome),
		    result.wrong, result.text, result.took_s);
	return 1;
}

static void test_matrix(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < matrix_command_count(); i++) {
		const char *command = matrix_command(i);

		for (size_t d = 0; d < matrix_dialect_count(); d++) {
			for (unsigned bits = 0; bits < 8; bits++) {
				struct matrix_case c = { command, matrix_dialect(d), bits & 1,
							 bits & 2, bits & 4 };

				if (!matrix_applies(&c))
					continue;
				if ((c.auto_start || c.option) &&
				    strncmp(command, "shutdown.", 9) != 0 &&
				    strcmp(command, "load.off") != 0 &&
				    strcmp(command, "bypass.start") != 0)
					continue; /* they make no difference, or "off" means bypass */
				bad += run_case(&c);
			}
		}
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matrix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

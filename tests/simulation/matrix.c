#include "matrix.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const commands[] = {
	"beeper.enable",
	"beeper.disable",
	"beeper.toggle",
	"test.battery.start.quick",
	"test.battery.start.deep",
	"test.battery.stop",
	"bypass.start",
	"bypass.stop",
	"load.on",
	"load.off",
	"shutdown.return",
	"shutdown.stayoff",
	"shutdown.reboot",
	"shutdown.reboot.graceful",
	"shutdown.default",
	"shutdown.stop",
};

static const char *const dialects[] = {
	"",
	"fc10-silent",
	"fc10-refused",
	"pair-only",
	"pair-only fc10-silent",
	"pair-only fc10-refused",
	"pair-order fc10-silent",
	"arm-1047 fc10-refused",
	"arm-1047 fc10-silent",
	"arm-1048 fc10-refused",
	"arm-1048 fc10-silent",
	"pair-refused",
	"pair-refused=4 busy=2",
	"ack-only",
	"no-cancel",
	"cancel-not-pair",
	"start-fails",
	"busy=3",
	"busy-ms",
	"old-value-ms",
	"old-value-ms fc10-silent",
	"old-value-ms pair-only fc10-refused",
	"off-ignored",
	"restart-1049",
	"count-down",
	"count-down fc10-silent",
	"timer-keeps",
	"zero-cancels",
	"gaps-refused",
	"max-read=43",
	"max-read=20",
	"test-shows-mains",
	"test-stays",
	"eco-battery-6",
	"id-split",
	"id-open",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

size_t matrix_command_count(void)
{
	return COUNT(commands);
}

const char *matrix_command(size_t i)
{
	return commands[i];
}

size_t matrix_dialect_count(void)
{
	return COUNT(dialects);
}

const char *matrix_dialect(size_t i)
{
	return dialects[i];
}

static void set_dialect(struct rig *rig, const char *words)
{
	char copy[200], err[200], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		if (sim_dialect_set(&rig->srv.dev.dialect, word, true, err, sizeof(err))) {
			fprintf(stderr, "%s\n", err);
			abort();
		}
	}
}

static bool has(const struct matrix_case *c, const char *word)
{
	return strstr(c->dialect, word) != NULL;
}

static bool is(const struct matrix_case *c, const char *name)
{
	return strcmp(c->command, name) == 0;
}

static bool is_return(const struct matrix_case *c)
{
	return is(c, "shutdown.return") || is(c, "shutdown.default") ||
	       strncmp(c->command, "shutdown.reboot", 15) == 0;
}

static bool is_off_command(const struct matrix_case *c)
{
	return is_return(c) || is(c, "shutdown.stayoff");
}

bool matrix_applies(const struct matrix_case *c)
{
	if (strncmp(c->command, "test.", 5) == 0 || strncmp(c->command, "bypass.", 7) == 0 ||
	    is(c, "load.on"))
		return c->mains;
	return true;
}

/* What the reference and docs/control.md let one expect, not what our code does. */
static bool could(const struct matrix_case *c)
{
	bool on_battery = !c->mains;
	bool alarms_unread = has(c, "max-read=20"); /* they come in one range of 27 */

	if (alarms_unread &&
	    (strncmp(c->command, "test.battery.start", 18) == 0 || is(c, "bypass.start")))
		return false;
	if (strncmp(c->command, "test.battery.start", 18) == 0 || is(c, "bypass.start"))
		return c->mains && !has(c, "ack-only") &&
		       !(is(c, "bypass.start") && has(c, "off-ignored"));
	if (is(c, "bypass.stop") || is(c, "load.on"))
		return !has(c, "ack-only") && !has(c, "start-fails");
	if (is(c, "load.off"))
		return !has(c, "ack-only") && !(has(c, "off-ignored") && c->mains);
	if (is(c, "shutdown.stop"))
		return !has(c, "ack-only") && !has(c, "no-cancel") && !has(c, "cancel-not-pair");
	if (is_return(c)) {
		bool frame = !has(c, "fc10") && !has(c, "pair-refused");
		bool singles = !has(c, "pair-only") && !has(c, "pair-refused");

		return !has(c, "ack-only") && (frame || singles || on_battery);
	}
	return !has(c, "ack-only");
}

/* --- one case --------------------------------------------------------------------------------------- */

struct watch {
	int64_t off_us, on_us; /* first time the output was off, and on again after it */
	bool tested;
};

static void look(struct rig *rig, void *user)
{
	struct watch *watch = user;
	const struct sim_device *dev = &rig->srv.dev;

	if (dev->source == SIM_SOURCE_OFF && !watch->off_us)
		watch->off_us = rig->now_us;
	if (watch->off_us && dev->source != SIM_SOURCE_OFF && !watch->on_us)
		watch->on_us = rig->now_us;
	watch->tested = watch->tested || dev->test != SIM_TEST_NONE;
}

static void set_mains(struct rig *rig, bool on)
{
	sim_server_advance(&rig->srv, rig->now_us);
	sim_device_mains(&rig->srv.dev, on, 220, 50);
	rig_say(rig, "## the mains are %s", on ? "back" : "out");
}

static void wrong(struct matrix_result *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void wrong(struct matrix_result *out, const char *format, ...)
{
	size_t len = strlen(out->wrong);
	va_list args;

	va_start(args, format);
	vsnprintf(out->wrong + len, sizeof(out->wrong) - len, format, args);
	va_end(args);
	len = strlen(out->wrong);
	snprintf(out->wrong + len, sizeof(out->wrong) - len, "; ");
}

/* Into the state in which the command makes sense. */
static void prepare(struct rig *rig, const struct matrix_case *c)
{
	struct sim_device *dev = &rig->srv.dev;

	if (is(c, "beeper.enable"))
		dev->muted = 1;
	if (is(c, "test.battery.stop")) {
		dev->opt.quick_test_ms = 600000;
		rig_command(rig, "test.battery.start.quick", NULL, 30);
	}
	if (is(c, "bypass.stop")) {
		dev->bypass_option = 1;
		sim_device_panel_off(dev);
	}
	if (is(c, "load.on"))
		sim_device_panel_off(dev);
	if (is(c, "shutdown.stop")) {
		rig_order(rig, false, "shutdown.return", "120");
		rig_run(rig, 20);
	}
	set_dialect(rig, c->dialect);
	rig_run(rig, 10);
	if (!c->mains)
		set_mains(rig, false);
	rig_run(rig, 5);
}

static bool did(const struct rig *rig, const struct matrix_case *c, const struct watch *watch)
{
	const struct sim_device *dev = &rig->srv.dev;

	if (strncmp(c->command, "beeper.", 7) == 0)
		return dev->muted == !is(c, "beeper.enable");
	if (strncmp(c->command, "test.battery.start", 18) == 0)
		return watch->tested;
	if (is(c, "test.battery.stop"))
		return dev->test == SIM_TEST_NONE;
	if (is(c, "bypass.start"))
		return dev->source == SIM_SOURCE_BYPASS;
	if (is(c, "bypass.stop") || is(c, "load.on"))
		return dev->startup == SIM_STARTUP_RUNNING;
	if (is(c, "shutdown.stop"))
		return !watch->off_us && dev->due_us[SIM_TIMER_OFF] == SIM_NEVER &&
		       dev->due_us[SIM_TIMER_PAIR_OFF] == SIM_NEVER;
	return watch->off_us != 0;
}

static void judge_order(const struct rig_order *order, struct matrix_result *out)
{
	if (order->dones != 1)
		wrong(out, "ended %u times", order->dones);
	if (out->outcome == U2K_VERIFIED && !out->done)
		wrong(out, "verified, but not done");
	if (out->outcome != U2K_VERIFIED && out->done)
		wrong(out, "done, but %s", u2k_outcome_text(out->outcome));
	if (out->outcome == U2K_REFUSED && order->writes)
		wrong(out, "refused after %u writes", order->writes);
	if (out->could && out->outcome != U2K_VERIFIED)
		wrong(out, "undone although the device could");
	if (!out->could && out->outcome == U2K_VERIFIED)
		wrong(out, "verified although the device cannot");
}

/* What comes after: the return, the borrowed settings, nothing that fires late. */
static void judge_after(struct rig *rig, const struct matrix_case *c, struct watch *watch,
			struct matrix_result *out)
{
	struct sim_device *dev = &rig->srv.dev;
	const struct engine_journal *journal;
	uint32_t offs = dev->output_offs;
	bool spoilt = has(c, "ack-only") || has(c, "no-cancel") || has(c, "cancel-not-pair") ||
		      has(c, "start-fails");

	rig_run(rig, is_off_command(c) ? 150 : 20);
	if (!c->mains)
		set_mains(rig, true);
	rig_run(rig, is_off_command(c) ? 200 : 100);
	/* a test may run the battery down and a unit on bypass has no battery: not these */
	if (out->outcome != U2K_VERIFIED && !spoilt && c->mains && dev->output_offs != offs)
		wrong(out, "went off later, after %s", u2k_outcome_text(out->outcome));
	if (is_return(c) && out->outcome == U2K_VERIFIED && !watch->on_us && !spoilt)
		wrong(out, "never came back");
	if (is(c, "shutdown.stayoff") && watch->on_us)
		wrong(out, "came back after stayoff");
	if (dev->startup == SIM_STARTUP_RUNNING && dev->source != SIM_SOURCE_BYPASS && !spoilt) {
		if (dev->autostart != c->auto_start)
			wrong(out, "1044 was not given back");
		if (dev->bypass_option != c->option && !is(c, "bypass.stop"))
			wrong(out, "1045 was not given back");
	}
	journal = engine_journal(session_engine(rig->session));
	if (dev->startup != SIM_STARTUP_RUNNING && !spoilt && dev->autostart != c->auto_start &&
	    !journal->owed_auto_start)
		wrong(out, "1044 is not even owed");
	if (dev->startup != SIM_STARTUP_RUNNING && !spoilt && dev->bypass_option != c->option &&
	    !journal->owed_bypass && !is(c, "bypass.stop"))
		wrong(out, "1045 is not even owed");
	if (journal->pending)
		wrong(out, "still pending");
}

void matrix_run(const struct matrix_case *c, struct matrix_result *out,
		void (*trace)(struct rig *rig, const char *text, void *user))
{
	static struct rig rig;
	struct watch watch = { 0 };
	struct sim_options device;
	struct rig_order *order;
	double least;

	*out = (struct matrix_result){ .could = could(c) };
	sim_options_default(&device);
	rig_init_device(&rig, 7, &device);
	rig.trace = trace;
	rig.srv.dev.autostart = c->auto_start;
	rig.srv.dev.bypass_option = c->option;
	rig_start(&rig, true);
	rig_run(&rig, 8);
	prepare(&rig, c);
	rig.after = look;
	rig.user = &watch;
	order = rig_order(&rig, false, c->command, NULL);
	rig_run_order(&rig, order, 400);
	out->took_s = (double)(order->done_us - order->given_us) / 1e6;
	out->outcome = order->outcome;
	snprintf(out->text, sizeof(out->text), "%s", order->text);
	if (order->outcome == U2K_PENDING)
		wrong(out, "did not end within 400 s");
	out->done = did(&rig, c, &watch);
	judge_order(order, out);
	least = is(c, "shutdown.reboot") ? 6 : 60;
	if (is_off_command(c) && watch.off_us &&
	    (double)(watch.off_us - order->given_us) / 1e6 < least - 0.1)
		wrong(out, "off %.1f s after the order, %.0f s were asked",
		      (double)(watch.off_us - order->given_us) / 1e6, least);
	judge_after(&rig, c, &watch, out);
	rig_close(&rig);
}

/* --- the table ---------------------------------------------------------------------------------------- */

static const char *cell(const char *command, const char *dialect, bool mains, unsigned *bad,
			char *text, size_t size)
{
	const struct matrix_case c = { command, dialect, mains, true, false };
	struct matrix_result result;

	if (!matrix_applies(&c))
		return "-";
	matrix_run(&c, &result, NULL);
	*bad += result.wrong[0] != '\0';
	snprintf(text, size, "%s%s", u2k_outcome_text(result.outcome),
		 result.wrong[0] ? " (!)" : "");
	return text;
}

unsigned matrix_print(void)
{
	unsigned bad = 0;

	for (int mains = 1; mains >= 0; mains--) {
		printf("\nMains %s:\n\n| unit |", mains ? "present" : "out");
		for (size_t i = 0; i < COUNT(commands); i++)
			printf(" %s |", commands[i]);
		printf("\n|---|");
		for (size_t i = 0; i < COUNT(commands); i++)
			printf("---|");
		printf("\n");
		for (size_t d = 0; d < COUNT(dialects); d++) {
			printf("| %s |", *dialects[d] ? dialects[d] : "likely unit");
			for (size_t i = 0; i < COUNT(commands); i++) {
				char text[40];

				printf(" %s |", cell(commands[i], dialects[d], mains, &bad, text,
						     sizeof(text)));
			}
			printf("\n");
		}
	}
	return bad;
}

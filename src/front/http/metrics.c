#include "front/http/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>
#include "daemon/hub.h"
#include "front/http/stats.h"
#include "history/totals.h"
#include "nut/store.h"
#include "util/util.h"

const char *const metrics_types[METRICS_FORMATS] = {
	[METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	[METRICS_OPEN] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

enum metrics_format metrics_format(const char *accept)
{
	return accept && strstr(accept, "application/openmetrics-text") ? METRICS_OPEN
									: METRICS_TEXT;
}

enum type { GAUGE, COUNTER, HISTOGRAM, INFO };

struct family {
	const char *name; /* with _total or _info, as in the text format */
	enum type type;
	const char *unit; /* the end of the name without _total, or NULL */
	const char *help;
};

/* A page in the making. */
struct page {
	FILE *out;
	bool open; /* OpenMetrics */
	const struct family *family;
	bool begun; /* the family's head is written: it comes with the first sample */
	const struct stats *stats;
};

/* HELP and label values. Others than UTF-8 would make the whole page unreadable. */
static void escape(struct page *page, const char *text, bool quotes)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\' || (c == '"' && quotes))
			fprintf(page->out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", page->out);
		else
			fputc(c < ' ' || c >= 0x7f ? '?' : c, page->out);
	}
}

/* OpenMetrics leaves the type out of the family's name. */
static int base_len(const struct page *page)
{
	const char *name = page->family->name;
	const char *ending = page->family->type == COUNTER ? "_total" : "_info";
	size_t len = strlen(name), end = strlen(ending);

	if (!page->open || (page->family->type != COUNTER && page->family->type != INFO) ||
	    len <= end || strcmp(name + len - end, ending) != 0)
		return (int)len;
	return (int)(len - end);
}

static void begin(struct page *page)
{
	static const char *const types[] = { "gauge", "counter", "histogram", "info" };
	const struct family *family = page->family;
	const char *type = types[!page->open && family->type == INFO ? GAUGE : family->type];
	int len = base_len(page);

	if (page->begun)
		return;
	page->begun = true;
	if (page->open) {
		fprintf(page->out, "# TYPE %.*s %s\n", len, family->name, type);
		if (family->unit)
			fprintf(page->out, "# UNIT %.*s %s\n", len, family->name, family->unit);
	}
	fprintf(page->out, "# HELP %.*s ", len, family->name);
	escape(page, family->help, page->open);
	fputc('\n', page->out);
	if (!page->open)
		fprintf(page->out, "# TYPE %.*s %s\n", len, family->name, type);
}

struct label {
	const char *name, *value;
};

static void sample_of(struct page *page, const char *ending, const struct label *labels, size_t n,
		      double value)
{
	begin(page);
	fprintf(page->out, "%s%s", page->family->name, ending);
	for (size_t i = 0; i < n; i++) {
		fprintf(page->out, "%c%s=\"", i ? ',' : '{', labels[i].name);
		escape(page, labels[i].value, true);
		fputc('"', page->out);
	}
	fprintf(page->out, "%s %.15g\n", n ? "}" : "", value);
}

static void sample(struct page *page, const struct hub_ups *ups, double value)
{
	const struct label label = { "ups", ups ? ups->name : "" };

	sample_of(page, "", &label, ups ? 1 : 0, value);
}

static void sample_with(struct page *page, const struct hub_ups *ups, const char *name,
			const char *text, double value)
{
	const struct label labels[] = { { "ups", ups->name }, { name, text } };

	sample_of(page, "", labels, 2, value);
}

static void histogram(struct page *page, const struct hub_ups *ups, const struct histogram *h)
{
	struct label labels[] = { { "ups", ups->name }, { "le", "" } };
	char bound[32];

	labels[1].value = bound;
	for (size_t i = 0; i < STATS_BUCKETS; i++) {
		/* OpenMetrics wants "1.0", and one form for both keeps the series the same */
		snprintf(bound, sizeof(bound), h->bounds[i] < 1 ? "%.2g" : "%.1f", h->bounds[i]);
		sample_of(page, "_bucket", labels, 2, (double)h->buckets[i]);
	}
	strcpy(bound, "+Inf");
	sample_of(page, "_bucket", labels, 2, (double)h->count);
	sample_of(page, "_sum", labels, 1, h->sum);
	sample_of(page, "_count", labels, 1, (double)h->count);
}

/* ---- what a UPS has ---- */

static bool fresh(const struct hub_ups *ups)
{
	return hub_avail(ups) == HUB_OK;
}

static void device_info(struct page *page, const struct hub_ups *ups)
{
	const struct u2k_identity *id = &ups->snap.identity;
	const struct label labels[] = {
		{ "ups", ups->name },	{ "manufacturer", *id->maker ? id->maker : "Huawei" },
		{ "model", id->model }, { "firmware", id->firmware },
		{ "serial", id->esn },
	};

	if (id->known)
		sample_of(page, "", labels, ARRAY_SIZE(labels), 1);
}

static void up(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, fresh(ups));
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (*words) {
		size_t word_len = strcspn(words, " ");

		if (word_len == len && memcmp(words, word, len) == 0)
			return true;
		words += word_len + (words[word_len] == ' ');
	}
	return false;
}

static void status(struct page *page, const struct hub_ups *ups)
{
	static const char *const flags[] = { "OL",   "OB",	"LB",	  "HB",	 "RB",
					     "CHRG", "DISCHRG", "BYPASS", "CAL", "OFF",
					     "OVER", "TRIM",	"BOOST",  "FSD", "ALARM" };
	const char *words = nut_store_get(ups->store, "ups.status");

	if (!fresh(ups) || !words)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		sample_with(page, ups, "flag", flags[i],
			    has_word(words, flags[i]) ||
				    (ups->fsd && strcmp(flags[i], "FSD") == 0));
	sample_with(page, ups, "flag", "TEST", !!(ups->snap.flags & U2K_TEST));
	sample_with(page, ups, "flag", "ECO", !!(ups->snap.flags & U2K_ECO));
}

static void alarm_active(struct page *page, const struct hub_ups *ups)
{
	char code[16];

	if (!fresh(ups) || ups->snap.alarms.at_us == 0)
		return;
	for (unsigned i = 0; i < U2K_ALARM_COUNT; i++) {
		const struct u2k_alarm_desc *desc = u2k_alarm_desc(i);
		const struct label labels[] = { { "ups", ups->name },
						{ "alarm", desc->name },
						{ "id", code } };

		snprintf(code, sizeof(code), "%u/%u", desc->id, desc->cause);
		sample_of(page, "", labels, ARRAY_SIZE(labels),
			  !!(ups->snap.alarms.active & UINT32_C(1) << i));
	}
}

static void status_time(struct page *page, const struct hub_ups *ups)
{
	if (ups->snap.status_at_us)
		sample(page, ups,
		       (double)((wall_us() - (clock_us() - ups->snap.status_at_us)) / 1000) / 1e3);
}

static void requests(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)ups->snap.line.requests);
}

static void errors(struct page *page, const struct hub_ups *ups)
{
	sample_with(page, ups, "kind", "timeout", (double)ups->snap.line.timeouts);
	sample_with(page, ups, "kind", "bad_frame", (double)ups->snap.line.bad_frames);
	sample_with(page, ups, "kind", "exception", (double)ups->snap.line.exceptions);
	sample_with(page, ups, "kind", "straggler", (double)ups->snap.line.stragglers);
}

static void noise(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)ups->snap.line.noise_bytes);
}

static void poll_duration(struct page *page, const struct hub_ups *ups)
{
	histogram(page, ups, &stats_of(page->stats, ups)->poll);
}

static void detection(struct page *page, const struct hub_ups *ups)
{
	histogram(page, ups, &stats_of(page->stats, ups)->detection);
}

static void orders(struct page *page, const struct hub_ups *ups)
{
	const struct stats_ups *stats = stats_of(page->stats, ups);

	for (size_t i = 0; i < stats->n_orders; i++) {
		const struct stats_order *row = &stats->orders[i];
		const struct {
			const char *result;
			uint64_t n;
		} results[] = { { "verified", row->verified },
				{ "failed", row->failed },
				{ "refused", row->refused } };

		for (size_t r = 0; r < ARRAY_SIZE(results); r++) {
			const struct label labels[] = { { "ups", ups->name },
							{ "command", row->name },
							{ "result", results[r].result } };

			sample_of(page, "", labels, ARRAY_SIZE(labels), (double)results[r].n);
		}
	}
}

static void energy(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)history_totals(ups)->output_mj / 1e3);
}

static void battery_energy(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)history_totals(ups)->battery_mj / 1e3);
}

static void gaps(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)history_totals(ups)->gap_ms / 1e3);
}

static void outages(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)history_totals(ups)->outages);
}

static void on_battery(struct page *page, const struct hub_ups *ups)
{
	sample(page, ups, (double)history_totals(ups)->on_battery_ms / 1e3);
}

static void last_outage(struct page *page, const struct hub_ups *ups)
{
	if (history_totals(ups)->last_outage_us)
		sample(page, ups, (double)(history_totals(ups)->last_outage_us / 1000) / 1e3);
}

/* clang-format off */
static const struct ups_family {
	struct family family;
	void (*samples)(struct page *page, const struct hub_ups *ups);
	bool totals; /* only if they are kept */
} ups_families[] = {
	{ { "ups2000_device_info", INFO, NULL, "The UPS as it names itself; always 1" }, device_info, false },
	{ { "ups2000_up", GAUGE, NULL, "1 while the status of the UPS is fresh" }, up, false },
	{ { "ups2000_status", GAUGE, NULL, "Flags of the NUT variable ups.status, each 0 or 1" }, status, false },
	{ { "ups2000_alarm_active", GAUGE, NULL, "Alarms of the UPS, each 0 or 1" }, alarm_active, false },
	{ { "ups2000_status_timestamp_seconds", GAUGE, "seconds", "When the newest status was asked for" }, status_time, false },
	{ { "ups2000_output_energy_joules_total", COUNTER, "joules", "Energy given to the load; kWh = joules / 3.6e6" }, energy, true },
	{ { "ups2000_battery_energy_joules_total", COUNTER, "joules", "Of the output energy, what was given on battery" }, battery_energy, true },
	{ { "ups2000_energy_unknown_seconds_total", COUNTER, "seconds", "Time over which no energy was counted, since nothing is known of it" }, gaps, true },
	{ { "ups2000_outages_total", COUNTER, NULL, "Mains failures, the present one included" }, outages, true },
	{ { "ups2000_on_battery_seconds_total", COUNTER, "seconds", "Time on battery in mains failures" }, on_battery, true },
	{ { "ups2000_last_outage_start_timestamp_seconds", GAUGE, "seconds", "When the newest mains failure began" }, last_outage, true },
	{ { "ups2000_modbus_requests_total", COUNTER, NULL, "Requests sent to the UPS" }, requests, false },
	{ { "ups2000_modbus_errors_total", COUNTER, NULL, "Requests without a good answer, and answers that came too late" }, errors, false },
	{ { "ups2000_modbus_noise_bytes_total", COUNTER, "bytes", "Bytes from the line that belong to no answer" }, noise, false },
	{ { "ups2000_poll_duration_seconds", HISTOGRAM, "seconds", "From asking for the status until clients see it" }, poll_duration, false },
	{ { "ups2000_outage_detection_seconds", HISTOGRAM, "seconds", "From the last status that showed mains until clients see the outage: none took longer to be seen" }, detection, false },
	{ { "ups2000_commands_total", COUNTER, NULL, "Commands and settings by what came of them" }, orders, false },
};

static const struct gauge {
	struct family family;
	enum u2k_qty qty;
	double scale;
} gauges[] = {
	{ { "ups2000_input_voltage_volts", GAUGE, "volts", "Mains voltage (input.voltage)" }, U2K_QTY_INPUT_VOLTAGE, 1 },
	{ { "ups2000_input_frequency_hertz", GAUGE, "hertz", "Mains frequency (input.frequency)" }, U2K_QTY_INPUT_FREQUENCY, 1 },
	{ { "ups2000_bypass_voltage_volts", GAUGE, "volts", "Bypass voltage (input.bypass.voltage)" }, U2K_QTY_BYPASS_VOLTAGE, 1 },
	{ { "ups2000_bypass_frequency_hertz", GAUGE, "hertz", "Bypass frequency (input.bypass.frequency)" }, U2K_QTY_BYPASS_FREQUENCY, 1 },
	{ { "ups2000_output_voltage_volts", GAUGE, "volts", "Output voltage (output.voltage)" }, U2K_QTY_OUTPUT_VOLTAGE, 1 },
	{ { "ups2000_output_frequency_hertz", GAUGE, "hertz", "Output frequency (output.frequency)" }, U2K_QTY_OUTPUT_FREQUENCY, 1 },
	{ { "ups2000_output_current_amperes", GAUGE, "amperes", "Output current (output.current)" }, U2K_QTY_OUTPUT_CURRENT, 1 },
	{ { "ups2000_output_power_watts", GAUGE, "watts", "Real power of the load in steps of 100 W (ups.realpower)" }, U2K_QTY_OUTPUT_REALPOWER, 1 },
	{ { "ups2000_output_apparent_power_voltamperes", GAUGE, "voltamperes", "Apparent power of the load in steps of 100 VA (ups.power)" }, U2K_QTY_OUTPUT_POWER, 1 },
	{ { "ups2000_rated_power_voltamperes", GAUGE, "voltamperes", "Rating of the UPS (ups.power.nominal)" }, U2K_QTY_RATED_POWER, 1 },
	{ { "ups2000_load_ratio", GAUGE, "ratio", "Load as a part of the rating (ups.load, in percent there)" }, U2K_QTY_LOAD, 0.01 },
	{ { "ups2000_battery_charge_ratio", GAUGE, "ratio", "Charge of the battery (battery.charge, in percent there)" }, U2K_QTY_BATTERY_CHARGE, 0.01 },
	{ { "ups2000_battery_runtime_seconds", GAUGE, "seconds", "How long the battery lasts by the UPS's own estimate (battery.runtime)" }, U2K_QTY_BATTERY_RUNTIME, 1 },
	{ { "ups2000_battery_voltage_volts", GAUGE, "volts", "Voltage of the battery string (battery.voltage)" }, U2K_QTY_BATTERY_VOLTAGE, 1 },
	{ { "ups2000_temperature_celsius", GAUGE, "celsius", "Temperature inside the UPS (ups.temperature)" }, U2K_QTY_TEMPERATURE, 1 },
};

static const struct family build = { "ups2000_build_info", INFO, NULL, "The program; always 1" };

enum { CPU, START, RESIDENT, VIRTUAL, OPEN_FDS, MAX_FDS, PROCESS_COUNT };
static const struct family process[PROCESS_COUNT] = {
	[CPU]      = { "process_cpu_seconds_total", COUNTER, "seconds", "Processor time of the daemon, user and system" },
	[START]    = { "process_start_time_seconds", GAUGE, "seconds", "When the daemon started" },
	[RESIDENT] = { "process_resident_memory_bytes", GAUGE, "bytes", "Resident memory of the daemon" },
	[VIRTUAL]  = { "process_virtual_memory_bytes", GAUGE, "bytes", "Virtual memory of the daemon" },
	[OPEN_FDS] = { "process_open_fds", GAUGE, NULL, "Open file descriptors of the daemon" },
	[MAX_FDS]  = { "process_max_fds", GAUGE, NULL, "File descriptors the daemon may open" },
};
/* clang-format on */

/* ---- the process ---- */

static bool read_memory(double *virtual, double *resident)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long all, held;
	bool ok;

	if (!file)
		return false;
	ok = fscanf(file, "%lu %lu", &all, &held) == 2;
	fclose(file);
	*virtual = (double)all * (double)sysconf(_SC_PAGESIZE);
	*resident = (double)held * (double)sysconf(_SC_PAGESIZE);
	return ok;
}

static unsigned count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n > 3 ? n - 3 : 0; /* ".", ".." and the one that looks */
}

static void one(struct page *page, const struct family *family, double value)
{
	page->family = family;
	page->begun = false;
	sample(page, NULL, value);
}

static void the_process(struct page *page)
{
	struct rusage usage;
	struct rlimit limit;
	double virtual, resident;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		one(page, &process[CPU],
		    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	one(page, &process[START], (double)(stats_started(page->stats) / 1000) / 1e3);
	if (read_memory(&virtual, &resident)) {
		one(page, &process[RESIDENT], resident);
		one(page, &process[VIRTUAL], virtual);
	}
	one(page, &process[OPEN_FDS], count_fds());
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		one(page, &process[MAX_FDS], (double)limit.rlim_cur);
}

/* ---- pages ---- */

static void page_open(struct page *page, enum metrics_format format, char **text, size_t *len)
{
	memset(page, 0, sizeof(*page));
	page->open = format == METRICS_OPEN;
	page->out = open_memstream(text, len);
	if (!page->out)
		abort(); /* out of memory: as xmalloc() */
}

static void page_close(struct page *page)
{
	if (page->open)
		fputs("# EOF\n", page->out);
	if (fclose(page->out) != 0)
		abort(); /* out of memory */
}

static void start(struct page *page, const struct family *family)
{
	page->family = family;
	page->begun = false;
}

char *metrics_render(const struct hub *hub, const struct stats *stats, enum metrics_format format,
		     size_t *len)
{
	const struct label version = { "version", U2K_VERSION };
	struct page page;
	char *text;

	page_open(&page, format, &text, len);
	page.stats = stats;
	start(&page, &build);
	sample_of(&page, "", &version, 1, 1);
	for (size_t f = 0; f < ARRAY_SIZE(ups_families); f++) {
		start(&page, &ups_families[f].family);
		for (size_t i = 0; i < hub_ups_count(hub); i++)
			if (!ups_families[f].totals || history_totals(hub_ups_at(hub, i)))
				ups_families[f].samples(&page, hub_ups_at(hub, i));
	}
	for (size_t g = 0; g < ARRAY_SIZE(gauges); g++) {
		start(&page, &gauges[g].family);
		for (size_t i = 0; i < hub_ups_count(hub); i++) {
			const struct hub_ups *ups = hub_ups_at(hub, i);
			const struct u2k_value *v = &ups->snap.qty[gauges[g].qty];

			if (fresh(ups) && v->validity == U2K_VALID)
				sample(&page, ups, v->value * gauges[g].scale);
		}
	}
	the_process(&page);
	page_close(&page);
	return text;
}

/* ---- as nut_exporter ---- */

static const char *value_of(const struct hub_ups *ups, const char *name)
{
	const char *value = nut_store_get(ups->store, name);

	return value ? value : "";
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number, or a word that means one. */
static bool as_number(const char *value, double *number)
{
	static const char *const on[] = {
		"enable", "enabled", "on", "true", "active", "activated"
	};
	static const char *const off[] = { "disable", "disabled", "off",
					   "false",   "inactive", "deactivated" };
	char *end;

	if (is_digit(value[*value == '-'])) {
		*number = strtod(value, &end);
		return !*end;
	}
	for (size_t i = 0; i < ARRAY_SIZE(on); i++) {
		if (strcasecmp(value, on[i]) == 0 || strcasecmp(value, off[i]) == 0) {
			*number = strcasecmp(value, on[i]) == 0;
			return true;
		}
	}
	return false;
}

static void nut_status(struct page *page, const char *words)
{
	static const char *const flags[] = { "OL",   "OB",	"LB",	  "HB",	 "RB",
					     "CHRG", "DISCHRG", "BYPASS", "CAL", "OFF",
					     "OVER", "TRIM",	"BOOST",  "FSD", "SD" };
	static const struct family family = { "network_ups_tools_ups_status", GAUGE, NULL,
					      "Flags of ups.status" };

	start(page, &family);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct label label = { "flag", flags[i] };

		sample_of(page, "", &label, 1, has_word(words, flags[i]));
	}
}

static void nut_device(struct page *page, const struct hub_ups *ups)
{
	static const struct family family = { "network_ups_tools_device_info", INFO, NULL,
					      "The UPS as it names itself; always 1" };
	const struct label labels[] = {
		{ "model", value_of(ups, "device.model") },
		{ "mfr", value_of(ups, "device.mfr") },
		{ "serial", value_of(ups, "device.serial") },
		{ "type", value_of(ups, "device.type") },
		{ "description", value_of(ups, "device.description") },
		{ "contact", value_of(ups, "device.contact") },
		{ "location", value_of(ups, "device.location") },
		{ "part", value_of(ups, "device.part") },
		{ "macaddr", value_of(ups, "device.macaddr") },
	};

	start(page, &family);
	sample_of(page, "", labels, ARRAY_SIZE(labels), 1);
}

static void nut_variable(struct page *page, const struct nut_var *var)
{
	const char *desc = nut_var_desc(var->name);
	char *name = xasprintf("network_ups_tools_%s", var->name);
	char *help = xasprintf("%s (%s)", desc ? desc : "NUT variable", var->name);
	const struct family family = { name, GAUGE, NULL, help };
	double value;

	for (char *p = name; *p; p++)
		if (!is_digit(*p) && !(*p >= 'a' && *p <= 'z') && !(*p >= 'A' && *p <= 'Z'))
			*p = '_';
	if (as_number(var->value, &value)) {
		start(page, &family);
		sample(page, NULL, value);
	}
	free(name);
	free(help);
}

char *metrics_render_nut(const struct hub_ups *ups, enum metrics_format format, size_t *len)
{
	struct page page;
	char *text;

	page_open(&page, format, &text, len);
	if (fresh(ups)) {
		nut_device(&page, ups);
		nut_status(&page, value_of(ups, "ups.status"));
		for (size_t i = 0; i < nut_store_count(ups->store); i++)
			nut_variable(&page, nut_store_at(ups->store, i));
	}
	page_close(&page);
	return text;
}

#include "sim/device.h"

#include <stdio.h>
#include <string.h>

#include "core/pdu.h"
#include "sim/model.h"

void sim_options_default(struct sim_options *opt)
{
	*opt = (struct sim_options){
		.model = "UPS2000A",
		.firmware = "V2R1C1SPC50",
		.interface = "P1.0-D1.0",
		.esn = "21022900000000000001",
		.rating = 1,
		.number = 1,
		.load_percent = 30,
		.output_volts = 220,
		.low_percent = 20,
		.start_ms = 6000,
		.boot_ms = 4000,
		.retransfer_ms = 1000,
		.standby_ms = 60000,
		.quick_test_ms = 10000,
		.noise = true,
		.seed = 1,
	};
}

void sim_device_init(struct sim_device *dev, const struct sim_options *opt)
{
	memset(dev, 0, sizeof(*dev));
	dev->opt = *opt;
	dev->dialect = opt->dialect;
	for (size_t i = 0; i < SIM_TIMERS; i++)
		dev->due_us[i] = SIM_NEVER;
	dev->mains_on = true;
	dev->mains_volts = 220;
	dev->mains_hz = 50;
	dev->battery_plugged = true;
	dev->load_percent = opt->load_percent;
	dev->temperature = 25.3;
	dev->autostart = 1;
	dev->charge0 = 100;
	dev->board = SIM_BOARD_ALIVE;
	dev->startup = SIM_STARTUP_RUNNING;
	dev->rectifier = true;
	dev->source = SIM_SOURCE_MAINS;
	power_settle(dev);
}

static void quick_test_over(struct sim_device *dev)
{
	selftest_end(dev, true);
}

static void retransfer_over(struct sim_device *dev)
{
	dev->rectifier = true;
	power_settle(dev);
}

static void (*const handlers[])(struct sim_device *dev) = {
	[SIM_TIMER_BOOT] = power_booted,	  [SIM_TIMER_START] = power_started,
	[SIM_TIMER_RETRANSFER] = retransfer_over, [SIM_TIMER_TEST] = quick_test_over,
	[SIM_TIMER_OFF] = timers_off_due,	  [SIM_TIMER_PAIR_OFF] = timers_pair_off_due,
	[SIM_TIMER_PAIR_ON] = timers_pair_on_due, [SIM_TIMER_STANDBY] = power_die,
	[SIM_TIMER_OVERLOAD] = power_overloaded,  [SIM_TIMER_LEVEL] = battery_crossed_level,
	[SIM_TIMER_END] = battery_reached_end,
};

static enum sim_timer first_due(const struct sim_device *dev)
{
	size_t first = 0;

	for (size_t i = 1; i < SIM_TIMERS; i++)
		if (dev->due_us[i] < dev->due_us[first])
			first = i;
	return (enum sim_timer)first;
}

int64_t sim_device_next_us(const struct sim_device *dev)
{
	return dev->due_us[first_due(dev)];
}

void sim_device_advance(struct sim_device *dev, int64_t now_us)
{
	for (;;) {
		enum sim_timer timer = first_due(dev);
		int64_t due = dev->due_us[timer];

		if (due == SIM_NEVER || due > now_us)
			break;
		if (due > dev->now_us)
			dev->now_us = due;
		timer_stop(dev, timer);
		handlers[timer](dev);
	}
	if (now_us > dev->now_us)
		dev->now_us = now_us;
}

/* Requests */

int sim_device_base(const struct sim_device *dev, uint16_t addr)
{
	unsigned others = dev->dialect.id_count > 1 ? (unsigned)dev->dialect.id_count - 1 : 0;

	for (unsigned n = 0; n <= others; n++) {
		int number = dev->opt.number + (int)n;
		int base = addr - 10000 * number;

		if (base >= 1000 && base < 10000)
			return base;
		base = addr - 1024 * number;
		if (base >= ALARM_BASE_FIRST && base <= ALARM_BASE_LAST)
			return base;
	}
	if (dev->dialect.bare && ((addr >= 1000 && addr < 10000) ||
				  (addr >= ALARM_BASE_FIRST && addr <= ALARM_BASE_LAST)))
		return addr;
	return -1;
}

bool sim_device_peek(const struct sim_device *dev, uint16_t base, uint16_t *value)
{
	*value = 0;
	for (size_t i = 0; i < dev->n_forced; i++) {
		if (dev->forced[i].base == base) {
			*value = dev->forced[i].value;
			return true;
		}
	}
	for (size_t i = 0; i < SIM_RECENT; i++) {
		if (dev->recent[i].base == base && dev->now_us < dev->recent[i].until_us) {
			*value = dev->recent[i].old;
			return true;
		}
	}
	return image_read(dev, base, value);
}

/* Undefined registers inside these read as 0; outside there is nothing. */
static bool in_range(uint16_t base)
{
	return (base >= 1000 && base <= 1050) || (base >= 2000 && base <= 2033) || base == 9009 ||
	       (base >= ALARM_BASE_FIRST && base <= ALARM_BASE_LAST);
}

static int read_registers(const struct sim_device *dev, const struct pdu_request *req,
			  uint16_t *regs)
{
	int base = sim_device_base(dev, req->addr);
	size_t defined = 0;

	if (dev->dialect.max_read && req->n > dev->dialect.max_read)
		return EXC_ILLEGAL_ADDRESS;
	if (base < 0)
		return EXC_ILLEGAL_ADDRESS;
	for (unsigned i = 0; i < req->n; i++) {
		bool known = sim_device_peek(dev, (uint16_t)(base + (int)i), &regs[i]);

		if (!known && (dev->dialect.gaps_refused || !in_range((uint16_t)(base + (int)i))))
			return EXC_ILLEGAL_ADDRESS;
		defined += known;
	}
	return defined ? 0 : EXC_ILLEGAL_ADDRESS;
}

/* Another UPS behind the same port can be read, not written: it is not the one simulated. */
static bool ours(const struct sim_device *dev, uint16_t addr, int base)
{
	return addr == base || addr == base + 10000 * dev->opt.number;
}

static int write_registers(struct sim_device *dev, const struct pdu_request *req)
{
	int base = sim_device_base(dev, req->addr);

	if (base < 0 || !ours(dev, req->addr, base))
		return EXC_ILLEGAL_ADDRESS;
	if (base == 1047 && req->n == 2)
		return writes_pair(dev, req->values[0], req->values[1]);
	for (unsigned i = 0; i < req->n; i++)
		if (!writes_known(dev, (uint16_t)(base + (int)i)))
			return EXC_ILLEGAL_ADDRESS;
	for (unsigned i = 0; i < req->n; i++) {
		int status = writes_single(dev, (uint16_t)(base + (int)i), req->values[i]);

		if (status)
			return status;
	}
	return 0;
}

/* 0: go on. Else the exception to answer. */
static int busy(struct sim_device *dev, bool is_write)
{
	if (dev->now_us < dev->busy_until_us)
		return EXC_BUSY_HUAWEI;
	if (!is_write)
		return 0;
	if (dev->busy_count < dev->dialect.busy) {
		dev->busy_count++;
		return EXC_BUSY_HUAWEI;
	}
	dev->busy_count = 0;
	dev->busy_until_us = dev->now_us + dev->dialect.busy_ms * INT64_C(1000);
	return 0;
}

static size_t answer_write(struct sim_device *dev, const struct pdu_request *req,
			   const uint8_t *pdu, size_t len, uint8_t *reply)
{
	int status = write_registers(dev, req);

	if (status)
		return pdu_put_exception(reply, req->fc, (uint8_t)status);
	if (req->fc == FC_WRITE_MULTIPLE_REGISTERS)
		return pdu_put_write_multiple_reply(reply, req->addr, req->n);
	memcpy(reply, pdu, len);
	return len;
}

static size_t answer(struct sim_device *dev, const uint8_t *pdu, size_t len, uint8_t *reply)
{
	struct pdu_request req;
	uint16_t regs[PDU_READ_REGS_MAX];
	bool is_write;
	int status;

	if (len && pdu[0] == FC_WRITE_MULTIPLE_REGISTERS && dev->dialect.fc10 == SIM_FC10_SILENT)
		return 0;
	status = pdu_get_request(pdu, len, &req);
	if (req.fc == FC_WRITE_MULTIPLE_REGISTERS && dev->dialect.fc10 == SIM_FC10_REFUSED)
		status = EXC_ILLEGAL_FUNCTION;
	is_write = req.fc == FC_WRITE_SINGLE_REGISTER || req.fc == FC_WRITE_MULTIPLE_REGISTERS;
	if (!status)
		status = busy(dev, is_write);
	if (status)
		return pdu_put_exception(reply, req.fc, (uint8_t)status);

	if (is_write)
		return answer_write(dev, &req, pdu, len, reply);
	if (req.fc == FC_ENCAPSULATED)
		return identity_reply(dev, req.devid_code, req.devid_object, reply);
	status = read_registers(dev, &req, regs);
	if (status)
		return pdu_put_exception(reply, req.fc, (uint8_t)status);
	return pdu_put_regs(reply, regs, req.n);
}

void sim_device_request(struct sim_device *dev, int64_t now_us, const uint8_t *pdu, size_t len,
			uint8_t *reply, size_t *reply_len)
{
	sim_device_advance(dev, now_us);
	*reply_len = dev->board == SIM_BOARD_ALIVE ? answer(dev, pdu, len, reply) : 0;
}

bool sim_device_force(struct sim_device *dev, uint16_t base, uint16_t value)
{
	sim_device_unforce(dev, base);
	if (dev->n_forced == SIM_FORCED_MAX)
		return false;
	dev->forced[dev->n_forced].base = base;
	dev->forced[dev->n_forced++].value = value;
	return true;
}

void sim_device_unforce(struct sim_device *dev, uint16_t base)
{
	for (size_t i = 0; i < dev->n_forced; i++) {
		if (dev->forced[i].base == base) {
			dev->forced[i] = dev->forced[--dev->n_forced];
			return;
		}
	}
}

/* Actions */

bool sim_device_mains_good(const struct sim_device *dev)
{
	return power_mains_good(dev);
}

void sim_device_mains(struct sim_device *dev, bool on, double volts, double hz)
{
	bool was_good = power_mains_good(dev);

	battery_rebase(dev);
	dev->mains_on = on;
	dev->mains_volts = volts;
	dev->mains_hz = hz;
	power_mains_changed(dev, was_good);
}

void sim_device_load(struct sim_device *dev, double percent)
{
	battery_rebase(dev);
	dev->load_percent = percent;
	if (percent <= 105)
		dev->forced_bypass = false;
	power_settle(dev);
}

void sim_device_temperature(struct sim_device *dev, double celsius)
{
	dev->temperature = celsius;
}

void sim_device_bypass(struct sim_device *dev, bool bad)
{
	dev->bypass_bad = bad;
	power_settle(dev);
}

void sim_device_battery_plug(struct sim_device *dev, bool plugged)
{
	battery_rebase(dev);
	dev->battery_plugged = plugged;
	if (!plugged && dev->test != SIM_TEST_NONE)
		selftest_end(dev, false);
	power_settle(dev);
}

void sim_device_battery_charge(struct sim_device *dev, double percent)
{
	battery_rebase(dev);
	dev->charge0 = percent;
	dev->low = percent <= dev->opt.low_percent;
	dev->equalising = false;
	power_settle(dev);
}

void sim_device_battery_worn(struct sim_device *dev, bool worn)
{
	battery_rebase(dev);
	dev->battery_worn = worn;
	power_settle(dev);
}

void sim_device_panel_on(struct sim_device *dev)
{
	if (dev->board == SIM_BOARD_DEAD && power_battery_usable(dev)) {
		dev->board = SIM_BOARD_BOOTING;
		timer_set(dev, SIM_TIMER_BOOT, dev->opt.boot_ms * INT64_C(1000));
	}
	if (dev->board == SIM_BOARD_BOOTING)
		dev->start_on_boot = true;
	else if (dev->board == SIM_BOARD_ALIVE)
		writes_single(dev, 1029, 1);
}

void sim_device_panel_off(struct sim_device *dev)
{
	if (dev->startup != SIM_STARTUP_STARTING)
		power_off(dev);
}

void sim_device_panel_mute(struct sim_device *dev)
{
	dev->muted = !dev->muted;
}

void sim_device_panel_clear(struct sim_device *dev)
{
	dev->alarms_latched = 0;
}

void sim_device_panel_eco(struct sim_device *dev, bool on)
{
	dev->eco = on;
	power_settle(dev);
}

#include "link/adapter.h"
#include "link/scan.h"
#include "link/uucp.h"

#include <fcntl.h>
#include <time.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "link_rig.h"
#include "util/util.h"
#include <ups2000/error.h>

static int setup(void **state)
{
	char *dir = xcalloc(1, 64);

	scratch_open(dir, 64);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	scratch_close(*state);
	free(*state);
	return 0;
}

/* Paths and attributes as a Linux 6.1 shows them. */
static void build_sysfs(const char *dir)
{
	static const struct {
		const char *name, *text; /* text starting with '>' is a symlink */
	} rows[] = {
		/* an XR21V1410 as it should be */
		{ "devices/pci/usb1/1-2/idVendor", "04e2\n" },
		{ "devices/pci/usb1/1-2/idProduct", "1410\n" },
		{ "devices/pci/usb1/1-2/driver", ">../../../../bus/usb/drivers/usb" },
		{ "devices/pci/usb1/1-2/1-2:1.1/driver", ">../../../../bus/usb/drivers/xr_serial" },
		{ "devices/pci/usb1/1-2/1-2:1.1/ttyUSB0/driver", ">x/usb-serial/drivers/xr_port" },
		{ "devices/pci/usb1/1-2/1-2:1.1/ttyUSB0/tty/ttyUSB0/device", ">../.." },
		{ "class/tty/ttyUSB0", ">../../devices/pci/usb1/1-2/1-2:1.1/ttyUSB0/tty/ttyUSB0" },
		{ "dev/char/188:0", ">../../devices/pci/usb1/1-2/1-2:1.1/ttyUSB0/tty/ttyUSB0" },
		/* a CH341, whose port has a driver of another name */
		{ "devices/pci/usb1/1-3/idVendor", "1a86\n" },
		{ "devices/pci/usb1/1-3/idProduct", "5523\n" },
		{ "devices/pci/usb1/1-3/1-3:1.0/driver", ">../../../../bus/usb/drivers/ch341" },
		{ "devices/pci/usb1/1-3/1-3:1.0/ttyUSB10/driver", ">x/drivers/ch341-uart" },
		{ "devices/pci/usb1/1-3/1-3:1.0/ttyUSB10/tty/ttyUSB10/device", ">../.." },
		{ "class/tty/ttyUSB10",
		  ">../../devices/pci/usb1/1-3/1-3:1.0/ttyUSB10/tty/ttyUSB10" },
		{ "dev/char/188:10", ">../../devices/pci/usb1/1-3/1-3:1.0/ttyUSB10/tty/ttyUSB10" },
		/* the trap */
		{ "devices/pci/usb1/1-4/idVendor", "04e2\n" },
		{ "devices/pci/usb1/1-4/idProduct", "1410\n" },
		{ "devices/pci/usb1/1-4/1-4:1.0/driver", ">../../../../bus/usb/drivers/cdc_acm" },
		{ "devices/pci/usb1/1-4/1-4:1.0/tty/ttyACM0/device", ">../.." },
		{ "class/tty/ttyACM0", ">../../devices/pci/usb1/1-4/1-4:1.0/tty/ttyACM0" },
		{ "dev/char/166:0", ">../../devices/pci/usb1/1-4/1-4:1.0/tty/ttyACM0" },
		/* a modem that cdc_acm is right for */
		{ "devices/pci/usb1/1-5/idVendor", "2341\n" },
		{ "devices/pci/usb1/1-5/idProduct", "0043\n" },
		{ "devices/pci/usb1/1-5/1-5:1.0/driver", ">../../../../bus/usb/drivers/cdc_acm" },
		{ "devices/pci/usb1/1-5/1-5:1.0/tty/ttyACM1/device", ">../.." },
		{ "class/tty/ttyACM1", ">../../devices/pci/usb1/1-5/1-5:1.0/tty/ttyACM1" },
		{ "dev/char/166:1", ">../../devices/pci/usb1/1-5/1-5:1.0/tty/ttyACM1" },
		/* a UART, a slot without one, a console, and something that is no tty */
		{ "devices/plat/driver", ">x/serial8250" },
		{ "devices/plat/plat:0/driver", ">x/ctrl" },
		{ "devices/plat/plat:0/plat:0.0/driver", ">x/port" },
		{ "devices/plat/plat:0/plat:0.0/tty/ttyS0/device", ">../.." },
		{ "devices/plat/plat:0/plat:0.0/tty/ttyS0/type", "4\n" },
		{ "class/tty/ttyS0", ">../../devices/plat/plat:0/plat:0.0/tty/ttyS0" },
		{ "dev/char/4:64", ">../../devices/plat/plat:0/plat:0.0/tty/ttyS0" },
		{ "devices/plat/plat:0/plat:0.1/tty/ttyS1/device", ">../.." },
		{ "devices/plat/plat:0/plat:0.1/tty/ttyS1/type", "0\n" },
		{ "class/tty/ttyS1", ">../../devices/plat/plat:0/plat:0.1/tty/ttyS1" },
		{ "devices/virtual/tty/tty1/dev", "4:1\n" },
		{ "class/tty/tty1", ">../../devices/virtual/tty/tty1" },
		{ "devices/virtual/watchdog/watchdog0/subsystem", ">../../../../class/watchdog" },
		{ "dev/char/10:130", ">../../devices/virtual/watchdog/watchdog0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (*rows[i].text == '>')
			put_link(dir, rows[i].name, rows[i].text + 1);
		else
			put_file(dir, rows[i].name, rows[i].text);
	}
}

static void names_adapters(void **state)
{
	static const struct {
		unsigned major_no, minor_no;
		int rc;
		const char *text, *driver;
		bool likely, wrong;
	} rows[] = {
		{ 188, 0, 0, "XR21V1410 (04e2:1410), driver xr_serial", "xr_serial", true, false },
		{ 188, 10, 0, "CH341 (1a86:5523), driver ch341", "ch341", true, false },
		{ 166, 0, 0, "XR21V1410 (04e2:1410), driver cdc_acm", "cdc_acm", true, true },
		{ 166, 1, 0, "USB adapter (2341:0043), driver cdc_acm", "cdc_acm", false, false },
		{ 4, 64, 0, "", "serial8250", false, false },
		{ 136, 7, 0, "", "", false, false },
		{ 10, 130, U2K_EREFUSED, "", "", false, false },
	};
	struct adapter a;
	char text[128];

	build_sysfs(*state);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		dev_t dev = makedev(rows[i].major_no, rows[i].minor_no);

		assert_int_equal(adapter_look(&a, *state, dev), rows[i].rc);
		adapter_text(&a, text, sizeof(text));
		assert_string_equal(text, rows[i].text);
		assert_string_equal(a.driver, rows[i].driver);
		assert_int_equal(adapter_likely(&a), rows[i].likely);
		assert_int_equal(adapter_wrong_driver(&a), rows[i].wrong);
	}
	assert_int_equal(adapter_look(&a, "/nonexistent", makedev(188, 0)), 0);
	assert_false(a.usb);
}

static void explains_cdc_acm(void **state)
{
	struct adapter a;
	char text[512];

	build_sysfs(*state);
	adapter_look_dir(&a, *state, "class/tty/ttyACM0");
	assert_string_equal(a.interface, "1-4:1.0");
	adapter_explain(&a, "/dev/ttyACM0", text, sizeof(text));
	assert_non_null(strstr(text, "/dev/ttyACM0: the kernel driver cdc_acm"));
	assert_non_null(strstr(text, "xr_serial (Linux 5.12 or newer)"));
}

struct found {
	unsigned n;
	struct scan_port ports[8];
};

static void remember(void *user, const struct scan_port *port)
{
	struct found *f = user;

	assert_true(f->n < ARRAY_SIZE(f->ports));
	f->ports[f->n++] = *port;
}

static void lists_ports(void **state)
{
	static const char *const names[] = { "ttyACM0", "ttyACM1", "ttyS0", "ttyUSB0", "ttyUSB10" };
	const char *dir = *state;
	static struct found f;
	char dev[128], path[256];

	build_sysfs(dir);
	snprintf(dev, sizeof(dev), "%s/dev", dir);
	put_file(dir, "dev/ttyUSB10", "");
	put_link(dir, "dev/serial/by-path/pci-0-usbv2-0:3:1.0-port0", "../../ttyUSB10");
	put_link(dir, "dev/serial/by-path/pci-0-usb-0:3:1.0-port0", "../../ttyUSB10");
	put_link(dir, "dev/serial/by-path/pci-0-usb-0:1:1.0-port0", "../../ttyUSB9");
	assert_int_equal(scan_ports(dir, dev, remember, &f), ARRAY_SIZE(names));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dev, names[i]);
		assert_string_equal(f.ports[i].device, path);
	}
	assert_string_equal(f.ports[0].by_path, "");
	assert_true(adapter_wrong_driver(&f.ports[0].adapter));
	snprintf(path, sizeof(path), "%s/serial/by-path/pci-0-usb-0:3:1.0-port0", dev);
	assert_string_equal(f.ports[4].by_path, path);
	assert_int_equal(f.ports[4].adapter.product, 0x5523);
	assert_int_equal(scan_ports("/nonexistent", dev, remember, &f), U2K_ENOTSUP);
}

static void names_lock_files(void **state)
{
	static const struct {
		const char *device, *file;
	} rows[] = {
		{ "/dev/ttyUSB0", "/l/LCK..ttyUSB0" },
		{ "/dev/pts/5", "/l/LCK..pts_5" },
		{ "/tmp/x/ttyS0", "/l/LCK..ttyS0" },
		{ "none", "" },
	};
	struct uucp_lock lock;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uucp_init(&lock, "/l", rows[i].device);
		assert_string_equal(lock.path, rows[i].file);
	}
}

/* A pid that is nobody's: a child that has been waited for. */
static pid_t dead_pid(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void reads_lock_files(void **state)
{
	int dead = dead_pid(), parent = getppid();
	const struct {
		const char *name;
		char text[32];
		int old; /* last written long ago */
		int holder;
	} rows[] = {
		{ "live", "+P", 1, parent },
		{ "live, with words", "+P minicom root", 1, parent },
		{ "stale", "+D", 0, 0 },
		{ "our own, left over", "+S", 0, 0 },
		{ "just made, empty", "", 0, -1 },
		{ "empty for long", "", 1, 0 },
		{ "no number", "minicom\n", 1, 0 },
		{ "zero", "         0\n", 1, 0 },
		{ "negative", "        -1\n", 1, 0 },
		{ "too large", "99999999999\n", 1, 0 },
	};
	const char *dir = *state;
	struct uucp_lock lock;

	uucp_init(&lock, dir, "/dev/ttyUSB0");
	assert_int_equal(uucp_holder(&lock), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *t = rows[i].text;
		char text[64];
		int pid = t[1] == 'P' ? parent : t[1] == 'D' ? dead : getpid();

		snprintf(text, sizeof(text), "%s", t);
		if (*t == '+')
			snprintf(text, sizeof(text), "%10d%s\n", pid, t + 2);
		put_file(dir, "LCK..ttyUSB0", text);
		if (rows[i].old) {
			struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

			assert_int_equal(utimensat(AT_FDCWD, lock.path, times, 0), 0);
		}
		if (uucp_holder(&lock) != rows[i].holder)
			fail_msg("%s: holder %d", rows[i].name, (int)uucp_holder(&lock));
		int taken = uucp_take(&lock);

		if (taken != rows[i].holder || lock.held != !rows[i].holder)
			fail_msg("%s: take %d, held %d", rows[i].name, taken, lock.held);
		uucp_drop(&lock);
		if (!access(lock.path, F_OK) != !!rows[i].holder)
			fail_msg("%s: file wrong after drop", rows[i].name);
	}
}

static void follows_no_link_to_a_lock(void **state)
{
	const char *dir = *state;
	struct uucp_lock lock;
	char text[32];

	snprintf(text, sizeof(text), "%10d\n", (int)getppid());
	put_file(dir, "other", text);
	put_link(dir, "LCK..ttyUSB0", "other");
	uucp_init(&lock, dir, "/dev/ttyUSB0");
	assert_int_equal(uucp_holder(&lock), 0);
	assert_int_equal(uucp_take(&lock), 0);
	assert_int_equal(lock.held, 1);
	uucp_drop(&lock);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(names_adapters),	TEST(explains_cdc_acm), TEST(lists_ports),
		TEST(names_lock_files), TEST(reads_lock_files), TEST(follows_no_link_to_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

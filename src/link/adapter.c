#include "link/adapter.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/util.h"
#include <ups2000/error.h>

/* The chips built into the UPS; both are generic, so an id never means "this is a UPS2000". */
static const struct chip {
	unsigned vendor, product;
	const char *name;
} chips[] = {
	{ 0x04e2, 0x1410, "XR21V1410" },
	{ 0x1a86, 0x5523, "CH341" },
};

static bool read_hex(const char *dir, const char *name, unsigned *out)
{
	char path[PATH_MAX];
	unsigned value;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return false;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	bool ok = fscanf(f, "%4x", &value) == 1;

	fclose(f);
	if (ok)
		*out = value;
	return ok;
}

/* The last component of what a symlink in dir points to. */
static bool read_link_name(const char *dir, const char *name, char *out, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return false;
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');

	snprintf(out, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
	return true;
}

/* The serial core of newer kernels puts two devices of its own below the UART. */
static bool is_serial_core(const char *driver)
{
	return !strcmp(driver, "port") || !strcmp(driver, "ctrl");
}

/*
 * Up from the tty to the directory with the USB ids. The driver is that of the interface, the last
 * one below: an usb-serial port in between has one of its own, which may be called otherwise
 * (ch341-uart). What is not on USB is named by its first driver: the rest are bridges.
 */
static void climb(struct adapter *out, const char *top, char *dir)
{
	size_t top_len = strlen(top);
	char driver[sizeof(out->driver)];

	for (char *slash; strlen(dir) > top_len; *slash = '\0') {
		slash = strrchr(dir, '/');
		if (!slash)
			return;
		if (read_hex(dir, "idVendor", &out->vendor)) {
			out->usb = read_hex(dir, "idProduct", &out->product);
			if (out->usb && *out->interface)
				snprintf(out->driver, sizeof(out->driver), "%s", driver);
			return;
		}
		if (!read_link_name(dir, "driver", driver, sizeof(driver)) ||
		    is_serial_core(driver))
			continue;
		snprintf(out->interface, sizeof(out->interface), "%.63s", slash + 1);
		if (!*out->driver)
			snprintf(out->driver, sizeof(out->driver), "%s", driver);
	}
}

void adapter_look_dir(struct adapter *out, const char *sysfs, const char *dir)
{
	char path[PATH_MAX], real[PATH_MAX], top[PATH_MAX];

	memset(out, 0, sizeof(*out));
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", sysfs, dir) < sizeof(path) &&
	    realpath(path, real) && realpath(sysfs, top))
		climb(out, top, real);
}

int adapter_look(struct adapter *out, const char *sysfs, dev_t rdev)
{
	char dir[64], path[PATH_MAX], subsystem[32];

	snprintf(dir, sizeof(dir), "dev/char/%u:%u", major(rdev), minor(rdev));
	adapter_look_dir(out, sysfs, dir);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", sysfs, dir) < sizeof(path) &&
	    read_link_name(path, "subsystem", subsystem, sizeof(subsystem)) &&
	    strcmp(subsystem, "tty") != 0)
		return U2K_EREFUSED;
	return 0;
}

static const char *chip_name(const struct adapter *adapter)
{
	for (size_t i = 0; adapter->usb && i < ARRAY_SIZE(chips); i++)
		if (chips[i].vendor == adapter->vendor && chips[i].product == adapter->product)
			return chips[i].name;
	return NULL;
}

bool adapter_likely(const struct adapter *adapter)
{
	return chip_name(adapter) != NULL;
}

void adapter_text(const struct adapter *adapter, char *buf, size_t size)
{
	const char *name = chip_name(adapter);

	if (!adapter->usb) {
		snprintf(buf, size, "%s", "");
		return;
	}
	snprintf(buf, size, "%s (%04x:%04x), %s%s", name ? name : "USB adapter", adapter->vendor,
		 adapter->product, *adapter->driver ? "driver " : "no driver", adapter->driver);
}

bool adapter_wrong_driver(const struct adapter *adapter)
{
	return adapter->usb && adapter->vendor == 0x04e2 && adapter->product == 0x1410 &&
	       !strcmp(adapter->driver, "cdc_acm");
}

/* xr_serial came with Linux 5.12. */
static bool kernel_has_xr_serial(const struct utsname *un)
{
	unsigned major_no, minor_no;

	if (sscanf(un->release, "%u.%u", &major_no, &minor_no) != 2)
		return true;
	return major_no > 5 || (major_no == 5 && minor_no >= 12);
}

void adapter_explain(const struct adapter *adapter, const char *path, char *buf, size_t size)
{
	struct utsname un = { .release = "" };
	char help[256];

	uname(&un);
	if (kernel_has_xr_serial(&un))
		snprintf(
			help, sizeof(help),
			"as root: modprobe xr_serial; echo %s > "
			"/sys/bus/usb/drivers/cdc_acm/unbind; then unplug the cable and plug it in "
			"again (it comes back as ttyUSB*)",
			adapter->interface);
	else
		snprintf(help, sizeof(help),
			 "this kernel (%.40s) is too old to have it: use a newer one, or the UPS's "
			 "RS-232 port",
			 un.release);
	snprintf(buf, size,
		 "%s: the kernel driver cdc_acm holds this XR21V1410 (04e2:1410) and gets no byte "
		 "through to the UPS. The right driver is xr_serial (Linux 5.12 or newer); %s.",
		 path, help);
}

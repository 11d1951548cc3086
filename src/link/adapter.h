#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* What sysfs knows about the hardware behind a tty. */
struct adapter {
	bool usb;
	unsigned vendor, product; /* USB ids */
	char interface[64];	  /* "1-2:1.0": what the driver is bound to */
	char driver[32];	  /* "xr_serial", "serial8250"; "" if unknown */
};

/**
 * Look up the tty with this device number.
 *
 * @sysfs  where sysfs is mounted
 *
 * Returns 0, or U2K_EREFUSED if sysfs says that the device number is no tty at all; out is zeroed
 * where sysfs does not know the number (a pseudo-terminal).
 */
int adapter_look(struct adapter *out, const char *sysfs, dev_t rdev);

/** The same for a directory below sysfs, for example class/tty/ttyUSB0. */
void adapter_look_dir(struct adapter *out, const char *sysfs, const char *dir);

/** "XR21V1410 (04e2:1410), driver xr_serial"; "" for what is not on USB. */
void adapter_text(const struct adapter *adapter, char *buf, size_t size);

/** One of the chips that UPS2000s have built in; both are generic, so ask before believing. */
bool adapter_likely(const struct adapter *adapter);

/**
 * An XR21V1410 bound to cdc_acm: it opens, but no byte gets through (NUT manual,
 * huawei-ups2000(8)).
 */
bool adapter_wrong_driver(const struct adapter *adapter);
/** The sentences that explain this and what to do. */
void adapter_explain(const struct adapter *adapter, const char *path, char *buf, size_t size);

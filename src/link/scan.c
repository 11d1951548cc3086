#include "link/scan.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ups2000/error.h>

/* 8250 drivers show slots for UARTs that may not exist; their type is 0 (PORT_UNKNOWN). */
static bool is_empty_slot(const char *tty_dir)
{
	char path[PATH_MAX];
	int type = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/type", tty_dir) >= sizeof(path))
		return false;
	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	if (fscanf(f, "%d", &type) != 1)
		type = -1;
	fclose(f);
	return type == 0;
}

static bool has_hardware(const char *sysfs, const char *name)
{
	char dir[PATH_MAX], device[PATH_MAX];

	return (size_t)snprintf(dir, sizeof(dir), "%s/class/tty/%s", sysfs, name) < sizeof(dir) &&
	       (size_t)snprintf(device, sizeof(device), "%s/device", dir) < sizeof(device) &&
	       !access(device, F_OK) && !is_empty_slot(dir);
}

/* The symlink in dir that leads to device; of several the first by name, always the same one. */
static void find_link(const char *dir, const char *device, char *out, size_t size)
{
	char real[PATH_MAX], link[PATH_MAX], target[PATH_MAX];
	struct dirent **names;
	int n = realpath(device, real) ? scandir(dir, &names, NULL, alphasort) : -1;

	*out = '\0';
	for (int i = 0; i < n; i++) {
		if (!*out &&
		    (size_t)snprintf(link, sizeof(link), "%s/%s", dir, names[i]->d_name) <
			    sizeof(link) &&
		    realpath(link, target) && !strcmp(target, real))
			snprintf(out, size, "%s", link);
		free(names[i]);
	}
	if (n >= 0)
		free(names);
}

static void describe(struct scan_port *port, const char *sysfs, const char *dev, const char *name)
{
	char dir[PATH_MAX];

	snprintf(port->device, sizeof(port->device), "%s/%s", dev, name);
	snprintf(dir, sizeof(dir), "class/tty/%s", name);
	adapter_look_dir(&port->adapter, sysfs, dir);
	*port->by_path = '\0';
	if ((size_t)snprintf(dir, sizeof(dir), "%s/serial/by-path", dev) < sizeof(dir))
		find_link(dir, port->device, port->by_path, sizeof(port->by_path));
}

int scan_ports(const char *sysfs, const char *dev, scan_cb cb, void *user)
{
	char dir[PATH_MAX];
	struct dirent **names;
	struct scan_port port;
	int found = 0;

	sysfs = sysfs ? sysfs : "/sys";
	dev = dev ? dev : "/dev";
	snprintf(dir, sizeof(dir), "%s/class/tty", sysfs);
	int n = scandir(dir, &names, NULL, versionsort);

	if (n < 0)
		return U2K_ENOTSUP;
	for (int i = 0; i < n; i++) {
		if (*names[i]->d_name != '.' && has_hardware(sysfs, names[i]->d_name)) {
			describe(&port, sysfs, dev, names[i]->d_name);
			cb(user, &port);
			found++;
		}
		free(names[i]);
	}
	free(names);
	return found;
}

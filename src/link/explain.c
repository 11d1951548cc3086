#include "link/explain.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "util/util.h"

/* udev gives a new node its group a moment after the kernel made it. */
#define UDEV_TIME_S 2

static __attribute__((format(printf, 3, 4))) void say(struct link_verdict *v, enum link_state state,
						      const char *format, ...)
{
	va_list args;

	v->state = state;
	va_start(args, format);
	vsnprintf(v->reason, sizeof(v->reason), format, args);
	va_end(args);
}

static void user_name(uid_t uid, char *out, size_t size)
{
	FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *pw = NULL;

	while (f && (pw = fgetpwent(f)) && pw->pw_uid != uid)
		;
	if (pw)
		snprintf(out, size, "%s", pw->pw_name);
	else
		snprintf(out, size, "%u", (unsigned)uid);
	if (f)
		fclose(f);
}

/* Also whether the user is listed as a member. */
static bool group_name(gid_t gid, const char *user, char *out, size_t size)
{
	FILE *f = fopen("/etc/group", "re");
	const struct group *gr = NULL;
	bool member = false;

	while (f && (gr = fgetgrent(f)) && gr->gr_gid != gid)
		;
	if (gr)
		snprintf(out, size, "%s", gr->gr_name);
	else
		snprintf(out, size, "%u", (unsigned)gid);
	for (char **m = gr ? gr->gr_mem : NULL; m && *m; m++)
		member = member || !strcmp(*m, user);
	if (f)
		fclose(f);
	return member;
}

static bool in_group(gid_t gid)
{
	gid_t groups[NGROUPS_MAX > 1024 ? 1024 : NGROUPS_MAX];
	int n = getgroups(ARRAY_SIZE(groups), groups);

	if (getegid() == gid)
		return true;
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

static void explain_permission(struct link_verdict *v, const char *path, const struct stat *st)
{
	char user[64], owner[64], group[64], help[200];

	user_name(geteuid(), user, sizeof(user));
	user_name(st->st_uid, owner, sizeof(owner));
	bool member = group_name(st->st_gid, user, group, sizeof(group));

	if ((st->st_mode & 0060) != 0060 || st->st_gid == 0)
		snprintf(help, sizeof(help),
			 "Give it to a group that may, usually by a udev rule (GROUP=\"dialout\", "
			 "MODE=\"0660\"), and put '%.32s' into that group",
			 user);
	else if (in_group(st->st_gid))
		snprintf(help, sizeof(help),
			 "The group is right, so something else forbids it: an ACL (getfacl), or a "
			 "security module");
	else if (member)
		snprintf(help, sizeof(help),
			 "The user is in that group but this program was started before: log in "
			 "again, or restart the service");
	else
		snprintf(
			help, sizeof(help),
			"Let the user join the group (as root: usermod -aG %.32s %.32s), then log in "
			"again or restart the service",
			group, user);
	say(v, LINK_REFUSED,
	    "%s: no permission for user '%.32s'; it belongs to user '%.32s' and group '%.32s' "
	    "(mode %04o). %s.",
	    path, user, owner, group, (unsigned)st->st_mode & 07777, help);
}

static void explain_absent(struct link_verdict *v, const char *path)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n > 0) {
		target[n] = '\0';
		say(v, LINK_ABSENT,
		    "%s points to %s, which does not exist. Is the cable plugged in and the UPS "
		    "on? Waiting for it.",
		    path, target);
		return;
	}
	say(v, LINK_ABSENT,
	    "%s does not exist. Is the cable plugged in and the UPS on? Waiting for it; 'ls "
	    "/dev/ttyUSB* /dev/ttyACM*' shows the USB ports there are.",
	    path);
}

void explain_open(struct link_verdict *v, const char *path, int err, const struct stat *st)
{
	switch (err) {
	case ENOENT:
		explain_absent(v, path);
		return;
	case ENOTDIR:
		say(v, LINK_REFUSED,
		    "%s: a part of this path before the last is not a directory. Correct the path.",
		    path);
		return;
	case ELOOP:
		say(v, LINK_REFUSED,
		    "%s: too many symbolic links, probably one that leads back to itself. Correct "
		    "the link or name the device itself.",
		    path);
		return;
	case ENXIO:
	case ENODEV:
	case EIO:
		say(v, LINK_ABSENT,
		    "%s exists, but there is no device behind it (%s). Waiting for it to be "
		    "plugged in.",
		    path, strerror(err));
		return;
	case EBUSY:
		explain_held(v, path, 0, NULL);
		return;
	case EACCES:
		if (!st)
			say(v, LINK_REFUSED,
			    "%s: no permission to enter one of the directories on the way. Allow "
			    "this user to (chmod o+x), or use another path.",
			    path);
		else if (time(NULL) - st->st_ctime < UDEV_TIME_S)
			say(v, LINK_ABSENT, "%s has just appeared; waiting for its permissions.",
			    path);
		else
			explain_permission(v, path, st);
		return;
	case EPERM:
		say(v, LINK_REFUSED,
		    "%s: not permitted although it is there. In a container pass the device in "
		    "(--device); in a systemd unit allow it (DeviceAllow=).",
		    path);
		return;
	default:
		say(v, LINK_REFUSED, "%s cannot be opened: %s. Trying again.", path, strerror(err));
		return;
	}
}

static const char *kind(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		return "a regular file";
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a pipe";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
		return "a disk device";
	default:
		return "a device of another kind";
	}
}

void explain_not_tty(struct link_verdict *v, const char *path, const struct stat *st)
{
	say(v, LINK_REFUSED,
	    "%s is %s, not a serial port. Name one such as /dev/ttyS0, /dev/ttyUSB0, or better a "
	    "name from /dev/serial/by-path/.",
	    path, kind(st));
}

/* Programs known to sit on serial ports, and how people get them off. */
static const struct squatter {
	const char *name, *help;
} squatters[] = {
	{ "huawei-ups2000", "That is NUT's own driver: stop it (upsdrvctl stop, or systemctl stop "
			    "'nut-driver@*') and take its section out of ups.conf" },
	{ "ups2000d", "Another ups2000d reads this UPS already: stop one of the two" },
	{ "ups2000", "Another program of ours reads this UPS already: stop one of the two" },
	{ "ModemManager", "It takes any port for a modem: install the udev rule of ups2000, or "
			  "stop it (systemctl stop ModemManager)" },
	{ "brltty", "It takes some USB serial chips for Braille displays: remove brltty, or its "
		    "udev rule" },
	{ "agetty", "A login prompt runs on this port: systemctl disable --now "
		    "serial-getty@PORT.service" },
};

static const char *how_to_free(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(squatters); i++)
		if (!strcmp(squatters[i].name, program))
			return squatters[i].help;
	return "Stop that program, or use another port";
}

static bool program_name(pid_t pid, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *f = pid > 0 ? fopen(path, "re") : NULL;

	if (!f)
		return false;
	bool ok = fgets(out, (int)size, f) != NULL;

	fclose(f);
	out[ok ? strcspn(out, "\n") : 0] = '\0';
	return ok;
}

void explain_held(struct link_verdict *v, const char *path, pid_t pid, const char *lock_file)
{
	char program[64];
	const char *by = lock_file ? " according to the lock file " : "";

	lock_file = lock_file ? lock_file : "";
	if (pid <= 0)
		say(v, LINK_REFUSED,
		    "%s is held by another program%s%s. Find it with 'fuser -v %s' (as root) and "
		    "stop it.",
		    path, by, lock_file, path);
	else if (!program_name(pid, program, sizeof(program)))
		say(v, LINK_REFUSED, "%s is held by another program (pid %d)%s%s. Stop it.", path,
		    (int)pid, by, lock_file);
	else
		say(v, LINK_REFUSED, "%s is held by another program: %s (pid %d)%s%s. %s.", path,
		    program, (int)pid, by, lock_file, how_to_free(program));
}

pid_t flock_holder(const struct stat *st)
{
	char line[256];
	pid_t found = 0;
	FILE *f = fopen("/proc/locks", "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		int pid;
		unsigned maj, min;
		uintmax_t ino;

		/* 1: FLOCK  ADVISORY  WRITE 1234 00:05:567 0 EOF, see proc_locks(5) */
		if (sscanf(line, "%*s FLOCK %*s WRITE %d %x:%x:%" SCNuMAX, &pid, &maj, &min,
			   &ino) == 4 &&
		    ino == st->st_ino && maj == major(st->st_dev) && min == minor(st->st_dev))
			found = pid;
	}
	if (f)
		fclose(f);
	return found > 0 ? found : 0;
}

void explain_lost(struct link_verdict *v, const char *path, int err)
{
	say(v, LINK_ABSENT,
	    "%s is gone (%s): the cable was pulled, or the adapter or the UPS lost power. Waiting "
	    "for it to come back.",
	    path, err ? strerror(err) : "it hung up");
}

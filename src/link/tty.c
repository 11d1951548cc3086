#include "link/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/major.h>
#include <linux/serial.h>
#include <linux/tty_flags.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "link/explain.h"
#include "util/util.h"

static const struct {
	unsigned baud;
	speed_t speed;
} speeds[] = {
	{ 1200, B1200 },   { 2400, B2400 },   { 4800, B4800 },	 { 9600, B9600 },
	{ 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 }, { 115200, B115200 },
};

static bool find_speed(unsigned baud, speed_t *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
		if (speeds[i].baud == baud) {
			*out = speeds[i].speed;
			return true;
		}
	}
	return false;
}

bool link_baud_ok(unsigned baud)
{
	speed_t speed;

	return find_speed(baud, &speed);
}

static bool is_pty(const struct stat *st)
{
	return major(st->st_rdev) >= UNIX98_PTY_SLAVE_MAJOR &&
	       major(st->st_rdev) < UNIX98_PTY_SLAVE_MAJOR + UNIX98_PTY_MAJOR_COUNT;
}

/* All that can be known without opening, since opening alone starts a watchdog or moves DTR. */
static bool may_open(const struct tty_params *p, struct uucp_lock *lock, struct adapter *adapter,
		     struct stat *st, struct link_verdict *v)
{
	char real[PATH_MAX];

	if (stat(p->path, st)) {
		explain_open(v, p->path, errno, NULL);
		return false;
	}
	if (!S_ISCHR(st->st_mode) || adapter_look(adapter, p->sysfs, st->st_rdev)) {
		explain_not_tty(v, p->path, st);
		return false;
	}
	if (adapter_wrong_driver(adapter)) {
		v->state = LINK_REFUSED;
		adapter_explain(adapter, p->path, v->reason, sizeof(v->reason));
		return false;
	}
	if (!realpath(p->path, real)) {
		explain_open(v, p->path, errno, NULL);
		return false;
	}
	uucp_init(lock, p->lock_dir, real);
	pid_t holder = uucp_holder(lock);

	if (holder)
		explain_held(v, p->path, holder, lock->path);
	return !holder;
}

/*
 * The kernel refuses a second open() after TIOCEXCL, but not to root: so ask too. The flag of a
 * pseudo-terminal outlives the program that set it, and there is no cable to share: left out.
 */
static bool claim(int fd, const struct tty_params *p, struct uucp_lock *lock, const struct stat *st,
		  struct link_verdict *v)
{
	int excl = 0;

	if (!is_pty(st) && !ioctl(fd, TIOCGEXCL, &excl) && excl) {
		explain_held(v, p->path, flock_holder(st), NULL);
		return false;
	}
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		explain_held(v, p->path, flock_holder(st), NULL);
		return false;
	}
	pid_t holder = uucp_take(lock);

	if (holder) {
		explain_held(v, p->path, holder, lock->path);
		return false;
	}
	if (!is_pty(st))
		ioctl(fd, TIOCEXCL);
	return true;
}

/* VMIN 1: with O_NONBLOCK, no data is EAGAIN and a read of 0 is a hang-up. */
static int set_raw(int fd, unsigned baud)
{
	struct termios tio;
	speed_t speed;

	if (!find_speed(baud, &speed) || tcgetattr(fd, &tio))
		return -1;
	cfmakeraw(&tio);
	tio.c_iflag |= IGNBRK;
	tio.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
	tio.c_cflag |= CLOCAL | CREAD;
	tio.c_cc[VMIN] = 1;
	tio.c_cc[VTIME] = 0;
	cfsetispeed(&tio, speed);
	cfsetospeed(&tio, speed);
	return tcsetattr(fd, TCSANOW, &tio);
}

/* Where a driver can, hand bytes over at once (FTDI: 1 ms instead of 16). */
static void set_low_latency(int fd)
{
	struct serial_struct ss;

	if (ioctl(fd, TIOCGSERIAL, &ss) || (ss.flags & ASYNC_LOW_LATENCY))
		return;
	ss.flags |= ASYNC_LOW_LATENCY;
	ioctl(fd, TIOCSSERIAL, &ss);
}

int tty_open(const struct tty_params *p, struct uucp_lock *lock, struct adapter *adapter,
	     struct link_verdict *v)
{
	struct stat st;

	memset(adapter, 0, sizeof(*adapter));
	lock->held = 0;
	if (!may_open(p, lock, adapter, &st, v))
		return -1;
	int fd = open(p->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		explain_open(v, p->path, errno, &st);
		return -1;
	}
	if (fstat(fd, &st)) {
		explain_open(v, p->path, errno, NULL);
		goto fail_open;
	}
	if (!isatty(fd)) {
		if (errno == ENOTTY || errno == EINVAL)
			explain_not_tty(v, p->path, &st);
		else
			explain_open(v, p->path, errno, &st);
		goto fail_open;
	}
	if (!claim(fd, p, lock, &st, v))
		goto fail_open;
	if (set_raw(fd, p->baud)) {
		explain_open(v, p->path, errno, &st);
		goto fail_claim;
	}
	set_low_latency(fd);
	tcflush(fd, TCIOFLUSH);
	return fd;

fail_claim:
	tty_close(fd, lock);
	return -1;
fail_open:
	close(fd);
	return -1;
}

void tty_close(int fd, struct uucp_lock *lock)
{
	tcflush(fd, TCIOFLUSH); /* or close() waits for a device that takes nothing */
	ioctl(fd, TIOCNXCL);
	uucp_drop(lock);
	close(fd);
}

bool tty_same_node(int fd, const char *path)
{
	struct stat now, then;

	return !stat(path, &now) && !fstat(fd, &then) && then.st_nlink > 0 &&
	       now.st_dev == then.st_dev && now.st_ino == then.st_ino &&
	       now.st_rdev == then.st_rdev;
}

#include "sim/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "ups2000/error.h"

void pty_init(struct pty *pty, const char *link)
{
	*pty = (struct pty){
		.master = -1, .slave = -1, .watch = -1, .last_index = -1, .link = link
	};
}

static int index_of(int master)
{
	int n;

	return ioctl(master, TIOCGPTN, &n) == 0 ? n : -1;
}

static int open_master(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (grantpt(fd) == 0 && unlockpt(fd) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A replugged adapter gets another number: hold the old one while asking again. */
static int open_other_master(int unwanted)
{
	int fd = open_master(), other;

	if (fd < 0 || unwanted < 0 || index_of(fd) != unwanted)
		return fd;
	other = open_master();
	close(fd);
	return other;
}

static void make_raw(int fd)
{
	struct termios tio;

	if (tcgetattr(fd, &tio) != 0)
		return;
	cfmakeraw(&tio);
	cfsetspeed(&tio, B9600);
	tio.c_cflag |= CLOCAL | CREAD;
	tcsetattr(fd, TCSANOW, &tio);
}

/* Replaced in one step, so that nobody finds it missing or broken in between. */
static int make_link(const struct pty *pty, char *err, size_t err_size)
{
	char temporary[4096];
	struct stat st;

	if (!pty->link)
		return 0;
	if (lstat(pty->link, &st) == 0 && !S_ISLNK(st.st_mode)) {
		snprintf(err, err_size, "--link %s: is there and is not a symbolic link",
			 pty->link);
		return U2K_EINVAL;
	}
	snprintf(temporary, sizeof(temporary), "%s.%ld", pty->link, (long)getpid());
	if (symlink(pty->path, temporary) == 0 && rename(temporary, pty->link) == 0)
		return 0;
	snprintf(err, err_size, "--link %s: %s", pty->link, strerror(errno));
	unlink(temporary);
	return U2K_EINVAL;
}

/* Only if it still leads here: another simulator may have taken the name over. */
static void remove_link(const struct pty *pty)
{
	char target[sizeof(pty->path)];
	ssize_t len;

	if (!pty->link)
		return;
	len = readlink(pty->link, target, sizeof(target));
	if (len == (ssize_t)strlen(pty->path) && memcmp(target, pty->path, (size_t)len) == 0)
		unlink(pty->link);
}

static void watch_clients(struct pty *pty)
{
	pty->clients = 0;
	pty->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (pty->watch < 0)
		return;
	if (inotify_add_watch(pty->watch, pty->path, IN_OPEN | IN_CLOSE) < 0) {
		close(pty->watch);
		pty->watch = -1;
	}
}

int pty_plug(struct pty *pty, char *err, size_t err_size)
{
	pty->master = open_other_master(pty->last_index);
	if (pty->master < 0 || ptsname_r(pty->master, pty->path, sizeof(pty->path)) != 0) {
		snprintf(err, err_size, "no pseudo-terminal to be had: %s", strerror(errno));
		goto no_master;
	}
	/* Held open: else each client that closes would hang the port up for good. */
	pty->slave = open(pty->path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (pty->slave < 0) {
		snprintf(err, err_size, "%s: %s", pty->path, strerror(errno));
		goto no_slave;
	}
	make_raw(pty->slave);
	watch_clients(pty);
	if (make_link(pty, err, err_size) == 0)
		return 0;
	if (pty->watch >= 0)
		close(pty->watch);
	pty->watch = -1;
	close(pty->slave);
no_slave:
	pty->slave = -1;
no_master:
	if (pty->master >= 0)
		close(pty->master);
	pty->master = -1;
	return U2K_EINVAL;
}

void pty_unplug(struct pty *pty)
{
	if (pty->master < 0)
		return;
	remove_link(pty);
	pty->last_index = index_of(pty->master);
	if (pty->watch >= 0)
		close(pty->watch);
	close(pty->slave);
	close(pty->master);
	pty->watch = pty->slave = pty->master = -1;
}

bool pty_plugged(const struct pty *pty)
{
	return pty->master >= 0;
}

/*
 * The last client left. What it did not read is not the next one's, and if it died with the port
 * locked (TIOCEXCL) it must not stay so: our own descriptor keeps the terminal from forgetting.
 */
static void forget_client(struct pty *pty)
{
	tcflush(pty->master, TCOFLUSH);
	tcflush(pty->slave, TCIFLUSH);
	ioctl(pty->slave, TIOCNXCL);
}

/* Two equal events in a row can come as one, so the count may be off: see pty_read(). */
static void count_client(struct pty *pty, uint32_t mask)
{
	if (mask & IN_OPEN)
		pty->clients++;
	if (!(mask & IN_CLOSE) || pty->clients == 0)
		return;
	if (--pty->clients == 0)
		forget_client(pty);
}

void pty_look(struct pty *pty)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t len;

	while (pty->watch >= 0 && (len = read(pty->watch, buf, sizeof(buf))) > 0) {
		for (char *p = buf; p < buf + len;) {
			struct inotify_event *e = (struct inotify_event *)(void *)p;

			count_client(pty, e->mask);
			p += sizeof(*e) + e->len;
		}
	}
}

size_t pty_read(struct pty *pty, uint8_t *buf, size_t max)
{
	ssize_t n;

	pty_look(pty);
	n = pty->master >= 0 ? read(pty->master, buf, max) : 0;
	if (n <= 0)
		return 0;
	if (pty->clients == 0)
		pty->clients = 1; /* who asks is there */
	return (size_t)n;
}

void pty_write(struct pty *pty, const uint8_t *buf, size_t len)
{
	pty_look(pty);
	if (pty->watch >= 0 && pty->clients == 0)
		return;
	if (pty->master >= 0 && write(pty->master, buf, len) < 0)
		return; /* full: nobody reads, and a serial line does not wait */
}

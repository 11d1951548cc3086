/*
 * Read a UPS2000 at a serial port and print a line whenever its status changes.
 *
 *	cc -o read-ups read-ups.c $(pkg-config --cflags --libs ups2000)
 *	./read-ups /dev/ttyUSB0
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <ups2000/client.h>

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * U2K_SEC + t.tv_nsec / 1000;
}

static void show(const struct u2k_snapshot *ups)
{
	const struct u2k_value *charge = &ups->qty[U2K_QTY_BATTERY_CHARGE];

	if (ups->comm != U2K_COMM_OK)
		printf("no data: %s", u2k_comm_text(ups->comm));
	else
		printf("%s%s",
		       ups->flags & U2K_OB   ? "on battery"
		       : ups->flags & U2K_OL ? "on mains"
					     : "off",
		       ups->flags & U2K_LB ? ", battery low" : "");
	if (ups->comm == U2K_COMM_OK && charge->validity == U2K_VALID)
		printf(", battery at %.0f %%", charge->value);
	puts("");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct u2k_client_config config = { .framing = U2K_RTU, .status_interval_ms = 100 };
	struct pollfd port = { .events = POLLIN };
	struct u2k_client *client;
	struct termios tio;
	uint8_t buf[U2K_FRAME_MAX];

	port.fd = open(argc > 1 ? argv[1] : "/dev/ttyUSB0", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (port.fd < 0 || tcgetattr(port.fd, &tio) < 0)
		return perror(argc > 1 ? argv[1] : "/dev/ttyUSB0"), 1;
	cfmakeraw(&tio);
	tio.c_cflag |= CLOCAL | CREAD;
	cfsetspeed(&tio, B9600);
	if (tcsetattr(port.fd, TCSAFLUSH, &tio) < 0 ||
	    u2k_client_new(&config, now_us(), &client) < 0)
		return perror("the port cannot be used"), 1;

	u2k_client_link(client, true, now_us());
	for (;;) {
		int64_t wait_us;
		ssize_t n;

		while ((n = (ssize_t)u2k_client_take(client, buf, sizeof(buf), now_us())) > 0)
			if (write(port.fd, buf, (size_t)n) != n)
				return perror("write"), 1;
		if (u2k_client_changes(client) & (U2K_CHANGED_FLAGS | U2K_CHANGED_COMM))
			show(u2k_client_snapshot(client));
		wait_us = u2k_client_deadline(client, now_us()) - now_us();
		if (poll(&port, 1,
			 wait_us < 0	     ? 0
			 : wait_us > U2K_SEC ? 1000
					     : (int)(wait_us / 1000) + 1) <= 0)
			continue;
		n = read(port.fd, buf, sizeof(buf));
		if (n <= 0)
			return fputs("the port is gone\n", stderr), 1;
		u2k_client_feed(client, buf, (size_t)n, now_us());
	}
}

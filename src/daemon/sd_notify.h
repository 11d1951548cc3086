#pragma once

#include <stdint.h>

/*
 * The service manager's notification protocol (sd_notify(3)): one datagram of VARIABLE=VALUE lines
 * to the socket named by $NOTIFY_SOCKET. Without one, nothing happens.
 */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** How often WATCHDOG=1 is due, in microseconds: half of $WATCHDOG_USEC; 0 = never. */
int64_t notify_watchdog_us(void);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Telling systemd how it goes (sd_notify(3)): ready, reloading, stopping, alive. A datagram to the
 * socket that the environment names; without one nothing at all. Nothing else of systemd is needed,
 * so its library is not.
 */
#ifndef AGENT_NOTIFY_H
#define AGENT_NOTIFY_H

#include <stdint.h>

/* Reads NOTIFY_SOCKET and WATCHDOG_USEC, once, and takes them out of the environment. */
void notify_open(void);
/* "READY=1\nSTATUS=..." */
void notify_send(const char *text);
/* Half of the time after which systemd gives us up, in milliseconds; 0: it does not watch. */
uint32_t notify_watchdog_ms(void);

#endif

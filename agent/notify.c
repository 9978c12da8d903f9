/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One socket, named by systemd.
 */
#include "notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* The process has one supervisor. */
static struct {
	int fd;
	struct sockaddr_un address;
	socklen_t address_len;
	uint32_t watchdog_ms;
} notify = {.fd = -1};

/* A path, or after '@' a name in the abstract namespace. */
static bool read_address(const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 || len >= sizeof(notify.address.sun_path))
		return false;
	notify.address.sun_family = AF_UNIX;
	memcpy(notify.address.sun_path, path, len);
	if (path[0] == '@')
		notify.address.sun_path[0] = '\0';
	notify.address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static uint32_t read_watchdog(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	unsigned long long usec = text ? strtoull(text, NULL, 10) : 0;

	if (pid && strtoull(pid, NULL, 10) != (unsigned long long)getpid())
		return 0;
	return usec >= 2000 && usec / 2000 <= UINT32_MAX ? (uint32_t)(usec / 2000) : 0;
}

void notify_open(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path && !read_address(path))
		log_warning("NOTIFY_SOCKET is no address; systemd is told nothing");
	else if (path)
		notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	notify.watchdog_ms = read_watchdog();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/* Who does not listen need not know; a full queue must not hold the service up. */
void notify_send(const char *text)
{
	if (notify.fd < 0)
		return;
	if (sendto(notify.fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
	           (const struct sockaddr *)&notify.address, notify.address_len) < 0)
		log_info("systemd cannot be told: %s", strerror(errno));
}

uint32_t notify_watchdog_ms(void)
{
	return notify.fd < 0 ? 0 : notify.watchdog_ms;
}

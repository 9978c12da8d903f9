/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as the configuration spells them, turned into socket addresses: for checking them while
 * it is read, and for whoever listens on them. Numeric only: a name would have to be looked up, and
 * its meaning could change unnoticed.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static bool resolve_unix(const char *text, struct sockaddr_storage *address, socklen_t *address_len)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	size_t text_len = strlen(text);

	if (text_len >= sizeof(local.sun_path))
		return false;
	memcpy(local.sun_path, text, text_len);
	memcpy(address, &local, sizeof(local));
	*address_len = sizeof(local);
	return true;
}

/* 1..65535 without sign, space or leading zero; 0 otherwise. */
static uint16_t read_port(const char *text)
{
	unsigned long port;

	if (strlen(text) > 5 || strspn(text, "0123456789") != strlen(text) || text[0] == '0')
		return 0;
	port = strtoul(text, NULL, 10);
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* Cuts "127.0.0.1:80" or "[::1]:80" in place. NULL: there is no port. */
static char *split_port(char *text, char **host)
{
	char *colon = strrchr(text, ':');

	*host = text;
	if (!colon)
		return NULL;
	*colon = '\0';
	if (text[0] != '[')
		return colon + 1;
	if (colon < text + 2 || colon[-1] != ']')
		return NULL;
	colon[-1] = '\0';
	*host = text + 1;
	return colon + 1;
}

static bool resolve_v6(const char *host, in_port_t port, struct sockaddr_storage *address,
                       socklen_t *address_len)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};

	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return false;
	memcpy(address, &v6, sizeof(v6));
	*address_len = sizeof(v6);
	return true;
}

static bool resolve_v4(const char *host, in_port_t port, struct sockaddr_storage *address,
                       socklen_t *address_len)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};

	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
		return false;
	memcpy(address, &v4, sizeof(v4));
	*address_len = sizeof(v4);
	return true;
}

bool config_resolve(const char *text, struct sockaddr_storage *address, socklen_t *address_len)
{
	char copy[INET6_ADDRSTRLEN + sizeof("[]:65535")];
	char *host, *port_text;
	uint16_t port;

	memset(address, 0, sizeof(*address));
	if (text[0] == '/')
		return resolve_unix(text, address, address_len);
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	port_text = split_port(copy, &host);
	port = port_text ? read_port(port_text) : 0;
	if (port == 0)
		return false;
	if (text[0] == '[')
		return resolve_v6(host, htons(port), address, address_len);
	return resolve_v4(host, htons(port), address, address_len);
}

bool config_address_is_local(const struct sockaddr_storage *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, address, sizeof(v4));
	memcpy(&v6, address, sizeof(v6));
	if (address->ss_family == AF_INET)
		return ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
	return address->ss_family == AF_UNIX;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: any octets as what the kernel tells. The first octet chooses: a whole netlink
 * message, attributes behind headers that are right (the second octet is the command), a uevent, or
 * a record of the kernel's log. Besides what the sanitizers see, it checks that an event carries
 * what its text needs and that texts are one printable line.
 */
/* FUZZ_SOURCES: agent/event.c */
/* FUZZ_LIBS: -lnl-genl-3 -lnl-3 */
#include "event.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

#define REQUIRE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

enum { WHOLE_MESSAGE, ATTRIBUTES, UEVENT, LOG, CHOICES };

static void check_event(const struct event *event)
{
	char text[EVENT_TEXT_LEN];
	struct event_field field;

	REQUIRE(event->type <= EVENT_MALFORMED);
	REQUIRE(event_operation(event->type));
	if (event->type == EVENT_SLOT_CREATED)
		REQUIRE(event_field(event, CRATON_HSM_ATTR_SLOT, &field) &&
		        event_field(event, CRATON_HSM_ATTR_PID, &field));
	if (event->type == EVENT_VM_GENERATION && event->source == EVENT_FROM_MODULE)
		REQUIRE(event_field(event, CRATON_HSM_ATTR_GENERATION, &field));
	event_text(event, text);
	REQUIRE(strlen(text) < EVENT_TEXT_LEN - 1);
	for (const char *at = text; *at; at++)
		REQUIRE(*at >= ' ' && *at <= '~');
}

static void decode(const uint8_t *octets, size_t len)
{
	struct event_family family;
	struct event event;

	event_decode(octets, len, &event);
	check_event(&event);
	if (event_decode_family(octets, len, &family))
		REQUIRE(family.gone != !!family.group);
}

/* The same attributes behind headers that promise exactly them. */
static void decode_attributes(const uint8_t *data, size_t data_len)
{
	const struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + GENL_HDRLEN + data_len - 1),
		.nlmsg_type = GENL_ID_CTRL,
	};
	const struct genlmsghdr generic = {.cmd = data[0], .version = 1};
	uint8_t *message = malloc(header.nlmsg_len);

	REQUIRE(message);
	memcpy(message, &header, sizeof(header));
	memcpy(message + NLMSG_HDRLEN, &generic, sizeof(generic));
	memcpy(message + NLMSG_HDRLEN + GENL_HDRLEN, data + 1, data_len - 1);
	decode(message, header.nlmsg_len);
	free(message);
}

static void decode_uevent(const uint8_t *data, size_t data_len)
{
	struct event event;

	if (event_decode_uevent(data, data_len, &event))
		check_event(&event);
}

static void decode_log(const uint8_t *data, size_t data_len)
{
	struct event event;

	if (event_decode_log(data, data_len, &event))
		check_event(&event);
}

/* In memory of its own, aligned as a receive buffer is and ending where the octets end. */
static void decode_message(const uint8_t *data, size_t data_len)
{
	uint8_t *message = malloc(data_len ? data_len : 1);

	REQUIRE(message);
	memcpy(message, data, data_len);
	decode(message, data_len);
	free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
	if (!data_len)
		return 0;
	switch (data[0] % CHOICES) {
	case ATTRIBUTES:
		if (data_len > 1)
			decode_attributes(data + 1, data_len - 1);
		break;
	case UEVENT:
		decode_uevent(data + 1, data_len - 1);
		break;
	case LOG:
		decode_log(data + 1, data_len - 1);
		break;
	default:
		decode_message(data + 1, data_len - 1);
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The module's events, as libnl-genl receives them: taken in one by one, with all of their
 * attributes.
 */
#ifndef TESTS_VM_EVENTS_H
#define TESTS_VM_EVENTS_H

#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <poll.h>

#include <craton_hsm.h>

#include "harness.h"

#define EVENTS_MAX   64
#define ATTRIBUTES   (CRATON_HSM_ATTR_COUNT + 1)
#define EVENT_HAS(a) (1u << CRATON_HSM_ATTR_##a)

struct event {
	unsigned int command, version;
	uint32_t has; /* bits by attribute; EVENT_HAS */
	uint64_t value[ATTRIBUTES];
	size_t len;
};

struct listener {
	struct nl_sock *socket;
	struct event events[EVENTS_MAX];
	size_t first, count;
};

static inline int event_take(struct nl_msg *message, void *argument)
{
	struct listener *listener = argument;
	struct genlmsghdr *head = nlmsg_data(nlmsg_hdr(message));
	struct event *event = &listener->events[listener->count];
	struct nlattr *attribute;
	int left;

	ASSERT_LT(listener->count, EVENTS_MAX);
	memset(event, 0, sizeof(*event));
	event->command = head->cmd;
	event->version = head->version;
	event->len = nlmsg_hdr(message)->nlmsg_len;
	nla_for_each_attr(attribute, genlmsg_attrdata(head, 0), genlmsg_attrlen(head, 0), left)
	{
		int type = nla_type(attribute);

		ASSERT_LT(type, ATTRIBUTES);
		if (type == CRATON_HSM_ATTR_PAD)
			continue;
		EXPECT_FALSE(event->has & 1u << type); /* none comes twice */
		event->has |= 1u << type;
		if (type == CRATON_HSM_ATTR_TIME || type == CRATON_HSM_ATTR_GENERATION) {
			ASSERT_EQ(nla_len(attribute), 8);
			event->value[type] = nla_get_u64(attribute);
		} else {
			ASSERT_EQ(nla_len(attribute), 4);
			event->value[type] = nla_get_u32(attribute);
		}
	}
	listener->count++;
	return NL_OK;
}

/* False when there is no such family or group for this process. */
static inline bool listener_open(struct listener *listener)
{
	int group;

	memset(listener, 0, sizeof(*listener));
	listener->socket = nl_socket_alloc();
	ASSERT_NOT_NULL(listener->socket);
	ASSERT_EQ(genl_connect(listener->socket), 0);
	group = genl_ctrl_resolve_grp(listener->socket, CRATON_HSM_GENL_NAME,
	                              CRATON_HSM_GENL_GROUP);
	if (group < 0 || nl_socket_add_membership(listener->socket, group)) {
		nl_socket_free(listener->socket);
		return false;
	}
	nl_socket_disable_seq_check(listener->socket);
	nl_socket_set_nonblocking(listener->socket);
	nl_socket_modify_cb(listener->socket, NL_CB_VALID, NL_CB_CUSTOM, event_take, listener);
	return true;
}

static inline void listener_close(struct listener *listener)
{
	nl_socket_free(listener->socket);
}

/* The next event, waiting at most so long; NULL when none comes. */
static inline struct event *event_next(struct listener *listener, int milliseconds)
{
	struct pollfd ready = {.fd = nl_socket_get_fd(listener->socket), .events = POLLIN};

	if (listener->first == listener->count) {
		listener->first = listener->count = 0;
		if (poll(&ready, 1, milliseconds) != 1 || nl_recvmsgs_default(listener->socket))
			return NULL;
	}
	return listener->first < listener->count ? &listener->events[listener->first++] : NULL;
}

/* The next event is this one; ends the test when it is not. `has` is without TIME, which all have.
 */
static inline struct event *event_expect(struct listener *listener, unsigned int command,
                                         uint32_t has)
{
	struct event *event = event_next(listener, 5000);

	ASSERT_NOT_NULL(event);
	ASSERT_EQ(event->command, command);
	EXPECT_EQ(event->has, has | EVENT_HAS(TIME));
	EXPECT_EQ(event->version, CRATON_HSM_GENL_VERSION);
	return event;
}

/* Nothing more came of what was done until now: multicasts are queued before the call returns. */
static inline void event_expect_none(struct listener *listener)
{
	struct event *event = event_next(listener, 0);

	if (event)
		HARNESS_FAIL(false, "one more event, %u", event->command);
}

#endif

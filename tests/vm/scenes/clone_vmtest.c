/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's part of tests/vm/clone_test.sh, which copies this machine while it waits here: the
 * copy must notice what it is.
 */
#include <fcntl.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <craton_hsm.h>

#include "harness.h"

#define CLONE_SECONDS 60

static uint64_t generation(int device)
{
	struct craton_hsm_info info = {.size = sizeof(info)};

	ASSERT_EQ(ioctl(device, CRATON_HSM_INFO, &info), 0);
	EXPECT_TRUE(info.features & CRATON_HSM_FEATURE_VM_GENERATION);
	return info.vm_generation;
}

static struct nl_sock *listen_for_events(void)
{
	struct nl_sock *events = nl_socket_alloc();
	int group;

	ASSERT_NOT_NULL(events);
	ASSERT_EQ(genl_connect(events), 0);
	group = genl_ctrl_resolve_grp(events, CRATON_HSM_GENL_NAME, CRATON_HSM_GENL_GROUP);
	ASSERT_GE(group, 0);
	ASSERT_EQ(nl_socket_add_membership(events, group), 0);
	return events;
}

/* A slot must live through it: only who holds it can say what to do about the copy. */
static uint32_t make_slot(int device)
{
	struct craton_hsm_slot_create slot = {
		.size = sizeof(slot),
		.flags = CRATON_HSM_GENERATE | CRATON_HSM_SEALED,
		.purpose = CRATON_HSM_KEY_ENCRYPTION,
		.key_len = CRATON_HSM_KEK_LEN,
		.label = "before the copy",
	};

	ASSERT_EQ(ioctl(device, CRATON_HSM_SLOT_CREATE, &slot), 0);
	return slot.slot;
}

TEST_TIMEOUT(a_copy_of_the_machine_notices, CLONE_SECONDS + 30)
{
	int device = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	struct nl_sock *events = listen_for_events();
	struct pollfd event = {.fd = nl_socket_get_fd(events), .events = POLLIN};
	struct craton_hsm_slot_destroy slot = {.size = sizeof(slot)};
	uint64_t before;

	ASSERT_GE(device, 0);
	before = generation(device);
	slot.slot = make_slot(device);
	nl_socket_free(events);
	events = listen_for_events(); /* without that of the new slot */
	event.fd = nl_socket_get_fd(events);
	printf("# ready to be copied\n");
	fflush(stdout);
	ASSERT_EQ(poll(&event, 1, CLONE_SECONDS * 1000), 1);
	EXPECT_EQ(generation(device), before + 1);
	EXPECT_EQ(ioctl(device, CRATON_HSM_SLOT_DESTROY, &slot), 0);
	nl_socket_free(events);
	close(device);
}

HARNESS_MAIN

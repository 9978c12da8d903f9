/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page that clients see: its number grows, nobody else changes it, and clients are told to
 * spin or to sleep by how many of them there are.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "epoch.h"
#include "harness.h"

TEST(grows_for_all_to_see)
{
	struct epoch epoch = {0};
	struct wire_epoch *seen;
	uint64_t before;

	epoch_open(&epoch);
	ASSERT_NOT_NULL(epoch.page);
	seen = mmap(NULL, WIRE_EPOCH_LEN, PROT_READ, MAP_SHARED, epoch.fd, 0);
	ASSERT_TRUE(seen != MAP_FAILED);
	before = atomic_load(&seen->value);
	epoch_raise(&epoch);
	EXPECT_GT(atomic_load(&seen->value), before);
	munmap(seen, WIRE_EPOCH_LEN);
	epoch_close(&epoch);
}

TEST(nobody_else_writes)
{
	struct epoch epoch = {0};
	const uint64_t number = 7;

	epoch_open(&epoch);
	EXPECT_EQ(write(epoch.fd, &number, sizeof(number)), -1);
	EXPECT_EQ(ftruncate(epoch.fd, 0), -1);
	EXPECT_EQ(fcntl(epoch.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	EXPECT_TRUE(mmap(NULL, WIRE_EPOCH_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, epoch.fd, 0) ==
	            MAP_FAILED);
	epoch_close(&epoch);
}

static enum wire_crowd with_clients(unsigned int clients, unsigned int processors,
                                    unsigned int loops)
{
	struct epoch epoch = {0};
	enum wire_crowd crowd;

	epoch_open(&epoch);
	epoch_size(&epoch, processors, loops);
	for (unsigned int i = 0; i < clients; i++)
		epoch_count(&epoch, 1);
	crowd = epoch_crowd(&epoch);
	EXPECT_EQ(atomic_load(&epoch.page->crowd), (uint32_t)crowd);
	epoch_close(&epoch);
	return crowd;
}

TEST(crowds)
{
	EXPECT_EQ(with_clients(1, 2, 2), WIRE_CROWD_NONE);
	EXPECT_EQ(with_clients(2, 2, 2), WIRE_CROWD_SOME);
	EXPECT_EQ(with_clients(5, 2, 2), WIRE_CROWD_SOME);
	EXPECT_EQ(with_clients(1, 1, 1), WIRE_CROWD_SOME);
	EXPECT_EQ(with_clients(4, 8, 8), WIRE_CROWD_NONE);
	EXPECT_EQ(with_clients(6, 8, 2), WIRE_CROWD_NONE);
	EXPECT_EQ(with_clients(7, 8, 2), WIRE_CROWD_SOME);
}

/* A client that waits for its turn is not gone. */
TEST(crowd_lasts_for_a_while)
{
	const uint64_t ms = 1000000;
	struct epoch epoch = {0};

	epoch_open(&epoch);
	epoch_size(&epoch, 2, 2);
	epoch_count(&epoch, 1);
	epoch_count(&epoch, 1);
	epoch_settle(&epoch, 1000 * ms);
	epoch_count(&epoch, -1);
	epoch_settle(&epoch, 1005 * ms);
	EXPECT_EQ(epoch_crowd(&epoch), WIRE_CROWD_SOME);
	epoch_count(&epoch, 1);
	epoch_settle(&epoch, 1008 * ms);
	epoch_count(&epoch, -1);
	epoch_settle(&epoch, 1017 * ms);
	EXPECT_EQ(epoch_crowd(&epoch), WIRE_CROWD_SOME);
	epoch_settle(&epoch, 1019 * ms);
	EXPECT_EQ(epoch_crowd(&epoch), WIRE_CROWD_NONE);
	EXPECT_EQ(atomic_load(&epoch.page->crowd), (uint32_t)WIRE_CROWD_NONE);
	epoch_close(&epoch);
}

TEST(without_a_page)
{
	struct epoch epoch = {.fd = -1};

	epoch_raise(&epoch);
	epoch_count(&epoch, 1);
	epoch_close(&epoch);
}

HARNESS_MAIN

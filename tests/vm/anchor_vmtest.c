/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors: the register is what OpenSSL's SHA-256 makes of the same values, belongs to who extended
 * it first, can be read by all, and nobody has more than sixteen. They last until the module goes,
 * so every test uses names of its own.
 */
#include <openssl/sha.h>

#include "device.h"

#define REGISTERS 16

static struct craton_hsm_anchor anchor_of(const char *log)
{
	struct craton_hsm_anchor request = {.size = sizeof(request)};

	memcpy(request.log_id, log, strlen(log));
	return request;
}

static int extend(int device, struct craton_hsm_anchor *request)
{
	return call(device, CRATON_HSM_ANCHOR_EXTEND, request);
}

static int read_anchor(int device, const char *log, struct craton_hsm_anchor *request)
{
	*request = anchor_of(log);
	return call(device, CRATON_HSM_ANCHOR_READ, request);
}

TEST(is_a_chain_of_sha_256)
{
	uint8_t chain[2 * CRATON_HSM_ANCHOR_LEN] = {0};
	struct craton_hsm_anchor request, seen;
	int device = device_open();

	for (uint64_t round = 1; round <= 100; round++) {
		request = anchor_of("chain");
		memset(request.value, (int)round, sizeof(request.value));
		memcpy(chain + CRATON_HSM_ANCHOR_LEN, request.value, sizeof(request.value));
		SHA256(chain, sizeof(chain), chain);
		ASSERT_EQ(extend(device, &request), 0);
		ASSERT_EQ(request.counter, round);
		ASSERT_MEMEQ(request.anchor, chain, CRATON_HSM_ANCHOR_LEN);
		ASSERT_EQ(read_anchor(device, "chain", &seen), 0);
		ASSERT_EQ(seen.counter, round);
		ASSERT_MEMEQ(seen.anchor, chain, CRATON_HSM_ANCHOR_LEN);
	}
}

TEST(what_was_not_extended_is_not_there)
{
	struct craton_hsm_anchor seen;

	EXPECT_EQ(read_anchor(device_open(), "not extended", &seen), ENOENT);
}

TEST(registers_are_apart)
{
	struct craton_hsm_anchor one = anchor_of("apart 1"), other = anchor_of("apart 2"), seen;
	int device = device_open();

	ASSERT_EQ(extend(device, &one), 0);
	ASSERT_EQ(extend(device, &other), 0);
	EXPECT_EQ(other.counter, 1);
	EXPECT_MEMEQ(one.anchor, other.anchor, sizeof(one.anchor));
	ASSERT_EQ(extend(device, &other), 0);
	ASSERT_EQ(read_anchor(device, "apart 1", &seen), 0);
	EXPECT_EQ(seen.counter, 1);
	EXPECT_MEMEQ(seen.anchor, one.anchor, sizeof(seen.anchor));
}

/* The id is sixteen octets, any of them, zeros too. */
TEST(ids_are_octets)
{
	struct craton_hsm_anchor one = anchor_of("octets"), seen;
	int device = device_open();

	one.log_id[15] = 0xff;
	ASSERT_EQ(extend(device, &one), 0);
	EXPECT_EQ(read_anchor(device, "octets", &seen), ENOENT);
}

TEST(lasts_when_everybody_is_gone)
{
	struct craton_hsm_anchor request = anchor_of("lasts"), seen;
	int device = device_open();

	ASSERT_EQ(extend(device, &request), 0);
	close(device);
	ASSERT_EQ(read_anchor(device_open(), "lasts", &seen), 0);
	EXPECT_MEMEQ(seen.anchor, request.anchor, sizeof(seen.anchor));
}

static void of_another(void *unused)
{
	struct craton_hsm_anchor request = anchor_of("of root"), seen;

	(void)unused;
	become(SOMEBODY);
	int device = device_open();

	EXPECT_EQ(extend(device, &request), EACCES);
	EXPECT_EQ(read_anchor(device, "of root", &seen), 0);
	EXPECT_EQ(seen.counter, 1);
}

TEST(belongs_to_who_came_first)
{
	struct craton_hsm_anchor request = anchor_of("of root");

	ASSERT_EQ(extend(device_open(), &request), 0);
	in_child(of_another, NULL);
	ASSERT_EQ(extend(device_open(), &request), 0);
	EXPECT_EQ(request.counter, 2);
}

static void uses_it_up(void *unused)
{
	struct craton_hsm_anchor request;
	char log[CRATON_HSM_LOG_ID_LEN];

	(void)unused;
	become(ANOTHER);
	int device = device_open();

	for (int i = 0; i < REGISTERS; i++) {
		snprintf(log, sizeof(log), "quota %d", i);
		request = anchor_of(log);
		ASSERT_EQ(extend(device, &request), 0);
	}
	request = anchor_of("quota more");
	EXPECT_EQ(extend(device, &request), EDQUOT);
	request = anchor_of("quota 0");
	EXPECT_EQ(extend(device, &request), 0);
	EXPECT_EQ(request.counter, 2);
}

static void has_his_own(void *unused)
{
	struct craton_hsm_anchor request = anchor_of("quota of another");

	(void)unused;
	become(SOMEBODY);
	EXPECT_EQ(extend(device_open(), &request), 0);
}

TEST(quota)
{
	in_child(uses_it_up, NULL);
	in_child(has_his_own, NULL);
}

/* None is lost when many extend: the counter is the sum. */
static void extends_often(void *unused)
{
	struct craton_hsm_anchor request;
	int device = device_open();

	(void)unused;
	for (int i = 0; i < 200; i++) {
		request = anchor_of("many");
		ASSERT_EQ(extend(device, &request), 0);
	}
}

TEST(many_at_once)
{
	struct craton_hsm_anchor seen;
	pid_t children[4];
	int status;

	fflush(NULL);
	for (size_t i = 0; i < COUNT(children); i++) {
		children[i] = fork();
		if (!children[i]) {
			extends_often(NULL);
			harness_end(harness_failed);
		}
	}
	for (size_t i = 0; i < COUNT(children); i++) {
		ASSERT_EQ(waitpid(children[i], &status, 0), children[i]);
		EXPECT_EQ(status, 0);
	}
	ASSERT_EQ(read_anchor(device_open(), "many", &seen), 0);
	EXPECT_EQ(seen.counter, 200 * COUNT(children));
}

HARNESS_MAIN

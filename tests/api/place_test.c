/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that go from loop to loop (agent/connection_place.c): after their clients with short
 * calls, to where there is less to do with long ones; and nothing is lost on the way.
 *
 * # SERIAL
 */
#include "api.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define CLIENTS 6u
#define CALLS   60000u /* of all clients together */

/* ---- what the agent says of it ---- */

static void start_agent(void)
{
	char settings[512];

	api_configure("", "", ""); /* makes the folder */
	snprintf(settings, sizeof(settings), "[metrics]\nlisten = \"%s\"",
	         api_path("metrics.sock"));
	api_start_with("", "", settings);
}

/* Until a connection has gone to another loop for this reason. */
static void await_placement(const char *kind)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "until curl -s --unix-socket %s http://agent/metrics | "
	         "grep -q '^craton_hsm_placements_total{kind=\"%s\"} [1-9]'; do :; done",
	         api_path("metrics.sock"), kind);
	ASSERT_EQ(system(command), 0);
}

static bool has_two_processors(void)
{
	cpu_set_t set;

	return !sched_getaffinity(0, sizeof(set), &set) && CPU_ISSET(0, &set) && CPU_ISSET(1, &set);
}

/* ---- short calls ---- */

static atomic_bool enough;
static _Atomic uint64_t calls;

struct client {
	pthread_t thread;
	CK_SESSION_HANDLE session;
	const char *problem;
};

static void run_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* One call whose answer is known. */
static bool digests(CK_SESSION_HANDLE session)
{
	static const CK_BYTE known[4] = {0xba, 0x78, 0x16, 0xbf}; /* SHA-256 of "abc" */
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_BYTE hash[32];
	CK_ULONG len = sizeof(hash);

	return !p11->C_DigestInit(session, &mechanism) &&
	       !p11->C_Digest(session, (CK_BYTE *)(uintptr_t) "abc", 3, hash, &len) &&
	       len == sizeof(hash) && !memcmp(hash, known, sizeof(known));
}

static void *work(void *argument)
{
	struct client *client = argument;
	unsigned int round = 0;

	while (!atomic_load(&enough)) {
		if (round++ % 200 == 0)
			run_on((int)(round / 200 % 2));
		if (!digests(client->session)) {
			client->problem = "a call failed";
			break;
		}
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void start(struct client clients[CLIENTS])
{
	start_agent();
	OK(api_init_token(0, SO_PIN));
	for (unsigned int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.session = api_session(false)};
		ASSERT_EQ(pthread_create(&clients[i].thread, NULL, work, &clients[i]), 0);
	}
}

static void stop(struct client clients[CLIENTS])
{
	atomic_store(&enough, true);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		pthread_join(clients[i].thread, NULL);
		EXPECT_NULL(clients[i].problem);
	}
}

TEST_TIMEOUT(after_the_client, 120)
{
	struct client clients[CLIENTS];

	if (!has_two_processors())
		SKIP("needs processors 0 and 1");
	start(clients);
	await_placement("follow");
	while (calls < CALLS)
		api_pause();
	stop(clients);
	EXPECT_EQ(api_end_agent(SIGTERM), 0);
}

/* ---- long calls ---- */

#define SIGNERS 4u /* with idle ones in between, so that they begin with the same of two loops */

static void sign_until(int stop, CK_SESSION_HANDLE session)
{
	CK_MECHANISM generation = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_MECHANISM mechanism = {CKM_SHA256_RSA_PKCS, NULL, 0};
	CK_ULONG bits = 2048, len;
	CK_ATTRIBUTE public[] = {ATTRIBUTE(CKA_MODULUS_BITS, bits)};
	CK_ATTRIBUTE private[] = {ATTRIBUTE(CKA_SIGN, yes), ATTRIBUTE(CKA_PRIVATE, no)};
	struct pollfd stopped = {.fd = stop, .events = POLLIN};
	CK_BYTE data[32] = {1}, signature[256];
	CK_OBJECT_HANDLE keys[2];

	OK(p11->C_GenerateKeyPair(session, &generation, public, COUNT(public), private,
	                          COUNT(private), &keys[0], &keys[1]));
	while (!poll(&stopped, 1, 0)) {
		len = sizeof(signature);
		OK(p11->C_SignInit(session, &mechanism, keys[1]));
		OK(p11->C_Sign(session, data, sizeof(data), signature, &len));
		ASSERT_EQ(len, sizeof(signature));
	}
}

static void __attribute__((noreturn)) be_client(unsigned int number, int connected, int stop)
{
	CK_SESSION_HANDLE session;
	char octet;

	OK(api_initialize());
	session = api_session(false);
	ASSERT_EQ(write(connected, "", 1), 1);
	if (number % 2)
		ASSERT_EQ(read(stop, &octet, 1), 0);
	else
		sign_until(stop, session);
	OK(p11->C_Finalize(NULL));
	_exit(harness_failed);
}

TEST_TIMEOUT(to_the_loop_with_less_to_do, 120)
{
	int connected[2], stop[2], status;
	char octet;

	if (!has_two_processors())
		SKIP("needs two loops");
	start_agent();
	OK(api_init_token(0, SO_PIN));
	ASSERT_EQ(pipe(connected), 0);
	ASSERT_EQ(pipe(stop), 0);
	fflush(NULL);
	for (unsigned int i = 0; i < 2 * SIGNERS; i++) {
		pid_t child = fork();

		ASSERT_GE(child, 0);
		if (!child) {
			close(stop[1]);
			be_client(i, connected[1], stop[0]);
		}
		ASSERT_EQ(read(connected[0], &octet, 1), 1); /* they connect in this order */
	}
	await_placement("load");
	close(stop[1]);
	for (unsigned int i = 0; i < 2 * SIGNERS; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	EXPECT_EQ(api_end_agent(SIGTERM), 0);
}

HARNESS_MAIN

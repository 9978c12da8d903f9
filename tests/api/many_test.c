/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients, and clients with slow calls: each gets the right answers, nobody waits for what
 * another one keeps the agent busy with.
 *
 * # SERIAL
 */
#include <openssl/sha.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "protocol.h"

#include "exchange_ring.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CLIENTS 100u
#else
#define CLIENTS 1000u
#endif

/* ---- many at once ---- */

static void digest_number(CK_SESSION_HANDLE session, unsigned int number)
{
	CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
	CK_BYTE octets[SHA256_DIGEST_LENGTH], expected[SHA256_DIGEST_LENGTH];
	CK_ULONG len = sizeof(octets);

	SHA256((const CK_BYTE *)&number, sizeof(number), expected);
	OK(p11->C_DigestInit(session, &mechanism));
	OK(p11->C_Digest(session, (CK_BYTE *)&number, sizeof(number), octets, &len));
	ASSERT_EQ(len, sizeof(octets));
	ASSERT_MEMEQ(octets, expected, sizeof(octets));
}

/* Says when it is connected, and asks again when all are. */
static void be_client(unsigned int number, int connected, int all_connected)
{
	CK_SESSION_HANDLE session;
	char octet;

	OK(api_initialize());
	session = api_session(false);
	digest_number(session, number);
	ASSERT_EQ(write(connected, "", 1), 1);
	ASSERT_EQ(read(all_connected, &octet, 1), 0);
	for (unsigned int i = 0; i < 20; i++)
		digest_number(session, number * 20 + i);
	OK(p11->C_Finalize(NULL));
}

TEST_TIMEOUT(a_thousand_clients, 120)
{
	int connected[2], all_connected[2], status;
	char octet;

	api_start_with("max_sessions = 0\nmax_rw_sessions = 0", "", "");
	api_make_token();
	ASSERT_EQ(pipe(connected), 0);
	ASSERT_EQ(pipe(all_connected), 0);
	fflush(NULL);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		pid_t child = fork();

		ASSERT_GE(child, 0);
		if (child)
			continue;
		close(all_connected[1]);
		be_client(i, connected[1], all_connected[0]);
		_exit(harness_failed);
	}
	close(connected[1]);
	for (unsigned int i = 0; i < CLIENTS; i++)
		ASSERT_EQ(read(connected[0], &octet, 1), 1);
	close(all_connected[1]);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		ASSERT_GT(wait(&status), 0);
		EXPECT_EQ(status, 0);
	}
	OK(p11->C_Finalize(NULL));
	expect_agent_alive();
}

/* ---- slow calls ---- */

#define GENERATORS 4u /* twice as many as the agent has threads for them */
#define LOGINS     5u
#define SIGNATURES 200u

static atomic_uint generated;
static atomic_bool stop_generating;

static void *generate(void *unused)
{
	CK_SESSION_HANDLE session = api_session(true);
	CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
	CK_ULONG bits = 4096;
	CK_ATTRIBUTE public[] = {ATTRIBUTE(CKA_MODULUS_BITS, bits)};
	CK_ATTRIBUTE private[] = {ATTRIBUTE(CKA_SIGN, yes), ATTRIBUTE(CKA_PRIVATE, no)};
	CK_OBJECT_HANDLE keys[2];

	(void)unused;
	while (!atomic_load(&stop_generating)) {
		OK(p11->C_GenerateKeyPair(session, &mechanism, public, COUNT(public), private,
		                          COUNT(private), &keys[0], &keys[1]));
		atomic_fetch_add(&generated, 1);
	}
	return NULL;
}

static void await_waiting_jobs(void)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "until %s/craton-hsm-admin --socket %s --json status | "
	         "jq -e '.jobs_waiting == %u' >/dev/null; do :; done",
	         api_build(), getenv("CRATON_HSM_SOCKET"), GENERATORS - 2);
	ASSERT_EQ(system(command), 0);
}

static void sign_many(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_BYTE hash[32] = {1}, signature[64];

	for (unsigned int i = 0; i < SIGNATURES; i++) {
		CK_ULONG len = sizeof(signature);

		OK(p11->C_SignInit(session, &mechanism, key));
		OK(p11->C_Sign(session, hash, sizeof(hash), signature, &len));
	}
}

/* How many key pairs were finished while it ran. */
static unsigned int generated_during_login(CK_SESSION_HANDLE session)
{
	unsigned int before = atomic_load(&generated);

	OK(api_login(session, CKU_USER, USER_PIN));
	before = atomic_load(&generated) - before;
	OK(p11->C_Logout(session));
	return before;
}

/*
 * Two generations run, two more wait. A login that had to wait for its turn would see three of them
 * end first, at least, and every signature one; it is the least that counts, since the processors
 * are there for all of them.
 */
TEST_TIMEOUT(short_calls_beside_long_ones, 120)
{
	pthread_t generators[GENERATORS];
	CK_OBJECT_HANDLE public, private;
	unsigned int fewest = UINT32_MAX, fewest_signing = UINT32_MAX;
	CK_SESSION_HANDLE session;

	api_start();
	api_make_token();
	session = api_session(true);
	api_ec_pair(session, false, "short", &public, &private);
	for (unsigned int i = 0; i < GENERATORS; i++)
		ASSERT_EQ(pthread_create(&generators[i], NULL, generate, NULL), 0);
	await_waiting_jobs();
	for (unsigned int i = 0; i < LOGINS; i++) {
		unsigned int ended = generated_during_login(session), before;

		fewest = ended < fewest ? ended : fewest;
		before = atomic_load(&generated);
		sign_many(session, private);
		ended = atomic_load(&generated) - before;
		fewest_signing = ended < fewest_signing ? ended : fewest_signing;
	}
	EXPECT_LT(fewest, 3);
	EXPECT_LT(fewest_signing, SIGNATURES / 10);
	atomic_store(&stop_generating, true);
	for (unsigned int i = 0; i < GENERATORS; i++)
		pthread_join(generators[i], NULL);
	OK(p11->C_Finalize(NULL));
}

/* ---- rings ---- */

#define GREEDY 60u
#define MODEST 5u

struct client {
	int fd, fds[EXCHANGE_RING_FDS];
	struct exchange_ring ring;
	uint64_t session;
};

static uint64_t open_raw_session(int fd)
{
	struct wire_open_session_reply opened;
	struct wire_buffer frames = frames_new();
	struct reply reply;

	PUT_FRAME(&frames, 3, open_session, .slot_id = 0, .flags = CKF_SERIAL_SESSION);
	send_frames(fd, &frames);
	ASSERT_TRUE(receive(fd, &reply));
	ASSERT_EQ(reply.header.status, CKR_OK);
	ASSERT_TRUE(wire_decode_open_session_reply(
		(struct wire_bytes){reply.body, reply.header.body_len}, &opened));
	return opened.session;
}

static struct client open_client(void)
{
	struct client client = {.fd = raw_hello(NULL), .fds = {-1, -1}};
	uint8_t octets[WIRE_FRAME_HEADER_LEN + 4];

	send_header(client.fd,
	            (struct wire_frame_header){.request_id = 2, .opcode = WIRE_OPCODE_ring});
	ASSERT_TRUE(exchange_ring_receive(client.fd, octets, sizeof(octets), client.fds, WAIT_MS));
	ASSERT_TRUE(exchange_ring_map(&client.ring, client.fds, sizeof(struct wire_ring_area)));
	client.session = open_raw_session(client.fd);
	return client;
}

static void put_requests(struct client *client, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		struct wire_buffer frames = frames_new();

		PUT_FRAME(&frames, i, generate_random, .session = client->session, .random_len = 8);
		ASSERT_TRUE(wire_ring_put(&client->ring.requests,
		                          (struct wire_bytes){frames.data, frames.len},
		                          (struct wire_bytes){NULL, 0}));
		wire_buffer_free(&frames);
	}
	send_header(client->fd, (struct wire_frame_header){.opcode = WIRE_OPCODE_doorbell});
}

/* The agent stands until SIGCONT. */
static void stop_agent(void)
{
	int status;

	ASSERT_EQ(kill(api_agent, SIGSTOP), 0);
	ASSERT_EQ(waitpid(api_agent, &status, WUNTRACED), api_agent);
	ASSERT_TRUE(WIFSTOPPED(status));
}

/* How many of the greedy client's requests the log has before the modest client's last one. */
static unsigned int served_before(uint64_t greedy, uint64_t modest)
{
	unsigned int greedy_count = 0, before = 0, modest_count = 0;
	char line[2048];
	FILE *file;

	api_await_audit();
	file = fopen(api_path("audit.jsonl"), "r");
	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		const char *handle = strstr(line, "\"session_handle\":");
		uint64_t session = handle ? strtoull(handle + 17, NULL, 10) : 0;

		if (!strstr(line, "\"C_GenerateRandom\""))
			continue;
		greedy_count += session == greedy;
		modest_count += session == modest;
		if (session == modest)
			before = greedy_count;
	}
	fclose(file);
	EXPECT_EQ(greedy_count, GREEDY);
	EXPECT_EQ(modest_count, MODEST);
	return before;
}

/* One client has sixty requests in its ring when the agent looks, another five, in a ring of the
 * same loop: they are served in turn. The audit log tells the order. */
TEST(rings_are_served_in_turn)
{
	struct client greedy, modest;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0); /* the agent has one loop */
	api_start();
	api_make_token();
	greedy = open_client();
	modest = open_client();
	expect_silence(greedy.fd); /* longer than the agent polls */
	stop_agent();
	put_requests(&modest, MODEST);
	put_requests(&greedy, GREEDY); /* the last that wakes up is looked at first */
	ASSERT_EQ(kill(api_agent, SIGCONT), 0);
	while (wire_ring_ready(&modest.ring.replies) < MODEST * WIRE_FRAME_HEADER_LEN)
		sched_yield();
	/* The first one of each client may come before the other's bell is heard. */
	EXPECT_LE(served_before(greedy.session, modest.session), MODEST + 1);
	OK(p11->C_Finalize(NULL));
}

HARNESS_MAIN

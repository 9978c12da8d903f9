/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one operation costs inside the agent: requests go through dispatch as the loop would pass
 * them, with a real token and a real audit log, and every allocation outside the arena is counted,
 * and every system call.
 * With CRATON_COST_ROUNDS set it does only that, for tests/fault/instructions_test.sh, which counts
 * instructions under valgrind.
 */
#include <dlfcn.h>
#include <malloc.h>

#define SLOT 0
#include "token_fixture.h"

#include "application.h"
#include "audit.h"
#include "call.h"
#include "dispatch.h"
#include "host_template.h"
#include "loop.h"
#include "system_calls.h"
#include "wire/frame.h"

/* ---- counting ---- */

extern void *__libc_malloc(size_t len);
extern void *__libc_calloc(size_t count, size_t len);
extern void *__libc_realloc(void *old, size_t len);

static long allocations;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS 1
void *malloc(size_t len)
{
	allocations++;
	return __libc_malloc(len);
}

void *calloc(size_t count, size_t len)
{
	allocations++;
	return __libc_calloc(count, len);
}

void *realloc(void *old, size_t len)
{
	allocations++;
	return __libc_realloc(old, len);
}
#else
#define COUNTS 0
#endif

/* ---- an agent without sockets ---- */

static struct agent agent;
static struct agent_slot slot;
static struct application_list applications;
static struct application *application;
static struct loop loop;
static struct wire_buffer body;
static uint64_t session;
static uint8_t data[4096], output[8192];

static struct call *pass(uint16_t opcode)
{
	struct call *call = loop_call_new(&loop);

	ASSERT_FALSE(body.failed);
	call->application = application;
	call->header.opcode = opcode;
	call->body = (struct wire_bytes){body.data, body.len};
	dispatch_run(call);
	return call;
}

static CK_RV status_of(const struct call *call)
{
	struct wire_frame_header header;

	wire_frame_parse(&header, call->reply.data);
	return header.status;
}

/* Fails the test unless the request is answered by CKR_OK; `reply` borrows until the next. */
#define ASK(name, into, ...)                                                                       \
	do {                                                                                       \
		struct wire_##name##_request request_of_it = {__VA_ARGS__};                        \
		struct call *call_of_it;                                                           \
                                                                                                   \
		wire_buffer_reset(&body, WIRE_CONTROL_LIMIT);                                      \
		wire_encode_##name##_request(&body, &request_of_it);                               \
		call_of_it = pass(WIRE_OPCODE_##name);                                             \
		ASSERT_EQ(status_of(call_of_it), CKR_OK);                                          \
		ASSERT_TRUE(wire_decode_##name##_reply(                                            \
			(struct wire_bytes){call_of_it->reply.data + WIRE_FRAME_HEADER_LEN,        \
		                            call_of_it->reply.len - WIRE_FRAME_HEADER_LEN},        \
			&(into)));                                                                 \
		loop_call_free(&loop, call_of_it);                                                 \
	} while (0)

static void open_agent(void)
{
	struct wire_init_token_reply initialised;
	struct wire_open_session_reply opened;

	open_crypto_and_token();
	config->security.pbkdf2_iterations = 1000; /* the PIN is no secret, and valgrind is slow */
	free(config->audit.log_path);
	config->audit.log_path = strdup(base_path("audit.jsonl"));
	state_init(&agent.state);
	state_ready(&agent.state);
	agent.epoch.fd = -1;
	agent.config = config;
	agent.crypto = base_crypto;
	agent.slots = &slot;
	agent.slot_count = 1;
	slot.token = token;
	pthread_mutex_init(&applications.lock, NULL);
	agent.applications = &applications;
	atomic_store(&agent.next_session_handle, 1000);
	ASSERT_EQ(
		audit_open(&agent.audit, config, base_crypto, NULL, base_error, sizeof(base_error)),
		0);
	loop.agent = &agent;
	ASSERT_EQ(application_new(&agent, 1, 1, 2, &application), ERROR_NONE);
	wire_buffer_init(&body, WIRE_BULK_LIMIT, NULL);
	ASK(init_token, initialised, .slot_id = 0, .pin = wire_text("so-pin-1234"),
	    .label = wire_text("cost"));
	ASK(open_session, opened, .slot_id = 0, .flags = CKF_SERIAL_SESSION);
	session = opened.session;
}

static void close_agent(void)
{
	application_close(application);
	application_put(application);
	audit_close(agent.audit);
	loop_calls_destroy(&loop);
	wire_buffer_free(&body);
	close_crypto_and_token();
}

/* ---- keys ---- */

#define ATTRIBUTE(type, value)                                                                     \
	{                                                                                          \
		(type), (void *)(uintptr_t) & (value), sizeof(value)                               \
	}

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static struct wire_buffer template_octets[2];

static struct wire_template template_of(int which, CK_ATTRIBUTE *attributes, CK_ULONG count)
{
	struct wire_template template = {0};

	wire_buffer_init(&template_octets[which], WIRE_CONTROL_LIMIT, NULL);
	EXPECT_EQ(host_template_encode(attributes, count, &template_octets[which], &template),
	          CKR_OK);
	return template;
}

static uint64_t aes_key(void)
{
	CK_ULONG len = 32;
	CK_ATTRIBUTE attributes[] = {
		ATTRIBUTE(CKA_PRIVATE, no),
		ATTRIBUTE(CKA_ENCRYPT, yes),
		ATTRIBUTE(CKA_VALUE_LEN, len),
	};
	struct wire_generate_key_reply reply;

	ASK(generate_key, reply, .session = session, .mechanism = {.type = CKM_AES_KEY_GEN},
	    .attributes = template_of(0, attributes, 3));
	wire_buffer_free(&template_octets[0]);
	return reply.key;
}

static uint64_t signing_key(void)
{
	static const CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE public_attributes[] = {ATTRIBUTE(CKA_EC_PARAMS, p256)};
	CK_ATTRIBUTE private_attributes[] = {
		ATTRIBUTE(CKA_PRIVATE, no),
		ATTRIBUTE(CKA_SIGN, yes),
	};
	struct wire_generate_key_pair_reply reply;

	ASK(generate_key_pair, reply, .session = session,
	    .mechanism = {.type = CKM_EC_KEY_PAIR_GEN},
	    .public_attributes = template_of(0, public_attributes, 1),
	    .private_attributes = template_of(1, private_attributes, 2));
	wire_buffer_free(&template_octets[0]);
	wire_buffer_free(&template_octets[1]);
	return reply.private_key;
}

/* ---- the operations ---- */

static uint64_t key;

static void random_32(void)
{
	struct wire_generate_random_reply reply;

	ASK(generate_random, reply, .session = session, .random_len = 32);
	ASSERT_EQ(reply.random.len, 32);
}

static void digest_4k(void)
{
	struct wire_digest_init_reply begun;
	struct wire_digest_reply reply;

	ASK(digest_init, begun, .session = session, .mechanism = {.type = CKM_SHA256});
	ASK(digest, reply, .session = session, .capacity = 32, .data = {data, sizeof(data)});
	ASSERT_EQ(reply.output.len, 32);
}

static void cbc_4k(void)
{
	uint8_t record[4 + 16] = {16};
	struct wire_encrypt_init_reply begun;
	struct wire_encrypt_reply reply;

	ASK(encrypt_init, begun, .session = session, .key = key,
	    .mechanism = {CKM_AES_CBC, WIRE_SHAPE_initialization_vector, {record, sizeof(record)}});
	ASK(encrypt, reply, .session = session, .capacity = sizeof(output),
	    .data = {data, sizeof(data)});
	ASSERT_EQ(reply.output.len, sizeof(data));
}

static void ecdsa(void)
{
	struct wire_sign_init_reply begun;
	struct wire_sign_reply reply;

	ASK(sign_init, begun, .session = session, .key = key, .mechanism = {.type = CKM_ECDSA});
	ASK(sign, reply, .session = session, .capacity = 64, .data = {data, 32});
	ASSERT_EQ(reply.output.len, 64);
}

static const struct {
	const char *name;
	uint64_t (*make_key)(void);
	void (*run)(void);
} operations[] = {
	{"random-32", NULL, random_32},
	{"digest-sha256-4k", NULL, digest_4k},
	{"aes-cbc-4k", aes_key, cbc_4k},
	{"ecdsa-p256-sign", signing_key, ecdsa},
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void write_audit(void)
{
	struct wire_bytes batch;
	bool sync;
	int fd;

	if (!audit_batch_take(agent.audit, &fd, &batch, &sync))
		return;
	ASSERT_EQ(write(fd, batch.data, batch.len), (ssize_t)batch.len);
	audit_batch_written(agent.audit, (ssize_t)batch.len, &batch);
	audit_batch_done(agent.audit, 0);
}

static long run(size_t which, unsigned int rounds)
{
	long before;

	key = operations[which].make_key ? operations[which].make_key() : 0;
	for (unsigned int i = 0; i < 50; i++)
		operations[which].run();
	write_audit();
	before = allocations;
	for (unsigned int i = 0; i < rounds; i++)
		operations[which].run();
	before = allocations - before;
	write_audit();
	return before;
}

TEST(allocations_of_an_operation)
{
	const char *rounds_text = getenv("CRATON_COST_ROUNDS"), *only = getenv("CRATON_COST_ONLY");
	unsigned int rounds = rounds_text ? (unsigned int)atoi(rounds_text) : 100;

	open_agent();
	EXPECT_GT(allocations, COUNTS ? 10 : -1); /* it counts */
	for (size_t i = 0; i < OPERATIONS; i++) {
		long count;

		if (only && strcmp(only, operations[i].name) != 0)
			continue;
		count = run(i, rounds);
		printf("# %s: %.2f allocations outside the arena\n", operations[i].name,
		       (double)count / rounds);
		EXPECT_EQ(count, 0);
	}
	close_agent();
}

static void count_system_calls(size_t which, unsigned int rounds)
{
	long before;

	run(which, 1);
	before = system_calls;
	getppid();
	EXPECT_EQ(system_calls - before, 1); /* it counts */
	before = system_calls;
	for (unsigned int i = 0; i < rounds; i++)
		operations[which].run();
	before = system_calls - before;
	printf("# %s: %.2f system calls\n", operations[which].name, (double)before / rounds);
	/* OpenSSL's generator asks for the process's number at each of its outputs, of which small
	 * requests share one. */
	EXPECT_LE(before, (long)rounds / 10);
}

/* The filter is this thread's only. */
static void *count_in_thread(void *unused)
{
	(void)unused;
	if (!system_calls_count())
		return (void *)(uintptr_t) "there is no filter";
	for (size_t i = 0; i < OPERATIONS; i++)
		count_system_calls(i, 100);
	OPENSSL_thread_stop();
	return NULL;
}

/* Between two batches of the audit log an operation asks the kernel for nothing. */
TEST(system_calls_of_an_operation)
{
	pthread_t thread;
	void *problem;

	if (!SYSTEM_CALLS_COUNT || getenv("CRATON_COST_ROUNDS"))
		SKIP("needs x86-64, and neither a sanitizer nor valgrind");
	open_agent();
	ASSERT_EQ(pthread_create(&thread, NULL, count_in_thread, NULL), 0);
	pthread_join(thread, &problem);
	EXPECT_NULL(problem);
	close_agent();
}

HARNESS_MAIN

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C_* functions, linked directly, against a fake agent: C_Initialize's rules, output buffers,
 * lists, a lost agent (and its return), C_Finalize under threads, and B6 (fork).
 */
#include "instance.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "fake_agent.h"
#include "harness.h"

#define THREADS 8

static struct fake_agent agent;
static char path[64];

static void start_agent(void)
{
	snprintf(path, sizeof(path), "/tmp/instance_test.%d", (int)getpid());
	setenv(CHANNEL_SOCKET_VARIABLE, path, 1);
	fake_start(&agent, path);
}

static void start(void)
{
	start_agent();
	if (C_Initialize(NULL) != CKR_OK)
		abort();
}

static void stop(void)
{
	C_Finalize(NULL);
	fake_stop(&agent);
}

static CK_RV dummy(void *mutex)
{
	(void)mutex;
	return CKR_OK;
}

static CK_RV dummy_create(void **mutex)
{
	(void)mutex;
	return CKR_OK;
}

TEST(initialize_arguments)
{
	CK_C_INITIALIZE_ARGS none = {0}, reserved = {.pReserved = &none};
	CK_C_INITIALIZE_ARGS some = {.CreateMutex = dummy_create, .LockMutex = dummy};
	CK_C_INITIALIZE_ARGS all = {dummy_create, dummy, dummy, dummy, 0, NULL};

	start_agent();
	EXPECT_EQ(C_Initialize(&reserved), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Initialize(&some), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Initialize(&all), CKR_CANT_LOCK);
	all.flags = CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS;
	EXPECT_EQ(C_Initialize(&all), CKR_OK);
	EXPECT_EQ(C_Initialize(&none), CKR_CRYPTOKI_ALREADY_INITIALIZED);
	EXPECT_EQ(C_Finalize(&none), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Finalize(NULL), CKR_OK);
	EXPECT_EQ(C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	none.flags = CKF_OS_LOCKING_OK;
	EXPECT_EQ(C_Initialize(&none), CKR_OK);
	stop();
}

TEST(not_initialized)
{
	CK_FUNCTION_LIST *list = NULL;
	CK_ULONG number = 0;

	ASSERT_EQ(C_GetFunctionList(&list), CKR_OK);
	ASSERT_EQ(C_GetFunctionList(NULL), CKR_ARGUMENTS_BAD);
	ASSERT_EQ(list->version.major, 2);
	ASSERT_EQ(list->version.minor, 40);
	EXPECT_EQ(list->C_GetInfo(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	EXPECT_EQ(list->C_GetSlotList(0, NULL, &number), CKR_CRYPTOKI_NOT_INITIALIZED);
	EXPECT_EQ(list->C_Sign(1, NULL, 0, NULL, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	EXPECT_EQ(list->C_SignRecover(1, NULL, 0, NULL, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
	EXPECT_EQ(list->C_WaitForSlotEvent(0, NULL, NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

TEST(no_agent)
{
	int64_t begin = exchange_clock();

	setenv(CHANNEL_SOCKET_VARIABLE, "/nonexistent/socket", 1);
	EXPECT_EQ(C_Initialize(NULL), CKR_GENERAL_ERROR);
	EXPECT_TRUE(exchange_clock() - begin < 1000000000);
	EXPECT_EQ(C_Finalize(NULL), CKR_CRYPTOKI_NOT_INITIALIZED);
}

TEST(info_and_bad_arguments)
{
	CK_SLOT_ID slot;
	CK_INFO info;

	start();
	ASSERT_EQ(C_GetInfo(NULL), CKR_ARGUMENTS_BAD);
	ASSERT_EQ(C_GetInfo(&info), CKR_OK);
	EXPECT_EQ(info.cryptokiVersion.minor, 40);
	EXPECT_MEMEQ(info.manufacturerID, "Craton HSM                      ", 32);
	EXPECT_MEMEQ(info.libraryDescription, "Craton HSM for Linux            ", 32);
	EXPECT_EQ(info.libraryVersion.minor, 1);
	EXPECT_EQ(C_GetFunctionStatus(1), CKR_FUNCTION_NOT_PARALLEL);
	EXPECT_EQ(C_CancelFunction(1), CKR_FUNCTION_NOT_PARALLEL);
	EXPECT_EQ(C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_WaitForSlotEvent(0, &slot, &slot), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_GetOperationState(1, NULL, NULL), CKR_ARGUMENTS_BAD);
	stop();
}

TEST(slots)
{
	CK_SLOT_ID slots[3] = {0};
	CK_SLOT_INFO info;
	CK_ULONG count = 0;

	start();
	ASSERT_EQ(C_GetSlotList(CK_FALSE, NULL, NULL), CKR_ARGUMENTS_BAD);
	ASSERT_EQ(C_GetSlotList(CK_FALSE, NULL, &count), CKR_OK);
	ASSERT_EQ(count, 2);
	count = 1;
	ASSERT_EQ(C_GetSlotList(CK_FALSE, slots, &count), CKR_BUFFER_TOO_SMALL);
	ASSERT_EQ(count, 2);
	ASSERT_EQ(slots[0], 0);
	count = 3;
	ASSERT_EQ(C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
	ASSERT_EQ(count, 2);
	ASSERT_EQ(slots[1], 2);
	ASSERT_EQ(C_GetSlotInfo(1, &info), CKR_OK);
	EXPECT_MEMEQ(info.slotDescription, "slot    ", 8);
	EXPECT_EQ(info.slotDescription[63], ' ');
	EXPECT_MEMEQ(info.manufacturerID, "1234567890123456789012345678901 ",
	             32); /* not half an é */
	EXPECT_EQ(info.hardwareVersion.major, 1);
	EXPECT_EQ(info.hardwareVersion.minor, 2);
	stop();
}

TEST(output_buffers)
{
	CK_BYTE digest[40];
	CK_ULONG len = 0;

	start();
	EXPECT_EQ(C_Digest(1, (CK_BYTE *)"x", 1, digest, NULL), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Digest(1, NULL, 1, digest, &len), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Digest(1, (CK_BYTE *)"x", 1, NULL, &len), CKR_OK);
	EXPECT_EQ(len, FAKE_DIGEST_LEN);
	len = FAKE_DIGEST_LEN - 1;
	digest[0] = 0;
	EXPECT_EQ(C_Digest(1, (CK_BYTE *)"x", 1, digest, &len), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(len, FAKE_DIGEST_LEN);
	EXPECT_EQ(digest[0], 0);
	len = sizeof(digest);
	EXPECT_EQ(C_Digest(1, (CK_BYTE *)"x", 1, digest, &len), CKR_OK);
	EXPECT_EQ(len, FAKE_DIGEST_LEN);
	EXPECT_EQ(digest[31], 0xd1);
	EXPECT_EQ(C_Digest(1, digest, WIRE_DATA_LIMIT + 1, digest, &len), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_Encrypt(1, digest, WIRE_DATA_LIMIT + 1, NULL, &len), CKR_DATA_LEN_RANGE);
	EXPECT_EQ(C_Decrypt(1, digest, WIRE_DATA_LIMIT + 1, NULL, &len),
	          CKR_ENCRYPTED_DATA_LEN_RANGE);
	EXPECT_EQ(C_Verify(1, digest, 1, digest, WIRE_DATA_LIMIT), CKR_SIGNATURE_LEN_RANGE);
	EXPECT_EQ(C_GenerateRandom(1, NULL, 1), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_GenerateRandom(1, digest, WIRE_DATA_LIMIT + 1), CKR_ARGUMENTS_BAD);
	EXPECT_EQ(C_GenerateRandom(1, digest, sizeof(digest)), CKR_OK);
	EXPECT_EQ(digest[39], 39);
	stop();
}

TEST(contradicting_reply_loses_the_agent)
{
	CK_BYTE data[4] = {0};
	CK_ULONG len = sizeof(data);

	start();
	atomic_store(&agent.mode, FAKE_WRONG_LENGTH);
	EXPECT_EQ(C_Encrypt(1, data, sizeof(data), data, &len), CKR_DEVICE_REMOVED);
	EXPECT_EQ(C_CloseSession(1), CKR_DEVICE_REMOVED);
	stop();
}

/* The agent goes and comes back: only the functions that need no session find the new one. */
TEST(agent_restarts)
{
	CK_SESSION_HANDLE session = 0;
	CK_BYTE octet;

	start();
	ASSERT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
	fake_stop(&agent);
	EXPECT_EQ(C_GenerateRandom(session, &octet, 1), CKR_DEVICE_REMOVED);
	EXPECT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_DEVICE_REMOVED);
	start_agent();
	EXPECT_EQ(C_GenerateRandom(session, &octet, 1), CKR_DEVICE_REMOVED);
	EXPECT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
	EXPECT_EQ(C_GenerateRandom(session, &octet, 1), CKR_OK);
	EXPECT_EQ(atomic_load(&agent.applications), 1);
	stop();
}

/* Nobody called while the agent was away: the first call already finds the new one. */
TEST(agent_restarts_unnoticed)
{
	CK_SESSION_HANDLE session = 0;

	start();
	fake_stop(&agent);
	start_agent();
	EXPECT_EQ(C_OpenSession(1, CKF_SERIAL_SESSION, NULL, NULL, &session), CKR_OK);
	EXPECT_EQ(session, 7);
	stop();
}

static void *call_until_finalized(void *argument)
{
	CK_BYTE octets[16];
	CK_RV rv;

	(void)argument;
	do {
		rv = C_GenerateRandom(1, octets, sizeof(octets));
	} while (rv == CKR_OK);
	return (void *)rv;
}

static void finalize_under_threads(enum fake_mode mode)
{
	pthread_t threads[THREADS];
	int64_t begin;
	void *rv;

	start();
	atomic_store(&agent.mode, mode);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_until_finalized, NULL);
	fake_sleep_ms(50);
	begin = exchange_clock();
	EXPECT_EQ(C_Finalize(NULL), CKR_OK);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &rv);
		EXPECT_EQ((CK_RV)rv, CKR_CRYPTOKI_NOT_INITIALIZED);
	}
	EXPECT_TRUE(exchange_clock() - begin < 1000000000);
	fake_stop(&agent);
}

TEST(finalize_while_threads_call)
{
	finalize_under_threads(FAKE_GOOD);
	finalize_under_threads(FAKE_SILENT);
}

static void *initialize(void *argument)
{
	(void)argument;
	return (void *)C_Initialize(NULL);
}

TEST(racing_initialize)
{
	pthread_t threads[THREADS];
	int succeeded = 0;
	void *rv;

	start_agent();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, initialize, NULL);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &rv);
		succeeded += (CK_RV)rv == CKR_OK;
		EXPECT_TRUE((CK_RV)rv == CKR_OK || (CK_RV)rv == CKR_CRYPTOKI_ALREADY_INITIALIZED);
	}
	EXPECT_EQ(succeeded, 1);
	stop();
}

static int child_fails_then_works(void)
{
	CK_BYTE octet;
	CK_INFO info;

	if (C_GenerateRandom(1, &octet, 1) != CKR_CRYPTOKI_NOT_INITIALIZED)
		return 1;
	if (C_GetInfo(&info) != CKR_CRYPTOKI_NOT_INITIALIZED)
		return 2;
	if (C_Initialize(NULL) != CKR_OK)
		return 3;
	if (C_GenerateRandom(1, &octet, 1) != CKR_OK)
		return 4;
	return C_Finalize(NULL) == CKR_OK ? 0 : 5;
}

/* B6. */
TEST(fork_then_initialize)
{
	CK_BYTE octet;
	int status;
	pid_t child;

	start();
	child = fork();
	if (child == 0)
		_exit(child_fails_then_works());
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	ASSERT_EQ(C_GenerateRandom(1, &octet, 1), CKR_OK);
	ASSERT_EQ(atomic_load(&agent.applications), 2);
	/* The parent's connection never ended. */
	ASSERT_TRUE(atomic_load(&agent.ended) <= 1);
	stop();
}

static atomic_bool go_on;

static void *call_steadily(void *argument)
{
	intptr_t failures = 0;
	CK_BYTE octets[16];

	(void)argument;
	while (atomic_load(&go_on))
		failures += C_GenerateRandom(1, octets, sizeof(octets)) != CKR_OK;
	return (void *)failures;
}

/* B6, with threads that hold locks and connections at the moment of each fork. */
TEST(fork_while_threads_call)
{
	pthread_t threads[THREADS];
	int status;
	void *failures;

	start();
	atomic_store(&go_on, true);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_steadily, NULL);
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(child_fails_then_works());
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
	}
	atomic_store(&go_on, false);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &failures);
		EXPECT_EQ((intptr_t)failures, 0);
	}
	stop();
}

/* The child of a child. */
TEST(fork_twice)
{
	int status;
	pid_t child;

	start();
	child = fork();
	if (child == 0) {
		pid_t grandchild = C_Initialize(NULL) == CKR_OK ? fork() : -1;

		if (grandchild == 0)
			_exit(child_fails_then_works());
		waitpid(grandchild, &status, 0);
		_exit(status == 0 ? C_Finalize(NULL) != CKR_OK : 1);
	}
	waitpid(child, &status, 0);
	ASSERT_EQ(status, 0);
	stop();
}

HARNESS_MAIN

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and the library: forks (B6), dying clients (B10), an agent that goes and comes back,
 * many threads.
 */
#include <pthread.h>

#include "api.h"

#define THREADS 8
#define ROUNDS  200

static CK_RV random_octets(CK_SESSION_HANDLE session)
{
	CK_BYTE octets[16];

	return p11->C_GenerateRandom(session, octets, sizeof(octets));
}

/* Runs in a child; true when it ended well. */
static bool in_child(void (*run)(CK_SESSION_HANDLE), CK_SESSION_HANDLE session)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		alarm(DEADLINE_S);
		run(session);
		fflush(NULL);
		_exit(harness_failed);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void use_after_fork(CK_SESSION_HANDLE session)
{
	CK_INFO info;

	GIVES(random_octets(session), CKR_CRYPTOKI_NOT_INITIALIZED);
	GIVES(p11->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
	OK(api_initialize());
	GIVES(random_octets(session), CKR_SESSION_HANDLE_INVALID);
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	OK(random_octets(session));
	OK(p11->C_Finalize(NULL));
}

/* B6 */
TEST(fork_detection)
{
	CK_SESSION_HANDLE session = api_user();
	CK_SESSION_INFO info;

	for (int i = 0; i < 3; i++) {
		ASSERT_TRUE(in_child(use_after_fork, session));
		OK(random_octets(session));
		OK(p11->C_GetSessionInfo(session, &info));
		ASSERT_EQ(info.state, CKS_RW_USER_FUNCTIONS);
	}
}

static void die_with_sessions(CK_SESSION_HANDLE unused)
{
	(void)unused;
	OK(api_initialize());
	for (int i = 0; i < 4; i++)
		api_session(false);
	kill(getpid(), SIGKILL);
}

/* B10: what a dead client held is free at once. */
TEST(dead_client_frees_its_sessions)
{
	CK_SESSION_HANDLE sessions[4];
	time_t deadline;
	CK_RV rv;

	api_start_with("max_sessions = 4", "", "");
	OK(api_init_token(0, SO_PIN));
	ASSERT_FALSE(in_child(die_with_sessions, 0));
	deadline = time(NULL) + 5;
	for (int i = 0; i < 4; i++) {
		/* The agent learns of the death by the socket, which is a moment after waitpid. */
		do {
			rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &sessions[i]);
		} while (rv == CKR_SESSION_COUNT && time(NULL) < deadline);
		OK(rv);
	}
}

TEST(no_agent)
{
	struct timespec before, after;

	api_configure("", "", "");
	api_load();
	clock_gettime(CLOCK_MONOTONIC, &before);
	GIVES(api_initialize(), CKR_GENERAL_ERROR);
	clock_gettime(CLOCK_MONOTONIC, &after);
	ASSERT_LE(after.tv_sec - before.tv_sec, 1);
	GIVES(random_octets(1), CKR_CRYPTOKI_NOT_INITIALIZED);
	api_launch();
	OK(api_initialize());
}

TEST(agent_restart)
{
	CK_SESSION_HANDLE session = api_user(), fresh;

	ASSERT_EQ(api_end_agent(SIGKILL), -SIGKILL);
	GIVES(random_octets(session), CKR_DEVICE_REMOVED);
	api_launch();
	fresh = api_session(true);
	GIVES(random_octets(session), CKR_SESSION_HANDLE_INVALID);
	OK(random_octets(fresh));
	OK(api_login(fresh, CKU_USER, USER_PIN));
}

TEST(load_and_unload)
{
	api_start();
	for (int i = 0; i < 10; i++) {
		OK(p11->C_Finalize(NULL));
		ASSERT_EQ(dlclose(api_library), 0);
		api_load();
		OK(api_initialize());
	}
}

struct worker {
	pthread_t thread;
	CK_OBJECT_HANDLE key;
	CK_RV rv;
};

static CK_RV sign_once(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
	CK_BYTE data[40] = {1}, signature[64];
	CK_ULONG len = sizeof(signature);
	CK_RV rv = p11->C_SignInit(session, &mechanism, key);

	return rv ? rv : p11->C_Sign(session, data, sizeof(data), signature, &len);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	CK_SESSION_HANDLE session;

	worker->rv = p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session);
	for (int i = 0; i < ROUNDS && !worker->rv; i++)
		worker->rv = sign_once(session, worker->key);
	if (!worker->rv)
		worker->rv = p11->C_CloseSession(session);
	return NULL;
}

TEST(threads)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE public_key, private_key;
	struct worker workers[THREADS];

	api_ec_pair(session, false, "shared", &public_key, &private_key);
	for (int i = 0; i < THREADS; i++) {
		workers[i].key = private_key;
		ASSERT_EQ(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(workers[i].rv, CKR_OK);
	}
}

static void *share(void *argument)
{
	struct worker *worker = argument;

	for (int i = 0; i < ROUNDS && !worker->rv; i++) {
		CK_RV rv = random_octets(worker->key);

		worker->rv = rv;
	}
	return NULL;
}

/* One session used by many threads is the application's mistake, but costs it nothing worse than
 * waiting. */
TEST(shared_session)
{
	CK_SESSION_HANDLE session = api_user();
	struct worker workers[THREADS] = {0};

	for (int i = 0; i < THREADS; i++) {
		workers[i].key = session;
		ASSERT_EQ(pthread_create(&workers[i].thread, NULL, share, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		EXPECT_EQ(workers[i].rv, CKR_OK);
	}
}

TEST(stop_while_clients_work)
{
	CK_SESSION_HANDLE session = api_user();
	struct worker worker = {.key = 0};
	CK_OBJECT_HANDLE public_key;

	api_ec_pair(session, false, "busy", &public_key, &worker.key);
	ASSERT_EQ(pthread_create(&worker.thread, NULL, work, &worker), 0);
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	pthread_join(worker.thread, NULL);
	ASSERT_TRUE(worker.rv == CKR_OK || worker.rv == CKR_DEVICE_REMOVED);
	ASSERT_TRUE(api_log_has("stopped"));
}

/* Another application with the user logged in, until `stay` ends. */
static pid_t logged_in_neighbour(int stay[2])
{
	char octet = 0;
	int ready[2];
	pid_t child;

	ASSERT_EQ(pipe(stay), 0);
	ASSERT_EQ(pipe(ready), 0);
	child = fork();
	if (!child) {
		close(stay[1]);
		OK(api_initialize());
		OK(api_login(api_session(false), CKU_USER, USER_PIN));
		ASSERT_EQ(write(ready[1], &octet, 1), 1);
		_exit(read(stay[0], &octet, 1) != 0);
	}
	close(ready[1]);
	ASSERT_EQ(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	close(stay[0]);
	return child;
}

static CK_OBJECT_HANDLE find_key(CK_SESSION_HANDLE session)
{
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)(uintptr_t) "mine", 4};
	CK_OBJECT_HANDLE found = 0;
	CK_ULONG count = 0;

	OK(p11->C_FindObjectsInit(session, &label, 1));
	OK(p11->C_FindObjects(session, &found, 1, &count));
	OK(p11->C_FindObjectsFinal(session));
	ASSERT_EQ(count, 1);
	return found;
}

/* v3.0 §5.6.10: the handles of private objects are void after a logout, also when the user logs in
 * again, and whoever else is logged in. */
TEST(a_logout_voids_private_handles)
{
	CK_SESSION_HANDLE session = api_user();
	CK_OBJECT_HANDLE former = api_aes_key(session, true, "mine"), now;
	CK_MECHANISM mechanism = {CKM_AES_ECB, NULL, 0};
	CK_ULONG size;
	pid_t child;
	int stay[2], status;

	child = logged_in_neighbour(stay);
	ASSERT_EQ(find_key(session), former);
	OK(p11->C_Logout(session));
	GIVES(p11->C_GetObjectSize(session, former, &size), CKR_OBJECT_HANDLE_INVALID);
	OK(api_login(session, CKU_USER, USER_PIN));
	GIVES(p11->C_GetObjectSize(session, former, &size), CKR_OBJECT_HANDLE_INVALID);
	GIVES(p11->C_EncryptInit(session, &mechanism, former), CKR_KEY_HANDLE_INVALID);
	GIVES(p11->C_DestroyObject(session, former), CKR_OBJECT_HANDLE_INVALID);
	now = find_key(session);
	ASSERT_NE(now, former);
	OK(p11->C_EncryptInit(session, &mechanism, now));
	OK(p11->C_DestroyObject(session, now));
	close(stay[1]);
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_TRUE(WIFEXITED(status) && !WEXITSTATUS(status));
}

HARNESS_MAIN

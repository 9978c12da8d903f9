/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mixed load: 8 applications of 64 threads each use one agent for CRATON_LOAD_SECONDS (default 10),
 * every thread in a session of its own. No call may give another code than it gives a single
 * client, and every result is checked: signatures by OpenSSL and by the token, ciphertexts by
 * decrypting them or by OpenSSL, digests by OpenSSL, objects by reading them back. Meanwhile one
 * thread of each application logs out and in again, or finalizes and initialises the library, while
 * its siblings pause and all other applications go on. `make check-tsan` runs it for a minute.
 *
 * # SERIAL
 */
#include "load.h"

#define PROCESSES       8
#define THREADS         64
#define DEFAULT_SECONDS 10
#define SECONDS_MAX     180u /* what tests/run and a slow build leave of five minutes */
#define RESTART_EVERY   3u   /* of so many changes of the login state, one is a restart */

/* ---- the login state, while no sibling is at work ---- */

static void leave_and_return(struct worker *worker)
{
	CK_MECHANISM mechanism = {CKM_ECDSA_SHA256, NULL, 0};
	CK_OBJECT_HANDLE key = worker->application->keys.ec;

	OK(p11->C_Logout(worker->session));
	expect_state(worker, CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION);
	ASSERT_EQ(find_one(worker->session, &class_private, "load ec"), CK_INVALID_HANDLE);
	ASSERT_NE(p11->C_SignInit(worker->session, &mechanism, key), CKR_OK);
	OK(api_login(worker->session, CKU_USER, USER_PIN));
}

static void restart(struct worker *worker)
{
	struct application *application = worker->application;

	OK(p11->C_Finalize(NULL));
	GIVES(p11->C_CloseSession(worker->session), CKR_CRYPTOKI_NOT_INITIALIZED);
	OK(api_initialize());
	application->generation++;
	worker->generation = application->generation;
	worker->session = open_session(worker);
	OK(api_login(worker->session, CKU_USER, USER_PIN));
}

static void change_login(struct worker *worker)
{
	struct application *application = worker->application;

	pthread_rwlock_wrlock(&application->login);
	if (draw(worker, RESTART_EVERY))
		leave_and_return(worker);
	else
		restart(worker);
	find_keys(worker->session, &application->keys);
	pthread_rwlock_unlock(&application->login);
	worker->tally.done[CHANGE_LOGIN]++;
}

/* ---- threads and processes ---- */

static const struct {
	const char *name;
	void (*run)(struct worker *worker);
	unsigned int weight;
} operations[COUNTERS] = {
	[SIGN_EC] = {"sign EC", sign_ec, 12},
	[SIGN_RSA] = {"sign RSA", sign_rsa, 5},
	[MAC_IN_PARTS] = {"MAC in parts", mac_in_parts, 10},
	[ENCRYPT_GCM] = {"AES-GCM", encrypt_gcm, 12},
	[ENCRYPT_CBC] = {"AES-CBC", encrypt_cbc, 8},
	[DIGEST] = {"digest", digest, 12},
	[DIGEST_BULK] = {"bulk digest", digest_bulk, 2},
	[RANDOM] = {"random", random_octets, 12},
	[FIND] = {"find", find, 6},
	[SESSION_OBJECT] = {"session object", session_object, 8},
	[TOKEN_OBJECT] = {"token object", token_object, 2},
	[GENERATE_AES] = {"AES key", generate_aes, 6},
	[SECOND_SESSION] = {"second session", second_session, 5},
	[LOGIN_STATE] = {"login state", login_state, 5},
	[CHANGE_LOGIN] = {"login changes", change_login, 0},
};

static enum operation draw_operation(struct worker *worker)
{
	unsigned int total = 0, at;
	enum operation operation = 0;

	for (size_t i = 0; i < OPERATIONS; i++)
		total += operations[i].weight;
	at = draw(worker, total);
	while (at >= operations[operation].weight)
		at -= operations[operation++].weight;
	return operation;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void run_one(struct worker *worker)
{
	struct application *application = worker->application;
	enum operation operation = draw_operation(worker);
	uint64_t began;

	pthread_rwlock_rdlock(&application->login);
	if (worker->generation != application->generation) {
		worker->generation = application->generation;
		worker->session = open_session(worker);
	}
	began = now_ns();
	operations[operation].run(worker);
	began = now_ns() - began;
	pthread_rwlock_unlock(&application->login);
	worker->tally.done[operation]++;
	if (began > worker->tally.slowest_ns)
		worker->tally.slowest_ns = began;
}

static bool time_left(const struct application *application)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < application->deadline.tv_sec;
}

/* An assertion that fails in a thread ends its process. */
static void *work(void *argument)
{
	struct worker *worker = argument;

	while (time_left(worker->application)) {
		for (int i = 0; i < 10; i++)
			run_one(worker);
		if (!worker->index)
			change_login(worker);
	}
	free(worker->bulk);
	return NULL;
}

static void worker_start(struct worker *worker, struct application *application, unsigned int index)
{
	worker->application = application;
	worker->index = index;
	worker->read_write = index % 2;
	worker->state = 88172645463325252u + 1000u * application->index + index;
	worker->bulk = calloc(1, BULK_LEN);
	ASSERT_NOT_NULL(worker->bulk);
	ASSERT_EQ(pthread_create(&worker->thread, NULL, work, worker), 0);
}

static void add_tally(struct tally *sum, const struct tally *part)
{
	for (size_t i = 0; i < COUNTERS; i++)
		sum->done[i] += part->done[i];
	if (part->slowest_ns > sum->slowest_ns)
		sum->slowest_ns = part->slowest_ns;
}

/* The one who wants to change the login state is not kept waiting for ever. */
static void init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attributes;

	pthread_rwlockattr_init(&attributes);
	pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	ASSERT_EQ(pthread_rwlock_init(lock, &attributes), 0);
}

static void run_application(struct application *application)
{
	struct worker *workers = calloc(THREADS, sizeof(*workers));

	ASSERT_NOT_NULL(workers);
	init_lock(&application->login);
	application->generation = 1; /* and the workers are in none */
	api_load();
	OK(api_initialize());
	application->session = api_session(false);
	OK(api_login(application->session, CKU_USER, USER_PIN));
	find_keys(application->session, &application->keys);
	application->ec = read_ec(application->session, application->keys.ec_public);
	application->rsa = read_rsa(application->session, application->keys.rsa_public);
	for (unsigned int i = 0; i < THREADS; i++)
		worker_start(&workers[i], application, i);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		add_tally(application->tally, &workers[i].tally);
	}
	OK(p11->C_Finalize(NULL));
	EVP_PKEY_free(application->ec);
	EVP_PKEY_free(application->rsa);
	free(workers);
}

static pid_t fork_application(struct application *application)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	ASSERT_GE(child, 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	api_agent = 0; /* not its to end */
	run_application(application);
	harness_end(harness_failed);
}

static unsigned int wanted_seconds(void)
{
	const char *text = getenv("CRATON_LOAD_SECONDS");
	unsigned long seconds = text ? strtoul(text, NULL, 10) : DEFAULT_SECONDS;

	ASSERT_TRUE(seconds > 0 && seconds <= SECONDS_MAX);
	return (unsigned int)seconds;
}

/* Token and keys are made by a process of its own: the parent never loads the library. */
static void prepare(void)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		CK_SESSION_HANDLE session;

		api_agent = 0;
		api_load();
		OK(api_initialize());
		api_make_token();
		session = api_session(true);
		OK(api_login(session, CKU_USER, USER_PIN));
		make_keys(session);
		OK(p11->C_Finalize(NULL));
		harness_end(harness_failed);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
}

static void show(const struct tally *tally)
{
	for (size_t i = 0; i < COUNTERS; i++)
		printf("# %8lu %s\n", (unsigned long)tally->done[i], operations[i].name);
	printf("# slowest: %lu ms\n", (unsigned long)(tally->slowest_ns / 1000000));
}

/* The chain of a log that so many wrote at once. */
static void expect_audit_log(void)
{
	char command[3 * PATH_MAX];

	snprintf(command, sizeof(command), "%s/craton-hsm-admin audit verify-chain %s >%s 2>&1",
	         api_build(), api_path("audit.jsonl"), api_path("verify.out"));
	EXPECT_EQ(system(command), 0);
}

static struct tally *run_applications(unsigned int seconds)
{
	struct tally *tallies = mmap(NULL, PROCESSES * sizeof(*tallies), PROT_READ | PROT_WRITE,
	                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[PROCESSES];
	int status;

	ASSERT_TRUE(tallies != MAP_FAILED);
	for (unsigned int i = 0; i < PROCESSES; i++) {
		struct application application = {.tally = &tallies[i], .index = i};

		clock_gettime(CLOCK_MONOTONIC, &application.deadline);
		application.deadline.tv_sec += seconds + 1;
		children[i] = fork_application(&application);
	}
	for (unsigned int i = 0; i < PROCESSES; i++) {
		ASSERT_EQ(waitpid(children[i], &status, 0), children[i]);
		EXPECT_EQ(status, 0);
	}
	return tallies;
}

TEST_TIMEOUT(mixed_load, SECONDS_MAX + 100)
{
	struct tally *tallies, sum = {0};
	int status;

	api_configure("max_sessions = 0\nmax_rw_sessions = 0", "", "");
	api_launch();
	prepare();
	tallies = run_applications(wanted_seconds());
	for (unsigned int i = 0; i < PROCESSES; i++) {
		for (size_t operation = 0; operation < COUNTERS; operation++)
			EXPECT_GT(tallies[i].done[operation], 0);
		add_tally(&sum, &tallies[i]);
	}
	show(&sum);
	status = api_end_agent(SIGTERM);
	EXPECT_EQ(status, 0);
	EXPECT_FALSE(api_log_has("Sanitizer"));
	if (status || api_log_has("Sanitizer"))
		api_show_log();
	expect_audit_log();
}

HARNESS_MAIN

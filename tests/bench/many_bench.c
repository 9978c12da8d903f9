/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many clients, for tests/bench/many: how evenly the agent serves them, and how much a client feels
 * of another one's slow calls. A client is a process.
 *
 *   many_bench equal MODULE AGENT-PID CLIENTS BUSY SECONDS   all connect, BUSY of them sign
 *   many_bench beside MODULE GENERATORS SECONDS              one signs, alone and while others
 *                                                            generate RSA-4096 key pairs in a loop
 *
 * Signatures are ECDSA P-256. Prints one JSON object.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "histogram.h"
#include "token.h"

#define CLIENTS_MAX 4000u
#define BUSY_MAX    256u
#define WARM_UP_S   0.3

enum phase { PHASE_WAIT, PHASE_WARM_UP, PHASE_MEASURE, PHASE_END };

/* What the processes share. */
struct shared {
	_Atomic enum phase phase;
	atomic_ulong generated;
	struct histogram latencies[BUSY_MAX];
};

static struct shared *shared;
static struct bench_error problem;
static const char *module;
static int ready[2], go[2], end[2]; /* pipes: one octet each; closed to begin, to end */

static void must(bool done)
{
	if (done)
		return;
	fprintf(stderr, "many_bench: %s: 0x%lx\n", problem.call, problem.code);
	exit(1);
}

static void must_system(bool done, const char *what)
{
	if (done)
		return;
	perror(what);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void pass(double seconds)
{
	struct timespec span = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	nanosleep(&span, NULL);
}

/* ---- clients ---- */

static CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static bool make_pair(CK_MECHANISM_TYPE type, CK_ATTRIBUTE *public, CK_OBJECT_HANDLE handles[2])
{
	CK_MECHANISM mechanism = {type, NULL, 0};
	CK_ATTRIBUTE private[] = {
		{CKA_CLASS, &private_key, sizeof(private_key)},
		{CKA_PRIVATE, &no, sizeof(no)},
		{CKA_SIGN, &yes, sizeof(yes)},
	};

	return TOKEN_CALL(&problem, C_GenerateKeyPair, token.session, &mechanism, public, 1,
	                  private, 3, &handles[0], &handles[1]);
}

static CK_OBJECT_HANDLE make_ec_key(void)
{
	static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	CK_ATTRIBUTE curve = {CKA_EC_PARAMS, p256, sizeof(p256)};
	CK_OBJECT_HANDLE handles[2];

	must(make_pair(CKM_EC_KEY_PAIR_GEN, &curve, handles));
	return handles[1];
}

static void sign(CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_BYTE hash[32] = {1}, signature[64];
	CK_ULONG len = sizeof(signature);

	must(TOKEN_CALL(&problem, C_SignInit, token.session, &mechanism, key) &&
	     TOKEN_CALL(&problem, C_Sign, token.session, hash, sizeof(hash), signature, &len));
}

static void connect_client(void)
{
	struct bench_options options = {.module_path = module};

	must(token_open(&options, &problem));
}

static void tell_ready(void)
{
	must_system(write(ready[1], "", 1) == 1, "write");
}

static void wait_for_close(int fd)
{
	char octet;

	must_system(read(fd, &octet, 1) == 0, "read");
}

static void run_idle(unsigned int number)
{
	(void)number;
	connect_client();
	tell_ready();
	wait_for_close(end[0]);
}

static void run_signer(unsigned int number)
{
	struct histogram *latencies = &shared->latencies[number];
	CK_OBJECT_HANDLE key;
	enum phase phase;

	connect_client();
	key = make_ec_key();
	tell_ready();
	wait_for_close(go[0]);
	while ((phase = atomic_load(&shared->phase)) != PHASE_END) {
		uint64_t begun = now_ns();

		sign(key);
		if (phase == PHASE_MEASURE)
			histogram_add(latencies, now_ns() - begun);
	}
	wait_for_close(end[0]);
}

static void run_generator(unsigned int number)
{
	CK_ULONG bits = 4096;
	CK_ATTRIBUTE modulus = {CKA_MODULUS_BITS, &bits, sizeof(bits)};
	CK_OBJECT_HANDLE handles[2];

	(void)number;
	connect_client();
	tell_ready();
	wait_for_close(go[0]);
	while (atomic_load(&shared->phase) != PHASE_END) {
		must(make_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &modulus, handles));
		must(TOKEN_CALL(&problem, C_DestroyObject, token.session, handles[0]) &&
		     TOKEN_CALL(&problem, C_DestroyObject, token.session, handles[1]));
		atomic_fetch_add(&shared->generated, 1);
	}
	wait_for_close(end[0]);
}

/* ---- the parent ---- */

static void open_pipes(void)
{
	must_system(!pipe(ready) && !pipe(go) && !pipe(end), "pipe");
	atomic_store(&shared->phase, PHASE_WAIT);
}

static void start(void (*run)(unsigned int), unsigned int number)
{
	pid_t child = fork();

	must_system(child >= 0, "fork");
	if (child)
		return;
	close(go[1]);
	close(end[1]);
	close(ready[0]);
	run(number);
	token_close();
	_exit(0);
}

static void wait_until_ready(unsigned int clients)
{
	char octet;

	close(ready[1]);
	for (unsigned int i = 0; i < clients; i++)
		must_system(read(ready[0], &octet, 1) == 1, "a client failed");
}

static void measure(double seconds)
{
	atomic_store(&shared->phase, PHASE_WARM_UP);
	close(go[1]);
	pass(WARM_UP_S);
	atomic_store(&shared->phase, PHASE_MEASURE);
	pass(seconds);
	atomic_store(&shared->phase, PHASE_END);
}

static void finish(void)
{
	close(end[1]);
	while (wait(NULL) > 0)
		;
	close(go[0]);
	close(end[0]);
	close(ready[0]);
}

static unsigned long resident_octets(const char *pid)
{
	unsigned long kib = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "r");
	must_system(file, path);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %lu", &kib) == 1)
			break;
	}
	fclose(file);
	return kib * 1024;
}

static int ascending(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static double us(const struct histogram *latencies, double fraction)
{
	return histogram_percentile(latencies, fraction) / 1e3;
}

static void report_equal(unsigned int clients, unsigned int busy, double seconds,
                         unsigned long octets)
{
	double medians[BUSY_MAX] = {0}, tails[BUSY_MAX] = {0};
	uint64_t count = 0;

	for (unsigned int i = 0; i < busy; i++) {
		medians[i] = us(&shared->latencies[i], 0.5);
		tails[i] = us(&shared->latencies[i], 0.99);
		count += shared->latencies[i].count;
	}
	qsort(medians, busy, sizeof(medians[0]), ascending);
	qsort(tails, busy, sizeof(tails[0]), ascending);
	printf("{\"clients\": %u, \"busy\": %u, \"per_second\": %.0f, \"p50_us\": %.1f, "
	       "\"slowest_p50_us\": %.1f, \"p99_us\": %.1f, \"slowest_p99_us\": %.1f, "
	       "\"slowest_over_median\": %.2f, \"octets_per_client\": %lu}\n",
	       clients, busy, (double)count / seconds, medians[busy / 2], medians[busy - 1],
	       tails[busy / 2], tails[busy - 1], medians[busy - 1] / medians[busy / 2],
	       octets / clients);
}

static void equal(const char *agent, unsigned int clients, unsigned int busy, double seconds)
{
	unsigned long before = resident_octets(agent), after;

	open_pipes();
	/* Spread among the idle ones, as it comes. */
	for (unsigned int i = 0, begun = 0; i < clients; i++) {
		bool works = begun < busy && (unsigned long)random() % (clients - i) < busy - begun;

		start(works ? run_signer : run_idle, begun);
		begun += works;
	}
	wait_until_ready(clients);
	after = resident_octets(agent);
	measure(seconds);
	finish();
	report_equal(clients, busy, seconds, after > before ? after - before : 0);
}

static void sign_beside(unsigned int generators, double seconds)
{
	memset(shared, 0, sizeof(*shared));
	open_pipes();
	start(run_signer, 0);
	for (unsigned int i = 0; i < generators; i++)
		start(run_generator, i);
	wait_until_ready(1 + generators);
	measure(seconds);
	printf("\"per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f",
	       (double)shared->latencies[0].count / seconds, us(&shared->latencies[0], 0.5),
	       us(&shared->latencies[0], 0.99), us(&shared->latencies[0], 0.999));
	fflush(stdout);
	finish();
}

static void beside(unsigned int generators, double seconds)
{
	fputs("{\"quiet\": {", stdout);
	fflush(stdout);
	sign_beside(0, seconds);
	fputs("}, \"beside\": {", stdout);
	fflush(stdout);
	sign_beside(generators, seconds);
	printf(", \"generators\": %u, \"key_pairs\": %lu}}\n", generators,
	       atomic_load(&shared->generated));
}

static unsigned int number(const char *text, unsigned int max)
{
	unsigned long value = strtoul(text, NULL, 10);

	if (value < 1 || value > max) {
		fprintf(stderr, "many_bench: %s: not from 1 to %u\n", text, max);
		exit(2);
	}
	return (unsigned int)value;
}

int main(int argc, char **argv)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
	              0);
	must_system(shared != MAP_FAILED, "mmap");
	module = argc > 2 ? argv[2] : NULL;
	if (argc == 7 && !strcmp(argv[1], "equal")) {
		equal(argv[3], number(argv[4], CLIENTS_MAX), number(argv[5], BUSY_MAX),
		      atof(argv[6]));
		return 0;
	}
	if (argc == 5 && !strcmp(argv[1], "beside")) {
		beside(number(argv[3], BUSY_MAX), atof(argv[4]));
		return 0;
	}
	fputs("many_bench equal MODULE AGENT-PID CLIENTS BUSY SECONDS\n"
	      "many_bench beside MODULE GENERATORS SECONDS\n",
	      stderr);
	return 2;
}

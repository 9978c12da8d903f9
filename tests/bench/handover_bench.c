/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service in another process costs at the least on this machine: the same operations by
 * OpenSSL, each done by a process beside the client's, with shared memory between the two and
 * nothing else. There is no protocol, no session, no policy, no log, and nobody else to serve.
 * Where there is a processor for each of the two, both spin; otherwise they share one, and sleep in
 * a futex, so that the other may run. Both are pinned, as well as can be.
 */
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "openssl_operations.h"
#include "report.h"

/* The name of the operation, what goes there, and what comes back. */
#define HANDOVERS(ROW)                                                                             \
	ROW(random, "random-32", 0, RANDOM_LEN)                                                    \
	ROW(digest, "digest-sha256-4k", MESSAGE_LEN, HASH_LEN)                                     \
	ROW(gcm, "aes-gcm-4k", MESSAGE_LEN, MESSAGE_LEN + TAG_LEN)                                 \
	ROW(cbc, "aes-cbc-64k", BULK_LEN, BULK_LEN + IV_LEN)                                       \
	ROW(ecdsa_sign, "ecdsa-p256-sign", HASH_LEN, 2 * HASH_LEN)                                 \
	ROW(ecdsa_verify, "ecdsa-p256-verify", 3 * HASH_LEN, 0)                                    \
	ROW(rsa_sign, "rsa2048-sign", HASH_LEN, 256)                                               \
	ROW(rsa_verify, "rsa2048-verify", HASH_LEN + 256, 0)                                       \
	ROW(aes_keygen, "aes-keygen", 0, 0)                                                        \
	ROW(ec_keygen, "ec-keygen", 0, 0)

struct handover {
	const char *name;
	size_t input_len, output_len;
};

enum handover_index {
#define ROW(id, name, input_len, output_len) HANDOVER_##id,
	HANDOVERS(ROW)
#undef ROW
};

static const struct handover handovers[] = {
#define ROW(id, name, input_len, output_len) {name, input_len, output_len},
	HANDOVERS(ROW)
#undef ROW
};

/* One way: a count that grows with each message, and whether the other side sleeps until it does.
 */
struct side {
	_Alignas(64) _Atomic uint32_t count;
	_Atomic uint32_t awaited;
};

struct shared {
	struct side request, reply;
	_Alignas(64) struct bench_error error; /* of the server */
	unsigned char input[BULK_LEN];
	unsigned char output[BULK_LEN + OUTPUT_ROOM];
};

struct worker {
	struct bench_worker base;
	const struct handover *handover;
	struct shared *shared;
	pid_t server;
	bool spins;
	unsigned char input[BULK_LEN];
	unsigned char output[BULK_LEN + OUTPUT_ROOM];
};

static void await(struct side *side, uint32_t known, bool spins)
{
	while (atomic_load(&side->count) == known) {
		if (spins) {
#if defined(__x86_64__)
			__builtin_ia32_pause();
#endif
			continue;
		}
		atomic_store(&side->awaited, 1);
		if (atomic_load(&side->count) == known)
			syscall(SYS_futex, &side->count, FUTEX_WAIT, known, NULL, NULL, 0);
		atomic_store(&side->awaited, 0);
	}
}

static void announce(struct side *side, bool spins)
{
	atomic_fetch_add(&side->count, 1);
	if (!spins && atomic_exchange(&side->awaited, 0))
		syscall(SYS_futex, &side->count, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Those that we may use. */
static unsigned int processors(cpu_set_t *allowed)
{
	if (sched_getaffinity(0, sizeof(*allowed), allowed))
		abort();
	return (unsigned int)CPU_COUNT(allowed);
}

/* The n-th of them, again from the first one after the last. */
static void pin(unsigned int n)
{
	cpu_set_t allowed, one;

	n %= processors(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || n--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
		return;
	}
}

/* ---- the server ---- */

static const struct bench_operation *find_operation(const char *name)
{
	for (size_t i = 0; i < OPENSSL_OPERATIONS; i++) {
		if (!strcmp(openssl_operations[i].name, name))
			return &openssl_operations[i];
	}
	abort(); /* the two tables differ */
}

static void __attribute__((noreturn)) serve(const struct worker *client)
{
	const struct handover *handover = client->handover;
	const struct bench_operation *operation = find_operation(handover->name);
	struct openssl_worker *own = calloc(1, sizeof(*own));
	struct shared *shared = client->shared;
	bool good;

	if (!own)
		abort();
	good = openssl_worker_start(own) && (!operation->setup || operation->setup(own));
	for (uint32_t count = 0;; count++) {
		await(&shared->request, count, client->spins);
		if (good) {
			memcpy(own->input, shared->input, handover->input_len);
			good = operation->run(own);
			memcpy(shared->output, own->output, handover->output_len);
		}
		if (!good)
			shared->error = own->base.error;
		announce(&shared->reply, client->spins);
	}
}

/* ---- the client ---- */

static bool start(struct worker *worker, enum handover_index index)
{
	unsigned int workers = worker->base.options->processes * worker->base.options->threads;
	unsigned int cpu = worker->base.index;
	cpu_set_t allowed;

	worker->handover = &handovers[index];
	worker->spins = 2 * workers <= processors(&allowed);
	worker->server = fork();
	if (!bench_check(&worker->base.error, "fork", worker->server < 0))
		return false;
	if (!worker->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin(worker->spins ? cpu + workers : cpu);
		serve(worker);
	}
	pin(cpu);
	return true;
}

static void stop(void *argument)
{
	struct worker *worker = argument;

	if (worker->server <= 0)
		return;
	kill(worker->server, SIGKILL);
	waitpid(worker->server, NULL, 0);
}

static bool run(void *argument)
{
	struct worker *worker = argument;
	struct shared *shared = worker->shared;
	uint32_t known = atomic_load_explicit(&shared->reply.count, memory_order_relaxed);

	memcpy(shared->input, worker->input, worker->handover->input_len);
	announce(&shared->request, worker->spins);
	await(&shared->reply, known, worker->spins);
	memcpy(worker->output, shared->output, worker->handover->output_len);
	if (!shared->error.code)
		return true;
	worker->base.error = shared->error;
	return false;
}

#define ROW(id, name, input_len, output_len)                                                       \
	static bool start_##id(void *worker)                                                       \
	{                                                                                          \
		return start(worker, HANDOVER_##id);                                               \
	}
HANDOVERS(ROW)
#undef ROW

static const struct bench_operation operations[] = {
#define ROW(id, name, input_len, output_len) {name, start_##id, run, stop},
	HANDOVERS(ROW)
#undef ROW
};

static bool worker_start(void *argument)
{
	struct worker *worker = argument;

	memset(worker->input, 0x5a, sizeof(worker->input));
	worker->shared = mmap(NULL, sizeof(*worker->shared), PROT_READ | PROT_WRITE,
	                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (worker->shared != MAP_FAILED)
		return true;
	worker->shared = NULL;
	return bench_check(&worker->base.error, "mmap", 1);
}

static void worker_end(void *argument)
{
	struct worker *worker = argument;

	if (worker->shared)
		munmap(worker->shared, sizeof(*worker->shared));
}

static const struct bench_program program = {
	.name = "handover_bench",
	.operations = operations,
	.operation_count = sizeof(operations) / sizeof(operations[0]),
	.worker_size = sizeof(struct worker),
	.worker_start = worker_start,
	.worker_end = worker_end,
	.error_name = openssl_error_name,
	.is_lacking = openssl_is_lacking,
};

int main(int argc, char **argv)
{
	return report_main(&program, argc, argv);
}

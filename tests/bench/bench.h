/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark program is: a table of operations, each measured by workers (threads in forked
 * processes) that share nothing but a page of results. The parts are options.h (the command line),
 * runner.h (processes, threads, phases), histogram.h (latencies) and report.h (text and JSON).
 * They are headers because every .c in this folder becomes a program of its own.
 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define BENCH_THREADS_MAX   256u
#define BENCH_PROCESSES_MAX 64u
#define BENCH_CALL_LEN      40u

/* What every subject is given, so that all of them do the same. */
#define RANDOM_LEN  32u
#define MESSAGE_LEN 4096u
#define BULK_LEN    65536u
#define HASH_LEN    32u
#define IV_LEN      16u
#define GCM_IV_LEN  12u
/* And the room for what comes back. */
#define OUTPUT_ROOM    64u /* besides the input's length */
#define SIGNATURE_ROOM 512u

struct bench_options {
	const char *module_path;
	const char *token_label;
	const char *pin_path;
	const char *operations; /* comma-separated names; NULL: all */
	unsigned long slot;
	bool has_slot;
	bool json;
	unsigned int threads;
	unsigned int processes;
	unsigned int objects; /* that `find` searches among */
	double seconds;
	double warm_up;
};

/* Why an operation could not be measured: the call that failed and its code; code 0 is success. */
struct bench_error {
	char call[BENCH_CALL_LEN];
	unsigned long code;
};

/* The first member of every program's own worker. `index` counts over all processes. */
struct bench_worker {
	const struct bench_options *options;
	unsigned int index;
	struct bench_error error;
};

/* One row. `setup` and `teardown` may be NULL; `run` is what is timed. False: worker->error says
 * why. `teardown` is also called after a failed setup. */
struct bench_operation {
	const char *name;
	bool (*setup)(void *worker);
	bool (*run)(void *worker);
	void (*teardown)(void *worker);
};

struct bench_program {
	const char *name;
	bool has_module; /* takes --module and what belongs to it */
	const struct bench_operation *operations;
	size_t operation_count;
	size_t worker_size;

	/* Once in each forked process, around all of its workers; may be NULL. */
	bool (*process_start)(const struct bench_options *options, struct bench_error *error);
	void (*process_end)(void);

	/* Around each worker, in its own thread. */
	bool (*worker_start)(void *worker);
	void (*worker_end)(void *worker);

	const char *(*error_name)(unsigned long code);
	bool (*is_lacking)(unsigned long code); /* not a failure: the subject has no such thing */
};

/* Records a failure; true when there was none. */
static inline bool bench_check(struct bench_error *error, const char *call, unsigned long code)
{
	size_t i;

	if (!code)
		return true;
	for (i = 0; call[i] && i + 1 < BENCH_CALL_LEN; i++)
		error->call[i] = call[i];
	error->call[i] = '\0';
	error->code = code;
	return false;
}

static inline uint64_t bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void bench_sleep_ms(unsigned int ms)
{
	const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

#endif

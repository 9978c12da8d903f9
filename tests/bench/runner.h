/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures one operation. The parent forks the processes (before any library is loaded, so that
 * each is an application of its own), waits until every worker has its keys and has done the
 * operation once, and then leads all of them through the phases by one word in shared memory. It
 * notices workers that fail and processes that die, and never waits for either.
 */
#ifndef TESTS_BENCH_RUNNER_H
#define TESTS_BENCH_RUNNER_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "histogram.h"

#define RUNNER_SETUP_S  120u /* for keys and objects */
#define RUNNER_FINISH_S 60u  /* for the last operation and cleaning up */
#define RUNNER_POLL_MS  5u
#define RUNNER_DIED     (~0ul) /* error code: the process ended before its time */
#define RUNNER_TIMEOUT  (~1ul)

enum runner_phase {
	PHASE_SETUP,
	PHASE_WARM_UP,
	PHASE_MEASURE,
	PHASE_STOP,
};

enum runner_state {
	STATE_STARTING,
	STATE_OPEN,
	STATE_READY,
	STATE_DONE,
	STATE_FAILED,
};

/* One worker's results. */
struct runner_seat {
	_Alignas(128) atomic_int state;
	struct bench_error error;
	uint64_t first_ns;
	uint64_t last_ns;
	struct histogram histogram;
};

struct runner_shared {
	_Alignas(128) atomic_int phase;
	struct runner_seat seat[];
};

struct runner_result {
	struct bench_error error;
	double per_second;
	struct histogram histogram;
};

struct runner {
	const struct bench_program *program;
	const struct bench_options *options;
	const struct bench_operation *operation;
	struct runner_shared *shared;
	unsigned int seats;
	pid_t pids[BENCH_PROCESSES_MAX];
};

struct runner_thread {
	struct runner *runner;
	unsigned int index;
	pthread_t thread;
};

static size_t runner_shared_len(const struct runner *runner)
{
	return sizeof(struct runner_shared) + runner->seats * sizeof(struct runner_seat);
}

static int runner_phase(const struct runner *runner)
{
	return atomic_load_explicit(&runner->shared->phase, memory_order_acquire);
}

static void runner_fail_seat(struct runner_seat *seat, const struct bench_error *error)
{
	seat->error = *error;
	atomic_store_explicit(&seat->state, STATE_FAILED, memory_order_release);
}

/* The end of an operation is the start of the next: one reading of the clock for each. An operation
 * slower than the whole measurement is still counted once. */
static bool runner_loop(struct runner *runner, struct runner_seat *seat, void *worker)
{
	bool (*run)(void *) = runner->operation->run;
	uint64_t before = bench_now_ns(), after;
	int phase;

	while ((phase = runner_phase(runner)) != PHASE_STOP || !seat->histogram.count) {
		if (!run(worker))
			return false;
		after = bench_now_ns();
		if (phase != PHASE_WARM_UP) {
			if (!seat->histogram.count)
				seat->first_ns = before;
			histogram_add(&seat->histogram, after - before);
			seat->last_ns = after;
		}
		before = after;
	}
	return true;
}

/* Ready means: the operation has worked once. False: failed, or nobody waits for us any more. */
static bool runner_get_ready(struct runner *runner, struct runner_seat *seat, void *worker)
{
	const struct bench_operation *operation = runner->operation;

	if (operation->setup && !operation->setup(worker))
		return false;
	if (!operation->run(worker))
		return false;
	atomic_store_explicit(&seat->state, STATE_READY, memory_order_release);
	while (runner_phase(runner) == PHASE_SETUP)
		bench_sleep_ms(1);
	return runner_phase(runner) != PHASE_STOP;
}

static void *runner_work(void *argument)
{
	struct runner_thread *thread = argument;
	struct runner *runner = thread->runner;
	struct runner_seat *seat = &runner->shared->seat[thread->index];
	struct bench_worker *worker = calloc(1, runner->program->worker_size);
	int state = STATE_DONE;

	if (!worker)
		abort();
	worker->options = runner->options;
	worker->index = thread->index;
	if (!runner->program->worker_start(worker) || !runner_get_ready(runner, seat, worker) ||
	    !runner_loop(runner, seat, worker))
		state = STATE_FAILED;
	seat->error = worker->error;
	if (runner->operation->teardown)
		runner->operation->teardown(worker);
	runner->program->worker_end(worker);
	atomic_store_explicit(&seat->state, state, memory_order_release);
	free(worker);
	return NULL;
}

static void __attribute__((noreturn)) runner_process(struct runner *runner, unsigned int number)
{
	unsigned int count = runner->options->threads, first = number * count;
	struct runner_thread threads[BENCH_THREADS_MAX];
	struct bench_error error = {0};

	if (runner->program->process_start &&
	    !runner->program->process_start(runner->options, &error)) {
		for (unsigned int i = 0; i < count; i++)
			runner_fail_seat(&runner->shared->seat[first + i], &error);
		_exit(1);
	}
	for (unsigned int i = 0; i < count; i++)
		atomic_store(&runner->shared->seat[first + i].state, STATE_OPEN);
	for (unsigned int i = 0; i < count; i++) {
		threads[i] = (struct runner_thread){.runner = runner, .index = first + i};
		if (pthread_create(&threads[i].thread, NULL, runner_work, &threads[i]))
			abort();
	}
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i].thread, NULL);
	if (runner->program->process_end)
		runner->program->process_end();
	_exit(0);
}

/* What a process that died leaves behind: seats that will never be done. */
static void runner_bury(struct runner *runner, unsigned int number, int status)
{
	unsigned int count = runner->options->threads, first = number * count;
	struct bench_error error = {.code = RUNNER_DIED};

	if (WIFSIGNALED(status))
		snprintf(error.call, sizeof(error.call), "killed by signal %d", WTERMSIG(status));
	else
		snprintf(error.call, sizeof(error.call), "exited with status %d",
		         WEXITSTATUS(status));
	for (unsigned int i = first; i < first + count; i++) {
		int state = atomic_load(&runner->shared->seat[i].state);

		if (state != STATE_DONE && state != STATE_FAILED)
			runner_fail_seat(&runner->shared->seat[i], &error);
	}
	runner->pids[number] = 0;
}

/* The number of processes that still live. */
static unsigned int runner_reap(struct runner *runner)
{
	unsigned int living = 0;
	int status;

	for (unsigned int i = 0; i < runner->options->processes; i++) {
		if (!runner->pids[i])
			continue;
		if (waitpid(runner->pids[i], &status, WNOHANG) == runner->pids[i])
			runner_bury(runner, i, status);
		else
			living++;
	}
	return living;
}

/* Processes open their module one after the other: SoftHSM2 hides a token from one process while
 * another logs in to it, and opening is not what is measured. */
static void runner_await_open(struct runner *runner, unsigned int number)
{
	struct runner_seat *seat = &runner->shared->seat[number * runner->options->threads];
	uint64_t deadline = bench_now_ns() + RUNNER_SETUP_S * 1000000000ull;

	while (atomic_load(&seat->state) == STATE_STARTING && bench_now_ns() < deadline) {
		runner_reap(runner);
		bench_sleep_ms(1);
	}
}

static void runner_fork(struct runner *runner)
{
	pid_t parent = getpid();

	for (unsigned int i = 0; i < runner->options->processes; i++) {
		runner->pids[i] = fork();
		if (runner->pids[i] < 0) {
			perror("fork");
			exit(1);
		}
		if (runner->pids[i]) {
			runner_await_open(runner, i);
			continue;
		}
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		runner_process(runner, i);
	}
}

static unsigned int runner_count(const struct runner *runner, int state)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < runner->seats; i++)
		count += atomic_load_explicit(&runner->shared->seat[i].state,
		                              memory_order_acquire) == state;
	return count;
}

/* Until all are ready (true), or one failed or took too long. */
static bool runner_await_ready(struct runner *runner)
{
	uint64_t deadline = bench_now_ns() + RUNNER_SETUP_S * 1000000000ull;

	while (runner_count(runner, STATE_READY) < runner->seats) {
		runner_reap(runner);
		if (runner_count(runner, STATE_FAILED) || bench_now_ns() > deadline)
			return false;
		bench_sleep_ms(1);
	}
	return true;
}

/* Lets the workers work; ends early when one fails. */
static bool runner_let_work(struct runner *runner, int phase, double seconds)
{
	uint64_t deadline = bench_now_ns() + (uint64_t)(seconds * 1e9);

	atomic_store_explicit(&runner->shared->phase, phase, memory_order_release);
	while (bench_now_ns() < deadline) {
		bench_sleep_ms(RUNNER_POLL_MS);
		runner_reap(runner);
		if (runner_count(runner, STATE_FAILED))
			return false;
	}
	return true;
}

static void runner_finish(struct runner *runner)
{
	uint64_t deadline = bench_now_ns() + RUNNER_FINISH_S * 1000000000ull;

	atomic_store_explicit(&runner->shared->phase, PHASE_STOP, memory_order_release);
	while (runner_reap(runner) && bench_now_ns() < deadline)
		bench_sleep_ms(1);
	for (unsigned int i = 0; i < runner->options->processes; i++) {
		if (!runner->pids[i])
			continue;
		kill(runner->pids[i], SIGKILL);
		waitpid(runner->pids[i], NULL, 0);
	}
}

/* The first failure that has a reason: a worker that was told to stop early has none. The rate is
 * that of all in the time that they took together: where workers wait for a processor, the time
 * between one's own first and last operation is less than that, and the sum of such rates is more
 * than the processors can do. */
static void runner_collect(const struct runner *runner, struct runner_result *result)
{
	uint64_t first_ns = 0, last_ns = 0;

	for (unsigned int i = 0; i < runner->seats; i++) {
		const struct runner_seat *seat = &runner->shared->seat[i];

		if (!result->error.code)
			result->error = seat->error;
		if (!seat->histogram.count)
			continue;
		if (!result->histogram.count || seat->first_ns < first_ns)
			first_ns = seat->first_ns;
		if (seat->last_ns > last_ns)
			last_ns = seat->last_ns;
		histogram_merge(&result->histogram, &seat->histogram);
	}
	if (result->histogram.count)
		result->per_second =
			(double)result->histogram.count * 1e9 / (double)(last_ns - first_ns + 1);
	if (!result->error.code && runner_count(runner, STATE_DONE) < runner->seats)
		bench_check(&result->error, "no end in time", RUNNER_TIMEOUT);
}

static void runner_measure(const struct bench_program *program, const struct bench_options *options,
                           const struct bench_operation *operation, struct runner_result *result)
{
	struct runner runner = {
		.program = program,
		.options = options,
		.operation = operation,
		.seats = options->threads * options->processes,
	};

	memset(result, 0, sizeof(*result));
	runner.shared = mmap(NULL, runner_shared_len(&runner), PROT_READ | PROT_WRITE,
	                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (runner.shared == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	fflush(NULL);
	runner_fork(&runner);
	if (runner_await_ready(&runner) &&
	    runner_let_work(&runner, PHASE_WARM_UP, options->warm_up))
		runner_let_work(&runner, PHASE_MEASURE, options->seconds);
	runner_finish(&runner);
	runner_collect(&runner, result);
	munmap(runner.shared, runner_shared_len(&runner));
}

#endif

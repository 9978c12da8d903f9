/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token with many objects, for tests/bench/scale: fills it by several threads, or measures what a
 * client sees of one that is full.
 *
 *   scale_bench fill MODULE PIN-FILE FROM TO THREADS   AES keys `object-FROM` to `object-TO`, less
 * one scale_bench look MODULE PIN-FILE COUNT             login, find by label, create and destroy
 *
 * Prints one JSON object.
 */
#include <pthread.h>
#include <stdlib.h>

#include "token.h"

#define FINDS      5000u
#define CREATES    200u
#define THREAD_MAX 64u

static struct bench_error problem;

static void must(bool done)
{
	if (done)
		return;
	fprintf(stderr, "scale_bench: %s: 0x%lx\n", problem.call, problem.code);
	exit(1);
}

static bool create(CK_SESSION_HANDLE session, unsigned long number, CK_OBJECT_HANDLE *object,
                   struct bench_error *error)
{
	static const CK_BYTE value[32] = {1};
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_KEY_TYPE type = CKK_AES;
	CK_BBOOL yes = CK_TRUE;
	char label[32];
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_ENCRYPT, &yes, sizeof(yes)},
		{CKA_VALUE, (void *)(uintptr_t)value, sizeof(value)},
		{CKA_LABEL, label, 0},
	};

	template[5].ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "object-%lu", number);
	return TOKEN_CALL(error, C_CreateObject, session, template, 6, object);
}

static CK_SESSION_HANDLE open_session(void)
{
	CK_SESSION_HANDLE session = 0;

	must(TOKEN_CALL(&problem, C_OpenSession, token.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
	                NULL, NULL, &session));
	return session;
}

/* ---- fill ---- */

struct filler {
	pthread_t thread;
	unsigned long from, to, step;
	struct bench_error error;
};

static void *fill(void *argument)
{
	struct filler *filler = argument;
	CK_SESSION_HANDLE session = open_session();
	CK_OBJECT_HANDLE object;

	for (unsigned long i = filler->from; i < filler->to; i += filler->step) {
		if (!create(session, i, &object, &filler->error))
			break;
	}
	return NULL;
}

static void fill_all(unsigned long from, unsigned long to, unsigned long threads)
{
	static struct filler fillers[THREAD_MAX];
	uint64_t begun = bench_now_ns();

	for (unsigned long i = 0; i < threads; i++) {
		fillers[i] = (struct filler){.from = from + i, .to = to, .step = threads};
		if (pthread_create(&fillers[i].thread, NULL, fill, &fillers[i]))
			exit(1);
	}
	for (unsigned long i = 0; i < threads; i++) {
		pthread_join(fillers[i].thread, NULL);
		problem = fillers[i].error;
		must(!problem.code);
	}
	printf("{\"created\": %lu, \"create_us\": %.1f}\n", to - from,
	       (double)(bench_now_ns() - begun) / 1e3 / (double)(to - from));
}

/* ---- look ---- */

static int by_size(const void *one, const void *other)
{
	const uint64_t *a = one, *b = other;

	return *a < *b ? -1 : *a > *b;
}

static double median_us(uint64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), by_size);
	return (double)times[count / 2] / 1e3;
}

static void find(CK_SESSION_HANDLE session, unsigned long number)
{
	char label[32];
	CK_ATTRIBUTE template = {CKA_LABEL, label, 0};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG count = 0;

	template.ulValueLen = (CK_ULONG)snprintf(label, sizeof(label), "object-%lu", number);
	must(TOKEN_CALL(&problem, C_FindObjectsInit, session, &template, 1) &&
	     TOKEN_CALL(&problem, C_FindObjects, session, found, 2, &count) &&
	     TOKEN_CALL(&problem, C_FindObjectsFinal, session));
	if (count != 1) {
		fprintf(stderr, "scale_bench: %lu objects are called %s\n", count, label);
		exit(1);
	}
}

static void look(unsigned long objects, double login_ms)
{
	static uint64_t times[FINDS];
	CK_SESSION_HANDLE session = open_session();
	double find_us;

	for (unsigned int i = 0; i < FINDS; i++) {
		uint64_t begun = bench_now_ns();

		find(session, (unsigned long)i * 7919 % objects);
		times[i] = bench_now_ns() - begun;
	}
	find_us = median_us(times, FINDS);
	for (unsigned int i = 0; i < CREATES; i++) {
		uint64_t begun = bench_now_ns();
		CK_OBJECT_HANDLE object;

		must(create(session, objects + i, &object, &problem) &&
		     TOKEN_CALL(&problem, C_DestroyObject, session, object));
		times[i] = bench_now_ns() - begun;
	}
	printf("{\"login_ms\": %.1f, \"find_us\": %.2f, \"create_destroy_us\": %.0f}\n", login_ms,
	       find_us, median_us(times, CREATES));
}

int main(int argc, char **argv)
{
	struct bench_options options = {0};
	uint64_t begun;

	if (argc < 5 || (!strcmp(argv[1], "fill") && argc < 7)) {
		fprintf(stderr, "usage: scale_bench fill MODULE PIN-FILE FROM TO THREADS\n"
		                "       scale_bench look MODULE PIN-FILE COUNT\n");
		return 2;
	}
	options.module_path = argv[2];
	options.pin_path = argv[3];
	begun = bench_now_ns();
	must(token_open(&options, &problem));
	if (!strcmp(argv[1], "look")) {
		look(strtoul(argv[4], NULL, 10), (double)(bench_now_ns() - begun) / 1e6);
	} else {
		unsigned long threads = strtoul(argv[6], NULL, 10);

		fill_all(strtoul(argv[4], NULL, 10), strtoul(argv[5], NULL, 10),
		         threads && threads <= THREAD_MAX ? threads : 1);
	}
	token_close();
	return 0;
}

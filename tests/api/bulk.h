/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of much data share: the window of this process, whether a call goes through it, and
 * the records that calls leave.
 */
#ifndef TESTS_API_BULK_H
#define TESTS_API_BULK_H

#include <signal.h>

#include "api.h"
#include "wire/window.h"

#define PART WIRE_WINDOW_PART_LEN

static inline CK_BYTE *bulk_data(size_t len)
{
	CK_BYTE *data = malloc(len);

	ASSERT_NOT_NULL(data);
	for (size_t i = 0; i < len; i++)
		data[i] = (CK_BYTE)(i * 7 + (i >> 11));
	return data;
}

/* The window of this process, which has one; our own memory, but not ours to know. */
static inline struct wire_window *bulk_window(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long begin = 0;
	char line[512];

	ASSERT_NOT_NULL(maps);
	while (fgets(line, sizeof(line), maps) && !strstr(line, "memfd:craton-hsm window"))
		;
	ASSERT_EQ(sscanf(line, "%lx-", &begin), 1);
	fclose(maps);
	return (struct wire_window *)begin; /* NOLINT(performance-no-int-to-ptr) */
}

/* ---- does a call go through it? ---- */

static struct wire_window *bulk_watched;
static volatile sig_atomic_t bulk_touched;

/* The first access faults, is noted, and happens again. */
static void bulk_on_fault(int number, siginfo_t *info, void *context)
{
	const uint8_t *at = info->si_addr, *first = (const uint8_t *)bulk_watched;

	(void)context;
	if (at < first || at >= first + sizeof(*bulk_watched)) {
		signal(number, SIG_DFL);
		return;
	}
	bulk_touched = 1;
	mprotect(bulk_watched, sizeof(*bulk_watched), PROT_READ | PROT_WRITE);
}

static inline void bulk_watch(void)
{
	struct sigaction action = {.sa_sigaction = bulk_on_fault, .sa_flags = SA_SIGINFO};

	bulk_watched = bulk_window();
	bulk_touched = 0;
	ASSERT_EQ(sigaction(SIGSEGV, &action, NULL), 0);
	ASSERT_EQ(mprotect(bulk_watched, sizeof(*bulk_watched), PROT_NONE), 0);
}

/* Has it been used since? */
static inline bool bulk_was_touched(void)
{
	ASSERT_EQ(mprotect(bulk_watched, sizeof(*bulk_watched), PROT_READ | PROT_WRITE), 0);
	signal(SIGSEGV, SIG_DFL);
	return bulk_touched;
}

/* ---- the audit log, of an agent that has ended ---- */

static inline unsigned int bulk_records_of(const char *operation)
{
	char line[2048], wanted[64];
	unsigned int count = 0;
	FILE *log = fopen(api_path("audit.jsonl"), "r");

	snprintf(wanted, sizeof(wanted), "\"operation\":\"%s\"", operation);
	ASSERT_NOT_NULL(log);
	while (fgets(line, sizeof(line), log))
		count += strstr(line, wanted) != NULL;
	fclose(log);
	return count;
}

#endif

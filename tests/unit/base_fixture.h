/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the lower rooms start from: locked memory, a state, a crypto context, and a scratch
 * folder. Each test runs in a process of its own, so nothing needs to be put back.
 */
#ifndef TESTS_UNIT_BASE_FIXTURE_H
#define TESTS_UNIT_BASE_FIXTURE_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "config.h"
#include "crypto.h"
#include "harness.h"
#include "slots.h"

static struct state base_state;
static struct crypto *base_crypto;
static char base_error[1024];
static char base_folder[64];

static inline void base_open_memory(void)
{
	ASSERT_EQ(slots_open(SLOTS_AUTO, base_error, sizeof(base_error)), 0);
}

static inline void base_open_crypto(void)
{
	base_open_memory();
	state_init(&base_state);
	ASSERT_EQ(crypto_open(&base_crypto, &base_state, base_error, sizeof(base_error)), 0);
	state_ready(&base_state);
}

static inline void base_remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", base_folder);
	if (system(command))
		printf("# %s could not be removed\n", base_folder);
}

/* A path in the scratch folder; good until the fourth next call. */
static inline const char *base_path(const char *name)
{
	static char paths[4][160];
	static unsigned int next;
	char *path = paths[next++ % 4];

	if (!base_folder[0]) {
		snprintf(base_folder, sizeof(base_folder), "/tmp/craton-unit.XXXXXX");
		ASSERT_NOT_NULL(mkdtemp(base_folder));
		atexit(base_remove_folder);
	}
	snprintf(path, sizeof(paths[0]), "%s/%s", base_folder, name);
	return path;
}

/* What a file may grow to, 0: as far as before. Beyond it a write fails. */
static inline void base_limit_files(rlim_t len)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = len ? len : limit.rlim_max;
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static inline void base_write(const char *path, const void *octets, size_t len, mode_t mode)
{
	FILE *file = fopen(path, "w");

	ASSERT_NOT_NULL(file);
	ASSERT_EQ(fwrite(octets, 1, len, file), len);
	ASSERT_EQ(fclose(file), 0);
	ASSERT_EQ(chmod(path, mode), 0);
}

static inline bool base_error_has(const char *text)
{
	if (strstr(base_error, text))
		return true;
	printf("# error: %s\n", base_error);
	return false;
}

#endif

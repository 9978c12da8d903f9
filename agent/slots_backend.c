/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The backends. Each maps whole chunks; dividing them is slots.c's business.
 */
#include "slots_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

/* A child would share pages that it must not see; a dump would hold them. Secret memory refuses
 * DONTDUMP, being never dumped. */
static void *protect(void *memory, size_t len)
{
	if (memory == MAP_FAILED)
		return NULL;
	if (!madvise(memory, len, MADV_DONTFORK))
		return memory;
	munmap(memory, len);
	return NULL;
}

static void *map_memfd(size_t len)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	void *memory = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (!ftruncate(fd, (off_t)len))
		memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return protect(memory, len);
}

static void *map_anonymous(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *map_mlock(size_t len)
{
	void *memory = map_anonymous(len);
	int error;

	if (memory == MAP_FAILED)
		return NULL;
	/* Pages are locked as they are used, so that a large chunk costs what is in it. */
	if (!mlock2(memory, len, MLOCK_ONFAULT) && !madvise(memory, len, MADV_DONTDUMP))
		return protect(memory, len);
	error = errno;
	munmap(memory, len);
	errno = error;
	return NULL;
}

static void *map_unlocked(size_t len)
{
	void *memory = map_anonymous(len);

#ifdef CRATON_TEST_HOOKS
	/* So that the test which looks for keys in this process can fail. */
	if (getenv("CRATON_TEST_PLAIN_MEMORY"))
		return memory == MAP_FAILED ? NULL : memory;
#endif
	if (memory != MAP_FAILED)
		madvise(memory, len, MADV_DONTDUMP);
	return protect(memory, len);
}

const struct slots_backend_row slots_backends[SLOTS_BACKEND_COUNT] = {
	{SLOTS_KMOD, "kmod", true, kernel_map},
	{SLOTS_MEMFD, "memfd_secret", true, map_memfd},
	{SLOTS_MLOCK, "mlock", true, map_mlock},
	{SLOTS_UNLOCKED, "none", false, map_unlocked},
};

void slots_backend_reason(const struct slots_backend_row *row, int error, char *reason,
                          size_t reason_len)
{
	const char *why = strerror(error);

	if (row->backend == SLOTS_KMOD && kernel_module() != KERNEL_READY)
		why = kernel_reason();
	else if (row->backend == SLOTS_KMOD && error == EDQUOT)
		why = "the user's quota is used up; raise the module's parameter "
		      "arena_bytes_per_uid";
	snprintf(reason, reason_len, "%s", why);
}

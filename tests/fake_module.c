/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel module that is not there: open, ioctl and mmap of /dev/craton-hsm, as far as the agent
 * uses them, answered in this process. Unit tests include it; script tests compile it as a shared
 * object and preload it. What it is like stands in the files of the folder $FAKE_MODULE, so that a
 * test can change it and registers outlive the process:
 *
 *   open-errno, info-errno, extend-errno, read-errno   the call fails so
 *   abi, arena-quota                                   what INFO says; an arena beyond it is EDQUOT
 *   register-ID                                        counter and value of a register
 *   extensions                                         one octet per successful extension
 *
 * Without $FAKE_MODULE everything goes to the kernel. To be included first: open() is not to be a
 * checked inline function.
 */
#undef _FORTIFY_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "craton_hsm.h"

#ifdef __SANITIZE_THREAD__ /* needs open and mmap itself */
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

#define FAKE_QUOTA    (64ull << 20)
#define FAKE_MAPS_MAX 256u

static struct {
	int fd; /* 0: not open */
	uint64_t used_len;
	struct {
		void *start;
		size_t len;
	} maps[FAKE_MAPS_MAX];
} fake_module;

/* ---- the folder ---- */

static FILE *fake_file(const char *name, const char *mode)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", getenv("FAKE_MODULE"), name);
	return fopen(path, mode);
}

static uint64_t fake_number(const char *name, uint64_t absent)
{
	FILE *file = fake_file(name, "r");
	unsigned long long number = absent;

	if (file && fscanf(file, "%llu", &number) != 1)
		abort();
	if (file)
		fclose(file);
	return number;
}

static bool fake_fails(const char *name)
{
	int error = (int)fake_number(name, 0);

	if (error)
		errno = error;
	return error;
}

/* ---- registers ---- */

struct fake_register {
	uint64_t counter;
	uint8_t value[CRATON_HSM_ANCHOR_LEN];
};

static void fake_register_path(const uint8_t *log_id, char path[512])
{
	int len = snprintf(path, 512, "%s/register-", getenv("FAKE_MODULE"));

	for (int i = 0; i < CRATON_HSM_LOG_ID_LEN; i++)
		snprintf(path + len + 2 * i, 3, "%02x", log_id[i]);
}

static bool fake_load(const uint8_t *log_id, struct fake_register *at)
{
	bool loaded;
	char path[512];
	FILE *file;

	fake_register_path(log_id, path);
	file = fopen(path, "r");
	loaded = file && fread(at, sizeof(*at), 1, file) == 1;

	if (file)
		fclose(file);
	return loaded;
}

/* At once: others read it. */
static void fake_save(const uint8_t *log_id, const struct fake_register *at)
{
	char path[512], fresh[520];
	FILE *file;

	fake_register_path(log_id, path);
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "w");
	if (!file || fwrite(at, sizeof(*at), 1, file) != 1 || fclose(file) || rename(fresh, path))
		abort();
}

static void fake_count(void)
{
	FILE *file = fake_file("extensions", "a");

	if (!file || fputc('+', file) == EOF || fclose(file))
		abort();
}

static int fake_show(struct craton_hsm_anchor *request, const struct fake_register *at)
{
	request->counter = at->counter;
	memcpy(request->anchor, at->value, sizeof(at->value));
	return 0;
}

static int fake_extend(struct craton_hsm_anchor *request)
{
	uint8_t input[2 * CRATON_HSM_ANCHOR_LEN];
	struct fake_register at = {0};

	if (fake_fails("extend-errno"))
		return -1;
	fake_load(request->log_id, &at);
	memcpy(input, at.value, sizeof(at.value));
	memcpy(input + sizeof(at.value), request->value, sizeof(request->value));
	if (!EVP_Digest(input, sizeof(input), at.value, NULL, EVP_sha256(), NULL))
		abort();
	at.counter++;
	fake_save(request->log_id, &at);
	fake_count();
	return fake_show(request, &at);
}

static int fake_read(struct craton_hsm_anchor *request)
{
	struct fake_register at;

	if (fake_fails("read-errno"))
		return -1;
	if (fake_load(request->log_id, &at))
		return fake_show(request, &at);
	errno = ENOENT;
	return -1;
}

static int fake_info(struct craton_hsm_info *request)
{
	if (fake_fails("info-errno"))
		return -1;
	request->abi = (uint32_t)fake_number("abi", CRATON_HSM_ABI);
	request->arena_len = fake_module.used_len;
	request->arena_quota_len = fake_number("arena-quota", FAKE_QUOTA);
	return 0;
}

/* ---- the calls that are taken over ---- */

#ifndef __SANITIZE_THREAD__
int ioctl(int fd, unsigned long number, ...);

static int fake_open_module(int flags)
{
	if (fake_fails("open-errno"))
		return -1;
	fake_module.fd = (int)syscall(SYS_memfd_create, "fake craton-hsm",
	                              flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	return fake_module.fd;
}

int open(const char *path, int flags, ...)
{
	unsigned int mode = 0;
	va_list arguments;

	va_start(arguments, flags);
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		mode = va_arg(arguments, unsigned int);
	va_end(arguments);
	if (getenv("FAKE_MODULE") && !strcmp(path, CRATON_HSM_DEVICE))
		return fake_open_module(flags);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int ioctl(int fd, unsigned long number, ...)
{
	va_list arguments;
	void *request;

	va_start(arguments, number);
	request = va_arg(arguments, void *);
	va_end(arguments);
	if (!fake_module.fd || fd != fake_module.fd)
		return (int)syscall(SYS_ioctl, fd, number, request);
	switch (number) {
	case CRATON_HSM_INFO:
		return fake_info(request);
	case CRATON_HSM_ANCHOR_EXTEND:
		return fake_extend(request);
	case CRATON_HSM_ANCHOR_READ:
		return fake_read(request);
	default:
		errno = ENOTTY;
		return -1;
	}
}

static void *fake_map(size_t len)
{
	void *memory;

	if (fake_module.used_len + len > fake_number("arena-quota", FAKE_QUOTA)) {
		errno = EDQUOT;
		return MAP_FAILED;
	}
	memory = (void *)syscall(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE,
	                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (unsigned int i = 0; i < FAKE_MAPS_MAX; i++) {
		if (fake_module.maps[i].start)
			continue;
		fake_module.maps[i].start = memory;
		fake_module.maps[i].len = len;
		fake_module.used_len += len;
		return memory;
	}
	abort();
}

void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
	if (fake_module.fd && fd == fake_module.fd)
		return fake_map(len);
	return (void *)syscall(SYS_mmap, address, len, protection, flags, fd, offset);
}

int munmap(void *address, size_t len)
{
	for (unsigned int i = 0; address && i < FAKE_MAPS_MAX; i++) {
		if (fake_module.maps[i].start != address)
			continue;
		if (fake_module.maps[i].len != len) { /* a part of an arena cannot be given back */
			errno = EINVAL;
			return -1;
		}
		fake_module.used_len -= len;
		fake_module.maps[i].start = NULL;
	}
	return (int)syscall(SYS_munmap, address, len);
}
#endif

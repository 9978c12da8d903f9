/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs that run in the virtual machine share: short forms of the calls of
 * include/uapi/craton_hsm.h, and children that act as somebody else. Calls return 0 or errno, so
 * that a test compares one number. They run as root in a machine that is thrown away.
 */
#ifndef TESTS_VM_DEVICE_H
#define TESTS_VM_DEVICE_H

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <craton_hsm.h>

#include "harness.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SOMEBODY     1000 /* a user id that is not root's */
#define ANOTHER      1001

static inline int call(int device, unsigned int command, void *argument)
{
	return ioctl(device, command, argument) ? errno : 0;
}

/* Everybody may open it here: whose slots are whose is the module's to decide, not the folder's. */
static inline int device_open(void)
{
	int device;

	if (geteuid() == 0)
		ASSERT_EQ(chmod(CRATON_HSM_DEVICE, 0666), 0);
	device = open(CRATON_HSM_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_GE(device, 0);
	return device;
}

static inline struct craton_hsm_info info_of(int device)
{
	struct craton_hsm_info info = {.size = sizeof(info)};

	ASSERT_EQ(call(device, CRATON_HSM_INFO, &info), 0);
	return info;
}

/* ---- slots */

static inline struct craton_hsm_slot_create slot_request(uint32_t flags, uint32_t purpose,
                                                         const void *key, uint32_t key_len)
{
	struct craton_hsm_slot_create request = {
		.size = sizeof(request),
		.flags = flags,
		.purpose = purpose,
		.key_len = key_len,
		.key = (uintptr_t)key,
		.label = "a test",
	};

	return request;
}

/* From `key`, or generated when it is NULL; ends the test when that fails. */
static inline uint32_t slot_make(int device, uint32_t flags, uint32_t purpose, const void *key,
                                 uint32_t key_len)
{
	struct craton_hsm_slot_create request =
		slot_request(flags | (key ? 0 : CRATON_HSM_GENERATE), purpose, key, key_len);

	ASSERT_EQ(call(device, CRATON_HSM_SLOT_CREATE, &request), 0);
	ASSERT_NE(request.slot, 0);
	return request.slot;
}

static inline uint32_t slot_generic(int device, uint32_t flags)
{
	return slot_make(device, flags, CRATON_HSM_GENERIC, NULL, 32);
}

static inline uint32_t slot_kek(int device, const void *key)
{
	return slot_make(device, CRATON_HSM_SEALED, CRATON_HSM_KEY_ENCRYPTION, key,
	                 CRATON_HSM_KEK_LEN);
}

static inline uint32_t slot_volume(int device, const void *key, uint32_t key_len)
{
	return slot_make(device, CRATON_HSM_SEALED, CRATON_HSM_VOLUME, key, key_len);
}

static inline int slot_read(int device, uint32_t slot, void *key, uint32_t *key_len)
{
	struct craton_hsm_slot_read request = {
		.size = sizeof(request), .slot = slot, .key_len = *key_len, .key = (uintptr_t)key};
	int result = call(device, CRATON_HSM_SLOT_READ, &request);

	*key_len = request.key_len;
	return result;
}

static inline int slot_destroy(int device, uint32_t slot)
{
	struct craton_hsm_slot_destroy request = {.size = sizeof(request), .slot = slot};

	return call(device, CRATON_HSM_SLOT_DESTROY, &request);
}

static inline int slot_describe(int device, uint32_t slot, struct craton_hsm_slot *description)
{
	struct craton_hsm_slot_describe request = {.size = sizeof(request), .slot = slot};
	int result = call(device, CRATON_HSM_SLOT_DESCRIBE, &request);

	*description = request.description;
	return result;
}

static inline int slot_list(int device, uint32_t after, struct craton_hsm_slot *entries,
                            uint32_t *count)
{
	struct craton_hsm_slot_list request = {.size = sizeof(request),
	                                       .after = after,
	                                       .count = *count,
	                                       .entries = (uintptr_t)entries};
	int result = call(device, CRATON_HSM_SLOT_LIST, &request);

	*count = request.count;
	return result;
}

/* 0 or ENOENT. */
static inline int slot_find(int device, uint32_t slot)
{
	struct craton_hsm_slot description;

	return slot_describe(device, slot, &description);
}

static inline int32_t slot_serial(int device, uint32_t slot)
{
	struct craton_hsm_slot description;

	ASSERT_EQ(slot_describe(device, slot, &description), 0);
	return description.serial;
}

/* ---- wrapped keys */

static inline int slot_wrap(int device, uint32_t kek, uint32_t slot, void *blob, uint32_t *blob_len)
{
	struct craton_hsm_wrap request = {.size = sizeof(request),
	                                  .kek = kek,
	                                  .slot = slot,
	                                  .blob = (uintptr_t)blob,
	                                  .blob_len = *blob_len};
	int result = call(device, CRATON_HSM_WRAP, &request);

	*blob_len = request.blob_len;
	return result;
}

static inline int slot_unwrap(int device, uint32_t kek, const void *blob, uint32_t blob_len,
                              uint32_t *slot)
{
	struct craton_hsm_unwrap request = {
		.size = sizeof(request), .kek = kek, .blob_len = blob_len, .blob = (uintptr_t)blob};
	int result = call(device, CRATON_HSM_UNWRAP, &request);

	*slot = request.slot;
	return result;
}

/* ---- others */

static inline void become(uid_t uid)
{
	ASSERT_EQ(setgroups(0, NULL), 0);
	ASSERT_EQ(setresgid(uid, uid, uid), 0);
	ASSERT_EQ(setresuid(uid, uid, uid), 0);
}

/* Runs it in a child of its own; what fails there fails the test. */
static inline void in_child(void (*run)(void *), void *argument)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		harness_failed = false; /* what failed before is not this child's */
		run(argument);
		harness_end(harness_failed ? HARNESS_FAILED : 0);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
}

/* Asks again every 10 milliseconds until the condition holds; false after `seconds`. */
static inline bool comes_true(bool (*condition)(void *), void *argument, unsigned int seconds)
{
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		if (condition(argument))
			return true;
		poll(NULL, 0, 10);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - from.tv_sec <= (time_t)seconds);
	return condition(argument);
}

/* ---- small files of /proc and /sys */

static inline bool file_write(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (file < 0)
		return false;
	written = write(file, text, strlen(text)) == (ssize_t)strlen(text);
	/* The error of the write is the caller's to see. */
	int error = errno;
	close(file);
	errno = error;
	return written;
}

/* The text without its last newline; NULL when the file is not there. */
static inline char *file_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return NULL;
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

#endif

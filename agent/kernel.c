/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the device, explains when it cannot, and passes on what the others ask of it.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "craton_hsm.h"

_Static_assert(KERNEL_LOG_ID_LEN == CRATON_HSM_LOG_ID_LEN, "the module's log id");
_Static_assert(KERNEL_REGISTER_LEN == CRATON_HSM_ANCHOR_LEN, "the module's register");

/* The exception that kernel.h explains. */
static struct {
	enum kernel_module module;
	int fd;
	uint32_t abi;
	char reason[256];
} device = {.fd = -1};

const char *kernel_device(void)
{
#ifdef CRATON_TEST_HOOKS
	const char *other = getenv("CRATON_TEST_DEVICE");

	if (other)
		return other;
#endif
	return CRATON_HSM_DEVICE;
}

static void refuse(enum kernel_module module, const char *why)
{
	device.module = module;
	snprintf(device.reason, sizeof(device.reason), "%s: %s", kernel_device(), why);
}

static void refuse_open(int error)
{
	switch (error) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		refuse(KERNEL_MISSING,
		       "the kernel module is not loaded; install it and run modprobe craton_hsm");
		break;
	case EACCES:
	case EPERM:
		refuse(KERNEL_DENIED, "permission denied; the daemon's user must be in the "
		                      "device's group, and the udev rule installed");
		break;
	default:
		refuse(KERNEL_FAILED, strerror(error));
	}
}

static void refuse_abi(void)
{
	char why[160];

	snprintf(why, sizeof(why),
	         "the loaded module speaks ABI %u, this program ABI %u; install both from one "
	         "version and load the module anew",
	         device.abi, CRATON_HSM_ABI);
	refuse(KERNEL_OTHER_ABI, why);
}

static int ask(struct craton_hsm_info *info)
{
	*info = (struct craton_hsm_info){.size = sizeof(*info)};
	return ioctl(device.fd, CRATON_HSM_INFO, info);
}

static void check_version(void)
{
	struct craton_hsm_info info;

	if (ask(&info)) {
		refuse(KERNEL_FAILED,
		       errno == ENOTTY ? "it is not the kernel module's device" : strerror(errno));
		return;
	}
	device.abi = info.abi;
	if (info.abi == CRATON_HSM_ABI)
		device.module = KERNEL_READY;
	else
		refuse_abi();
}

static void close_device(void)
{
	if (device.fd >= 0)
		close(device.fd);
	device.fd = -1;
}

void kernel_open(void)
{
	if (device.module != KERNEL_UNTRIED)
		return;
	device.fd = open(kernel_device(), O_RDWR | O_CLOEXEC);
	if (device.fd < 0)
		refuse_open(errno);
	else
		check_version();
	if (device.module != KERNEL_READY)
		close_device();
}

void kernel_close(void)
{
	close_device();
	device.module = KERNEL_UNTRIED;
	device.abi = 0;
	device.reason[0] = '\0';
}

enum kernel_module kernel_module(void)
{
	return device.module;
}

const char *kernel_module_name(enum kernel_module module)
{
	static const char *const names[] = {
		[KERNEL_UNTRIED] = "untried",     [KERNEL_READY] = "ready",
		[KERNEL_MISSING] = "missing",     [KERNEL_DENIED] = "denied",
		[KERNEL_OTHER_ABI] = "other-abi", [KERNEL_FAILED] = "failed",
	};

	return names[module];
}

const char *kernel_reason(void)
{
	return device.reason;
}

void kernel_statistics(struct kernel_statistics *statistics)
{
	struct craton_hsm_info info = {0};

	*statistics = (struct kernel_statistics){.module = device.module, .abi = device.abi};
	if (device.module != KERNEL_READY || ask(&info))
		return;
	statistics->arena_len = info.arena_len;
	statistics->arena_quota_len = info.arena_quota_len;
}

void *kernel_map(size_t len)
{
	void *memory;

	if (device.module != KERNEL_READY) {
		errno = ENODEV;
		return NULL;
	}
	memory = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, device.fd, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* ---- registers ---- */

static int call(unsigned long number, struct craton_hsm_anchor *request,
                const uint8_t log_id[KERNEL_LOG_ID_LEN], struct kernel_register *now)
{
	request->size = sizeof(*request);
	memcpy(request->log_id, log_id, KERNEL_LOG_ID_LEN);
	if (ioctl(device.fd, number, request))
		return -errno;
	now->counter = request->counter;
	memcpy(now->value, request->anchor, KERNEL_REGISTER_LEN);
	return 0;
}

static int extend(const uint8_t log_id[KERNEL_LOG_ID_LEN], const uint8_t value[KERNEL_REGISTER_LEN],
                  struct kernel_register *now)
{
	struct craton_hsm_anchor request = {0};

	memcpy(request.value, value, KERNEL_REGISTER_LEN);
	return call(CRATON_HSM_ANCHOR_EXTEND, &request, log_id, now);
}

static int read_register(const uint8_t log_id[KERNEL_LOG_ID_LEN], struct kernel_register *now)
{
	struct craton_hsm_anchor request = {0};
	int failed = call(CRATON_HSM_ANCHOR_READ, &request, log_id, now);

	if (failed != -ENOENT)
		return failed;
	*now = (struct kernel_register){0};
	return 0;
}

const struct kernel_anchor *kernel_anchor(void)
{
	static const struct kernel_anchor anchor = {extend, read_register};

	return device.module == KERNEL_READY ? &anchor : NULL;
}

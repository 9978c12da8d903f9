/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings of volumes by the device mapper. The target names the key by its description, so no
 * octet of it passes here. The mapping's UUID says that it is ours.
 */
#include <libdevmapper.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "volume_parts.h"

/* "CRYPT-" is what lsblk(8) and systemd know encrypted mappings by. */
#define UUID_PREFIX "CRYPT-CRATON-HSM-"
#define UUID_MAX    (sizeof(UUID_PREFIX) + VOLUME_NAME_MAX)
#define REASON_MAX  256u
#define LEVEL_ERROR 3 /* of the library's log, as syslog counts */

/* The library's last complaint: its log function carries no context. It says only once that there
 * is no device mapper, so what it said before is kept. */
static char reason[REASON_MAX];

__attribute__((format(printf, 5, 6))) static void note_reason(int level, const char *file, int line,
                                                              int error, const char *format, ...)
{
	va_list arguments;

	(void)file;
	(void)line;
	(void)error;
	if ((level & 7) > LEVEL_ERROR)
		return;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
}

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	dm_log_with_errno_init(note_reason);
	task = dm_task_create(type);
	if (task && dm_task_set_name(task, name))
		return task;
	if (task)
		dm_task_destroy(task);
	return NULL;
}

static void task_free(struct dm_task **task)
{
	if (*task)
		dm_task_destroy(*task);
}

#define task_auto __attribute__((cleanup(task_free))) struct dm_task *

static bool fail(const char *what, const char *name)
{
	admin_fail("%s %s: %s", what, name, reason[0] ? reason : "the device mapper fails");
	return false;
}

/* Runs it and waits until udev has made or removed the node, where there is a udev. */
static bool run(struct dm_task *task)
{
	uint32_t cookie = 0;
	int done = dm_task_set_cookie(task, &cookie, 0) && dm_task_run(task);

	dm_udev_wait(cookie);
	return done;
}

static void uuid_of(const char *name, char uuid[UUID_MAX])
{
	snprintf(uuid, UUID_MAX, UUID_PREFIX "%s", name);
}

enum volume_state volume_mapping_state(const char *name)
{
	task_auto task = task_new(DM_DEVICE_INFO, name);
	char uuid[UUID_MAX];
	struct dm_info info;
	const char *found;

	if (!task || !dm_task_run(task) || !dm_task_get_info(task, &info))
		return VOLUME_UNKNOWN;
	if (!info.exists)
		return VOLUME_CLOSED;
	uuid_of(name, uuid);
	found = dm_task_get_uuid(task);
	return found && !strcmp(found, uuid) ? VOLUME_OPEN : VOLUME_FOREIGN;
}

uint64_t volume_mapping_sectors(const struct volume_entry *entry,
                                const struct volume_device *device)
{
	uint64_t room = entry->offset < device->sectors ? device->sectors - entry->offset : 0;
	uint64_t wanted = entry->sectors ? entry->sectors : room;

	if (!entry->sectors && entry->sector_size)
		wanted -= wanted % (entry->sector_size / VOLUME_SECTOR_LEN);
	if (wanted && wanted <= room)
		return wanted;
	admin_fail("%s has %llu sectors of %u octets, too few for volume %s", device->path,
	           (unsigned long long)device->sectors, VOLUME_SECTOR_LEN, entry->name);
	return 0;
}

/* Kernel, Documentation/admin-guide/device-mapper/dm-crypt.rst. */
void volume_mapping_parameters(const struct volume_entry *entry, const struct volume_device *device,
                               char parameters[VOLUME_PARAMETERS_MAX])
{
	bool large = entry->sector_size != VOLUME_SECTOR_LEN;
	char options[64] = "";

	if (large || entry->allow_discards)
		snprintf(options, sizeof(options), " %d%s", large + entry->allow_discards,
		         entry->allow_discards ? " allow_discards" : "");
	if (large)
		snprintf(options + strlen(options), sizeof(options) - strlen(options),
		         " sector_size:%u", entry->sector_size);
	snprintf(parameters, VOLUME_PARAMETERS_MAX,
	         "%s :%u:logon:" VOLUME_LOGON_PREFIX "%s 0 %u:%u %llu%s", entry->cipher,
	         entry->key_len, entry->name, major(device->number), minor(device->number),
	         (unsigned long long)entry->offset, options);
}

bool volume_mapping_make(const struct volume_entry *entry, const struct volume_device *device,
                         bool read_only)
{
	uint64_t sectors = volume_mapping_sectors(entry, device);
	char parameters[VOLUME_PARAMETERS_MAX], uuid[UUID_MAX];
	task_auto task = NULL;

	if (!sectors)
		return false;
	volume_mapping_parameters(entry, device, parameters);
	uuid_of(entry->name, uuid);
	task = task_new(DM_DEVICE_CREATE, entry->name);
	if (task && dm_task_set_uuid(task, uuid) && (!read_only || dm_task_set_ro(task)) &&
	    dm_task_add_target(task, 0, sectors, "crypt", parameters) && run(task))
		return true;
	return fail("mapping", entry->name);
}

bool volume_mapping_remove(const char *name)
{
	task_auto task = task_new(DM_DEVICE_REMOVE, name);

	/* udev may still be looking at it. */
	if (task && dm_task_retry_remove(task) && run(task))
		return true;
	return fail("closing", name);
}

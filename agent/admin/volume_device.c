/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block devices of volumes: finding them, their size, and whether something known lies on them.
 */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "volume_parts.h"

#define PARTUUID "PARTUUID"

/* An absolute path stays as it is: /dev/mapper/x is a better name than what it points to. */
static bool find_path(const char *where, char path[PATH_MAX])
{
	const char *tag = strncmp(where, PARTUUID "=", strlen(PARTUUID "=")) ? NULL : where;
	char *found = NULL;
	bool fits;

	if (tag)
		found = blkid_evaluate_tag(PARTUUID, tag + strlen(PARTUUID "="), NULL);
	else if (where[0] == '/')
		found = strdup(where);
	else
		found = realpath(where, NULL);
	if (!found) {
		admin_fail("%s: %s", where, tag ? "no such partition" : strerror(errno));
		return false;
	}
	fits = snprintf(path, PATH_MAX, "%s", found) < PATH_MAX;
	free(found);
	if (!fits)
		admin_fail("%s: %s", where, strerror(ENAMETOOLONG));
	return fits;
}

bool volume_device_open(const char *where, struct volume_device *device)
{
	struct stat status;
	uint64_t len;

	device->fd = -1;
	if (!find_path(where, device->path))
		return false;
	device->fd = open(device->path, O_RDONLY | O_CLOEXEC);
	if (device->fd < 0 || fstat(device->fd, &status)) {
		admin_fail("%s: %s", device->path, strerror(errno));
		return false;
	}
	if (!S_ISBLK(status.st_mode)) {
		admin_fail("%s: not a block device", device->path);
		return false;
	}
	if (ioctl(device->fd, BLKGETSIZE64, &len)) {
		admin_fail("%s: %s", device->path, strerror(errno));
		return false;
	}
	device->number = status.st_rdev;
	device->sectors = len / VOLUME_SECTOR_LEN;
	return true;
}

void volume_device_close(struct volume_device *device)
{
	if (device->fd >= 0)
		close(device->fd);
	device->fd = -1;
}

/* ---- what lies on it ---- */

static const char *value(blkid_probe probe, const char *name)
{
	const char *text;

	return blkid_probe_lookup_value(probe, name, &text, NULL) ? NULL : text;
}

/* -2: several signatures that contradict each other; 0: one; 1: none. */
static bool judge(blkid_probe probe, const char *path)
{
	int found = blkid_do_safeprobe(probe);
	const char *type;

	if (found == 1)
		return true;
	if (found == -2) {
		admin_fail("%s holds several things at once; --force if none is needed", path);
		return false;
	}
	if (found) {
		admin_fail("%s cannot be searched for what it holds: %s", path, strerror(errno));
		return false;
	}
	type = value(probe, "TYPE");
	if (!type)
		type = value(probe, "PTTYPE");
	admin_fail("%s holds %s; --force if it is not needed any more", path,
	           type ? type : "something");
	return false;
}

bool volume_device_is_blank(const struct volume_device *device, uint64_t offset, uint64_t sectors)
{
	blkid_probe probe = blkid_new_probe();
	bool blank;

	if (!probe ||
	    blkid_probe_set_device(probe, device->fd, (blkid_loff_t)(offset * VOLUME_SECTOR_LEN),
	                           (blkid_loff_t)(sectors * VOLUME_SECTOR_LEN))) {
		blkid_free_probe(probe);
		admin_fail("%s cannot be searched for what it holds", device->path);
		return false;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_enable_partitions(probe, 1);
	blank = judge(probe, device->path);
	blkid_free_probe(probe);
	return blank;
}

/* The id of the partition that this is, NULL when it is none. */
static const char *partition_id(blkid_probe probe, const struct volume_device *device)
{
	if (!probe || blkid_probe_set_device(probe, device->fd, 0, 0))
		return NULL;
	blkid_probe_enable_superblocks(probe, 0);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
	return blkid_do_safeprobe(probe) < 0 ? NULL : value(probe, "PART_ENTRY_UUID");
}

bool volume_device_hint(const struct volume_device *device, char hint[VOLUME_DEVICE_MAX + 1])
{
	blkid_probe probe = blkid_new_probe();
	const char *id = partition_id(probe, device);
	int len;

	if (id)
		len = snprintf(hint, VOLUME_DEVICE_MAX + 1, PARTUUID "=%s", id);
	else
		len = snprintf(hint, VOLUME_DEVICE_MAX + 1, "%s", device->path);
	blkid_free_probe(probe);
	if (len <= (int)VOLUME_DEVICE_MAX)
		return true;
	admin_fail("%s: the path is too long to be recorded", device->path);
	return false;
}

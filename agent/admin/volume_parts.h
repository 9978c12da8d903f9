/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin volume: what its files share. volume.c has the verbs that only talk to the
 * agent, volume_open.c those that map; each of the others knows one library: libblkid
 * (volume_device.c), libkeyutils (volume_keyring.c), libdevmapper (volume_mapping.c).
 */
#ifndef ADMIN_VOLUME_PARTS_H
#define ADMIN_VOLUME_PARTS_H

#include <limits.h>
#include <sys/types.h>

#include "admin.h"
#include "volume_record.h"

/* A volume as the agent describes it. */
struct volume_entry {
	char name[VOLUME_NAME_MAX + 1];
	char cipher[VOLUME_CIPHER_MAX + 1];
	char device[VOLUME_DEVICE_MAX + 1];
	uint32_t key_len, sector_size;
	uint64_t offset, sectors;
	bool allow_discards, damaged;
};

/* ---- volume.c ---- */

/* The one argument, or a line on standard error and NULL. */
const char *volume_name(const struct admin_options *options);
/* The volume of this name. *rv, no line, when there is none. */
bool volume_fetch(struct admin_session *session, const char *name, struct volume_entry *entry,
                  CK_RV *rv);

/* ---- volume_device.c ---- */

struct volume_device {
	char path[PATH_MAX];
	int fd; /* -1: not open */
	dev_t number;
	uint64_t sectors; /* of 512 octets */
};

/* A block device by path or as "PARTUUID=...". False with a line; to be closed either way. */
bool volume_device_open(const char *where, struct volume_device *device);
void volume_device_close(struct volume_device *device);
#define volume_device_auto __attribute__((cleanup(volume_device_close))) struct volume_device
/* Does that part of it (0 sectors: the rest) hold nothing that is known? Else, or when that cannot
 * be told, a line and false. */
bool volume_device_is_blank(const struct volume_device *device, uint64_t offset, uint64_t sectors);
/* How to find it again: "PARTUUID=..." or its path. False with a line when that is too long. */
bool volume_device_hint(const struct volume_device *device, char hint[VOLUME_DEVICE_MAX + 1]);

/* ---- volume_keyring.c ---- */

/*
 * A keyring for one volume's key which the agent at the other end of `connection` may search and
 * write to. It ends with this process, or with `keep` stays in the session's keyring. 0 with a line
 * on standard error.
 */
int32_t volume_keyring_make(const struct connection *connection, const char *name, bool keep);
/* Takes the keyring away, and the key in it. */
void volume_keyring_drop(int32_t keyring, bool keep);
/* Takes away what the session's keyring has of this volume; true when it had something. */
bool volume_keyring_purge(const char *name);

/* ---- volume_mapping.c ---- */

enum volume_state {
	VOLUME_CLOSED,
	VOLUME_OPEN,
	VOLUME_FOREIGN, /* a mapping of this name is none of ours */
	VOLUME_UNKNOWN, /* the device mapper does not say */
};

enum volume_state volume_mapping_state(const char *name);
/* How many sectors the mapping has; 0 with a line when the device is too small. */
uint64_t volume_mapping_sectors(const struct volume_entry *entry,
                                const struct volume_device *device);
/* The parameters of its target. */
#define VOLUME_PARAMETERS_MAX 512u
void volume_mapping_parameters(const struct volume_entry *entry, const struct volume_device *device,
                               char parameters[VOLUME_PARAMETERS_MAX]);
/* Makes or removes /dev/mapper/NAME. All or nothing; false with a line on standard error. */
bool volume_mapping_make(const struct volume_entry *entry, const struct volume_device *device,
                         bool read_only);
bool volume_mapping_remove(const char *name);

#endif

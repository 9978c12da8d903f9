/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes and their key-encryption keys as objects of a token: making them, finding them. What
 * volume.c and volume_rewrap.c share; nobody else includes it.
 */
#ifndef AGENT_VOLUME_OBJECT_H
#define AGENT_VOLUME_OBJECT_H

#include "volume.h"

#define VOLUME_APPLICATION "craton-hsm volume"
#define VOLUME_KEK_LABEL   "craton-hsm volume key-encryption key"

/* Token objects, each counted, oldest first. */
struct volume_objects {
	struct object **list;
	size_t count;
};

void volume_objects_free(struct volume_objects *objects);
#define volume_objects_auto __attribute__((cleanup(volume_objects_free))) struct volume_objects

/* The volumes with this name (empty: all). */
enum err volume_objects_find(const struct volume_scope *scope, struct wire_bytes name,
                             struct volume_objects *found) MUST_CHECK;
/* A data object with this record, not yet published. */
enum err volume_object_make(struct wire_bytes name, const struct volume_record *record,
                            struct object **object) MUST_CHECK;
/* Its name, borrowed. */
struct wire_bytes volume_object_name(const struct object *object);
/* Reads it, and counts it once more. ERROR_VOLUME_DAMAGED when its record is not whole. */
enum err volume_read(struct object *object, struct volume *volume) MUST_CHECK;

/* A fresh key-encryption key, not yet published. */
enum err volume_kek_make(const struct volume_scope *scope, struct object **kek) MUST_CHECK;
/* Those with this id (empty: any). Only keys that the agent could have made: whatever a client
 * made is no secret of the token's, or can be destroyed. */
enum err volume_kek_find(const struct volume_scope *scope, struct wire_bytes id,
                         struct volume_objects *found) MUST_CHECK;
/* Its id, borrowed. */
struct wire_bytes volume_kek_id(const struct object *kek);
/* Makes it ready for use; `kek` outlives *imported. */
enum err volume_kek_import(struct volume_keys *keys, const struct object *kek,
                           struct volume_kek *imported) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of a token in memory, found by handle, class, key type, label, id, and (session
 * objects) application, each in near constant time. No locks: the token's guard it.
 */
#ifndef AGENT_OBJECT_TABLE_H
#define AGENT_OBJECT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "object.h"

struct object_table;

/* `seed` keeps clients from choosing labels that collide. NULL: no memory. */
struct object_table *object_table_new(uint64_t seed);
void object_table_free(struct object_table *table);
/* Takes a reference of its own. The handle is set and in no other entry. */
enum err object_table_insert(struct object_table *table, struct object *object) MUST_CHECK;
/* Drops the table's reference. False when there is no such handle. */
bool object_table_remove(struct object_table *table, uint32_t handle);
/* The successor has the same handle. ERROR_OBJECT_HANDLE when it is not there. */
enum err object_table_replace(struct object_table *table, struct object *successor) MUST_CHECK;
/* Borrowed, or NULL. */
struct object *object_table_find(const struct object_table *table, uint32_t handle);
uint32_t object_table_count(const struct object_table *table);

/*
 * Calls `each` for every object that may match the template, by the index that leaves the fewest,
 * or for all; in no order. `each` checks the match itself; false stops.
 */
void object_table_candidates(const struct object_table *table, const struct wire_template *template,
                             bool (*each)(void *context, struct object *object, uint64_t age),
                             void *context);
/* Removes every object for which `wanted` is true: all (application NULL), or the session objects
 * of one application. */
void object_table_remove_if(struct object_table *table, const struct application *application,
                            bool (*wanted)(const void *context, const struct object *object),
                            const void *context);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash chains through the entries, one per index. A chain head keeps its length, so that a search
 * takes the shortest.
 */
#include "object_table.h"

#include <stdlib.h>
#include <string.h>

#define HEADS_INITIAL 64u

enum index_id {
	INDEX_HANDLE,
	INDEX_APPLICATION,
	INDEX_CLASS,
	INDEX_KEY_TYPE,
	INDEX_LABEL,
	INDEX_ID,
	INDEX_COUNT
};

/* The attribute behind an index; the first two are no attributes. An absent label or id reads as an
 * empty one (template_read), so it is indexed as that. */
static const struct {
	uint64_t type;
	bool absent_is_empty;
} index_rows[INDEX_COUNT] = {
	[INDEX_CLASS] = {CKA_CLASS, false},
	[INDEX_KEY_TYPE] = {CKA_KEY_TYPE, false},
	[INDEX_LABEL] = {CKA_LABEL, true},
	[INDEX_ID] = {CKA_ID, true},
};

struct entry {
	struct object *object;
	uint64_t age;
	bool linked[INDEX_COUNT];
	uint64_t hashes[INDEX_COUNT];
	struct entry *next[INDEX_COUNT], *previous[INDEX_COUNT];
	struct entry *next_of_all, *previous_of_all;
};

struct head {
	struct entry *first;
	uint32_t count;
};

struct object_table {
	uint64_t seed, next_age;
	uint32_t count, head_count; /* a power of two */
	struct head *heads[INDEX_COUNT];
	struct entry *all;
};

/* Multiplies and folds; seeded, so that collisions cannot be prepared. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)(a ^ 0x9e3779b97f4a7c15u) * (b | 1);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(const struct object_table *table, struct wire_bytes bytes)
{
	uint64_t hash = mix(table->seed, bytes.len + 1);

	for (size_t at = 0; at < bytes.len; at += 8) {
		uint64_t word = 0;

		memcpy(&word, bytes.data + at, bytes.len - at < 8 ? bytes.len - at : 8);
		hash = mix(hash ^ word, table->seed);
	}
	return hash;
}

static uint64_t hash_number(const struct object_table *table, uint64_t number)
{
	return mix(number + 1, table->seed);
}

static uint64_t hash_attribute(const struct object_table *table,
                               const struct wire_attribute *attribute)
{
	if (attribute->kind == WIRE_ATTRIBUTE_NUMBER)
		return hash_number(table, attribute->number);
	return hash_bytes(table, attribute->value);
}

static struct head *head_of(const struct object_table *table, enum index_id index, uint64_t hash)
{
	return &table->heads[index][hash & (table->head_count - 1)];
}

static void link_entry(struct object_table *table, struct entry *entry, enum index_id index)
{
	struct head *head = head_of(table, index, entry->hashes[index]);

	entry->previous[index] = NULL;
	entry->next[index] = head->first;
	if (head->first)
		head->first->previous[index] = entry;
	head->first = entry;
	head->count++;
}

static void unlink_entry(struct object_table *table, struct entry *entry, enum index_id index)
{
	struct head *head = head_of(table, index, entry->hashes[index]);

	if (entry->previous[index])
		entry->previous[index]->next[index] = entry->next[index];
	else
		head->first = entry->next[index];
	if (entry->next[index])
		entry->next[index]->previous[index] = entry->previous[index];
	head->count--;
}

static void hash_entry(const struct object_table *table, struct entry *entry)
{
	const struct object *object = entry->object;
	struct wire_attribute attribute;

	entry->linked[INDEX_HANDLE] = true;
	entry->hashes[INDEX_HANDLE] = hash_number(table, object->handle);
	entry->linked[INDEX_APPLICATION] = !object->is_token;
	entry->hashes[INDEX_APPLICATION] = hash_number(table, (uintptr_t)object->application);
	for (int i = INDEX_CLASS; i < INDEX_COUNT; i++) {
		bool present = attributes_get(&object->attributes, index_rows[i].type, &attribute);

		entry->linked[i] = present || index_rows[i].absent_is_empty;
		if (present)
			entry->hashes[i] = hash_attribute(table, &attribute);
		else
			entry->hashes[i] = hash_bytes(table, (struct wire_bytes){NULL, 0});
	}
}

static void link_all(struct object_table *table, struct entry *entry)
{
	for (int i = 0; i < INDEX_COUNT; i++) {
		if (entry->linked[i])
			link_entry(table, entry, (enum index_id)i);
	}
}

static void unlink_all(struct object_table *table, struct entry *entry)
{
	for (int i = 0; i < INDEX_COUNT; i++) {
		if (entry->linked[i])
			unlink_entry(table, entry, (enum index_id)i);
	}
}

/* ---- growing ---- */

static bool make_heads(struct head *heads[INDEX_COUNT], uint32_t count)
{
	bool complete = true;

	for (int i = 0; i < INDEX_COUNT; i++) {
		heads[i] = calloc(count, sizeof(*heads[i]));
		complete &= heads[i] != NULL;
	}
	for (int i = 0; !complete && i < INDEX_COUNT; i++) {
		free(heads[i]);
		heads[i] = NULL;
	}
	return complete;
}

/* Without memory for more heads the chains only get longer. */
static void grow(struct object_table *table)
{
	struct head *heads[INDEX_COUNT];

	if (table->count <= table->head_count || !make_heads(heads, table->head_count * 2))
		return;
	for (int i = 0; i < INDEX_COUNT; i++) {
		free(table->heads[i]);
		table->heads[i] = heads[i];
	}
	table->head_count *= 2;
	for (struct entry *entry = table->all; entry; entry = entry->next_of_all)
		link_all(table, entry);
}

struct object_table *object_table_new(uint64_t seed)
{
	struct object_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->seed = mix(seed, 0x2545f4914f6cdd1du) | 1;
	table->head_count = HEADS_INITIAL;
	if (make_heads(table->heads, HEADS_INITIAL))
		return table;
	free(table);
	return NULL;
}

static void remove_entry(struct object_table *table, struct entry *entry)
{
	unlink_all(table, entry);
	if (entry->previous_of_all)
		entry->previous_of_all->next_of_all = entry->next_of_all;
	else
		table->all = entry->next_of_all;
	if (entry->next_of_all)
		entry->next_of_all->previous_of_all = entry->previous_of_all;
	table->count--;
	object_put(entry->object);
	free(entry);
}

void object_table_free(struct object_table *table)
{
	if (!table)
		return;
	while (table->all)
		remove_entry(table, table->all);
	for (int i = 0; i < INDEX_COUNT; i++)
		free(table->heads[i]);
	free(table);
}

enum err object_table_insert(struct object_table *table, struct object *object)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return ERROR_MEMORY;
	entry->object = object_get(object);
	entry->age = table->next_age++;
	hash_entry(table, entry);
	entry->next_of_all = table->all;
	if (table->all)
		table->all->previous_of_all = entry;
	table->all = entry;
	table->count++;
	link_all(table, entry);
	grow(table);
	return ERROR_NONE;
}

static struct entry *find_entry(const struct object_table *table, uint32_t handle)
{
	struct entry *entry = head_of(table, INDEX_HANDLE, hash_number(table, handle))->first;

	while (entry && entry->object->handle != handle)
		entry = entry->next[INDEX_HANDLE];
	return entry;
}

bool object_table_remove(struct object_table *table, uint32_t handle)
{
	struct entry *entry = find_entry(table, handle);

	if (entry)
		remove_entry(table, entry);
	return entry != NULL;
}

enum err object_table_replace(struct object_table *table, struct object *successor)
{
	struct entry *entry = find_entry(table, successor->handle);

	if (!entry)
		return ERROR_OBJECT_HANDLE;
	unlink_all(table, entry);
	object_put(entry->object);
	entry->object = object_get(successor);
	hash_entry(table, entry);
	link_all(table, entry);
	return ERROR_NONE;
}

struct object *object_table_find(const struct object_table *table, uint32_t handle)
{
	const struct entry *entry = find_entry(table, handle);

	return entry ? entry->object : NULL;
}

uint32_t object_table_count(const struct object_table *table)
{
	return table->count;
}

/* The shortest chain that the template leads to; NULL and INDEX_COUNT when it names no index. */
static const struct head *shortest(const struct object_table *table,
                                   const struct wire_template *template, enum index_id *index)
{
	const struct head *best = NULL;
	struct wire_attribute attribute;

	*index = INDEX_COUNT;
	for (int i = INDEX_CLASS; i < INDEX_COUNT; i++) {
		const struct head *head;

		if (!wire_template_find(template, index_rows[i].type, &attribute))
			continue;
		head = head_of(table, (enum index_id)i, hash_attribute(table, &attribute));
		if (!best || head->count < best->count) {
			best = head;
			*index = (enum index_id)i;
		}
	}
	return best;
}

void object_table_candidates(const struct object_table *table, const struct wire_template *template,
                             bool (*each)(void *context, struct object *object, uint64_t age),
                             void *context)
{
	enum index_id index;
	const struct head *head = shortest(table, template, &index);
	const struct entry *entry = head ? head->first : table->all;

	while (entry && each(context, entry->object, entry->age))
		entry = head ? entry->next[index] : entry->next_of_all;
}

void object_table_remove_if(struct object_table *table, const struct application *application,
                            bool (*wanted)(const void *context, const struct object *object),
                            const void *context)
{
	uint64_t hash = hash_number(table, (uintptr_t)application);
	struct entry *entry =
		application ? head_of(table, INDEX_APPLICATION, hash)->first : table->all;

	while (entry) {
		struct entry *next =
			application ? entry->next[INDEX_APPLICATION] : entry->next_of_all;

		if ((!application || entry->object->application == application) &&
		    wanted(context, entry->object))
			remove_entry(table, entry);
		entry = next;
	}
}

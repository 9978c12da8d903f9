/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes and key-encryption keys as attributes: which they have, and by which they are found.
 */
#include "volume_object.h"

#include <stdlib.h>
#include <string.h>

#include "crypto_key.h"
#include "keygen.h"
#include "template.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(string)                                                                               \
	{                                                                                          \
		(const uint8_t *)(string), sizeof(string) - 1                                      \
	}

#define NUMBER(type, value)                                                                        \
	{                                                                                          \
		(type), WIRE_ATTRIBUTE_NUMBER, (value),                                            \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define FLAG(type, value)                                                                          \
	{                                                                                          \
		(type), WIRE_ATTRIBUTE_FLAG, (value),                                              \
		{                                                                                  \
			NULL, 0                                                                    \
		}                                                                                  \
	}
#define OCTETS(type, bytes)                                                                        \
	{                                                                                          \
		(type), WIRE_ATTRIBUTE_BYTES, 0, bytes                                             \
	}

static enum err fill(struct attributes *set, const struct wire_attribute *rows, size_t count)
{
	enum err err = ERROR_NONE;

	attributes_init(set);
	for (size_t i = 0; !err && i < count; i++)
		err = attributes_set(set, &rows[i]);
	return err;
}

/* ---- finding ---- */

void volume_objects_free(struct volume_objects *objects)
{
	for (size_t i = 0; i < objects->count; i++)
		object_put(objects->list[i]);
	free(objects->list);
	*objects = (struct volume_objects){0};
}

/* What was destroyed between search and find is left out, and so are session objects. */
static enum err collect(struct token *token, const uint32_t *handles, size_t count,
                        struct volume_objects *found)
{
	found->list = calloc(count + 1, sizeof(struct object *));
	if (!found->list)
		return ERROR_MEMORY;
	for (size_t i = 0; i < count; i++) {
		struct object *object = token_find(token, handles[i], NULL, true);

		if (object && object->is_token && object->is_private)
			found->list[found->count++] = object;
		else
			object_put(object);
	}
	return ERROR_NONE;
}

static enum err search(const struct volume_scope *scope, const struct wire_attribute *rows,
                       size_t row_count, struct volume_objects *found)
{
	attributes_auto wanted = {0};
	struct wire_template template;
	uint32_t *handles = NULL;
	size_t count;
	enum err err;

	*found = (struct volume_objects){0};
	err = fill(&wanted, rows, row_count);
	if (err)
		return err;
	template = attributes_template(&wanted);
	err = token_search(scope->token, &template, NULL, true, &handles, &count);
	if (!err)
		err = collect(scope->token, handles, count, found);
	free(handles);
	return err;
}

/* ---- volumes ---- */

enum err volume_objects_find(const struct volume_scope *scope, struct wire_bytes name,
                             struct volume_objects *found)
{
	const struct wire_attribute rows[] = {
		NUMBER(CKA_CLASS, CKO_DATA),
		OCTETS(CKA_APPLICATION, TEXT(VOLUME_APPLICATION)),
		OCTETS(CKA_LABEL, name),
	};

	return search(scope, rows, COUNT(rows) - !name.len, found);
}

static enum err make_data(struct wire_bytes name, struct wire_bytes value, struct object **object)
{
	const struct wire_attribute rows[] = {
		NUMBER(CKA_CLASS, CKO_DATA),
		FLAG(CKA_TOKEN, true),
		FLAG(CKA_PRIVATE, true),
		FLAG(CKA_MODIFIABLE, false),
		FLAG(CKA_COPYABLE, false),
		FLAG(CKA_DESTROYABLE, false),
		OCTETS(CKA_APPLICATION, TEXT(VOLUME_APPLICATION)),
		OCTETS(CKA_LABEL, name),
		OCTETS(CKA_VALUE, value),
	};
	struct template_context context = {
		.origin = ORIGIN_CREATE,
		.object_class = CK_UNAVAILABLE_INFORMATION,
		.key_type = CK_UNAVAILABLE_INFORMATION,
		.user = true,
	};
	attributes_auto given = {0}, set = {0};
	struct wire_template template;
	enum err err = fill(&given, rows, COUNT(rows));

	if (err)
		return err;
	template = attributes_template(&given);
	err = template_build(&context, &template, &set);
	return err ? err : object_new(&set, object);
}

enum err volume_object_make(struct wire_bytes name, const struct volume_record *record,
                            struct object **object)
{
	struct wire_buffer value;
	enum err err = ERROR_ARGUMENTS;

	wire_buffer_init(&value, VOLUME_RECORD_MAX, NULL);
	volume_record_encode(&value, record);
	if (!value.failed)
		err = make_data(name, (struct wire_bytes){value.data, value.len}, object);
	wire_buffer_free(&value);
	return err;
}

struct wire_bytes volume_object_name(const struct object *object)
{
	return attributes_bytes(&object->attributes, CKA_LABEL);
}

enum err volume_read(struct object *object, struct volume *volume)
{
	struct wire_bytes value = attributes_bytes(&object->attributes, CKA_VALUE);

	*volume = (struct volume){
		.object = object_get(object),
		.name = volume_object_name(object),
	};
	if (volume_record_decode(value, &volume->record) &&
	    volume_blob_names(volume->record.blob, volume->name))
		return ERROR_NONE;
	volume->record = (struct volume_record){0};
	return ERROR_VOLUME_DAMAGED;
}

void volume_put(struct volume *volume)
{
	object_put(volume->object);
	*volume = (struct volume){0};
}

/* ---- key-encryption keys ---- */

/*
 * No use is allowed, nor a change of that. Without a check value: those are octets of the
 * encryption of zeros, which is the key of GCM's authentication.
 */
static enum err build_kek(const struct template_context *context, struct wire_bytes id,
                          struct attributes *set)
{
	const struct wire_attribute rows[] = {
		FLAG(CKA_TOKEN, true),
		FLAG(CKA_PRIVATE, true),
		FLAG(CKA_SENSITIVE, true),
		FLAG(CKA_EXTRACTABLE, false),
		FLAG(CKA_MODIFIABLE, false),
		FLAG(CKA_COPYABLE, false),
		FLAG(CKA_DESTROYABLE, false),
		FLAG(CKA_ENCRYPT, false),
		FLAG(CKA_DECRYPT, false),
		FLAG(CKA_SIGN, false),
		FLAG(CKA_VERIFY, false),
		FLAG(CKA_WRAP, false),
		FLAG(CKA_UNWRAP, false),
		FLAG(CKA_DERIVE, false),
		OCTETS(CKA_ID, id),
		OCTETS(CKA_LABEL, TEXT(VOLUME_KEK_LABEL)),
		NUMBER(CKA_VALUE_LEN, CRATON_HSM_KEK_LEN),
		OCTETS(CKA_CHECK_VALUE, TEXT("")),
	};
	attributes_auto given = {0};
	struct wire_template template;
	enum err err = fill(&given, rows, COUNT(rows));

	if (err)
		return err;
	template = attributes_template(&given);
	return template_build(context, &template, set);
}

enum err volume_kek_make(const struct volume_scope *scope, struct object **kek)
{
	const struct mechanism *mechanism =
		mechanism_find(scope->crypto, scope->config, CKM_AES_KEY_GEN);
	const struct wire_mechanism parameter = {.type = CKM_AES_KEY_GEN};
	struct template_context context = {
		.origin = ORIGIN_GENERATE,
		.object_class = CKO_SECRET_KEY,
		.key_type = CKK_AES,
		.mechanism = CKM_AES_KEY_GEN,
		.user = true,
	};
	uint8_t id[VOLUME_KEK_ID_LEN];
	attributes_auto set = {0};
	enum err err;

	if (!mechanism)
		return ERROR_MECHANISM;
	err = crypto_random(scope->crypto, id, sizeof(id));
	if (!err)
		err = build_kek(&context, (struct wire_bytes){id, sizeof(id)}, &set);
	if (!err)
		err = keygen_secret(scope->crypto, mechanism, &parameter, &set);
	if (!err)
		err = template_complete(&context, scope->crypto, &set);
	return err ? err : object_new(&set, kek);
}

/* Nobody has ever known it, and nobody with the PIN can use, change or destroy it. */
static bool is_kek(const struct object *object)
{
	const uint32_t none = USAGE_ENCRYPT | USAGE_DECRYPT | USAGE_SIGN | USAGE_VERIFY |
	                      USAGE_WRAP | USAGE_UNWRAP | USAGE_DERIVE | USAGE_EXTRACTABLE |
	                      USAGE_MODIFIABLE | USAGE_COPYABLE | USAGE_DESTROYABLE;
	const struct attributes *set = &object->attributes;

	return !(object->usage & none) && attributes_flag(set, CKA_LOCAL) &&
	       attributes_flag(set, CKA_ALWAYS_SENSITIVE) &&
	       attributes_flag(set, CKA_NEVER_EXTRACTABLE) &&
	       crypto_key_secret(object).len == CRATON_HSM_KEK_LEN &&
	       volume_kek_id(object).len == VOLUME_KEK_ID_LEN;
}

static void keep_keks(struct volume_objects *objects)
{
	size_t kept = 0;

	for (size_t i = 0; i < objects->count; i++) {
		if (is_kek(objects->list[i]))
			objects->list[kept++] = objects->list[i];
		else
			object_put(objects->list[i]);
	}
	objects->count = kept;
}

enum err volume_kek_find(const struct volume_scope *scope, struct wire_bytes id,
                         struct volume_objects *found)
{
	const struct wire_attribute rows[] = {
		NUMBER(CKA_CLASS, CKO_SECRET_KEY),
		NUMBER(CKA_KEY_TYPE, CKK_AES),
		OCTETS(CKA_LABEL, TEXT(VOLUME_KEK_LABEL)),
		OCTETS(CKA_ID, id),
	};
	enum err err = search(scope, rows, COUNT(rows) - !id.len, found);

	if (!err)
		keep_keks(found);
	return err;
}

struct wire_bytes volume_kek_id(const struct object *kek)
{
	return attributes_bytes(&kek->attributes, CKA_ID);
}

enum err volume_kek_import(struct volume_keys *keys, const struct object *kek,
                           struct volume_kek *imported)
{
	return volume_keys_import(keys, crypto_key_secret(kek), imported);
}

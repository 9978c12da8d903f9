/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin token import: another token's objects into ours. A key is wrapped there and
 * unwrapped here by a key that both have for as long as it takes, so none appears in the clear in
 * this process. What the other token does not let go is named, and the exit status says so.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_move.h"

#define SLOTS_MAX     64u
#define WRAPPED_MAX   65536u
#define LABEL_MAX     32u
#define ATTRIBUTE_MAX (64u * 1024u)

struct import {
	const struct admin_options *options;
	void *library;
	struct cryptoki source, target;
	CK_OBJECT_HANDLE source_key; /* the wrapping key, there */
	struct key_move move;
	json_t *left; /* what stayed behind, and why */
	size_t keys, certificates, data;
};

/* ---- the other token ---- */

static bool load(struct import *import)
{
	CK_RV (*get)(CK_FUNCTION_LIST * *list) = NULL;
	const char *path = import->options->source.module;
	CK_RV rv;

	import->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (import->library)
		*(void **)&get = dlsym(import->library, "C_GetFunctionList");
	if (!get) {
		admin_fail("%s: %s", path, dlerror());
		return false;
	}
	rv = get(&import->source.functions);
	if (!rv)
		rv = import->source.functions->C_Initialize(NULL);
	if (rv) {
		import->source.functions = NULL;
		admin_fail_rv(path, rv);
	}
	return !rv;
}

static bool has_label(const CK_TOKEN_INFO *info, const char *label)
{
	size_t len = strlen(label);

	for (size_t i = len; i < LABEL_MAX; i++) {
		if (info->label[i] != ' ')
			return false;
	}
	return len <= LABEL_MAX && !memcmp(info->label, label, len);
}

/* By number, by label, or the only initialised token that there is. */
static bool choose_slot(struct import *import)
{
	const struct admin_source_options *wanted = &import->options->source;
	CK_FUNCTION_LIST *functions = import->source.functions;
	CK_ULONG count = SLOTS_MAX, found = 0;
	CK_SLOT_ID slots[SLOTS_MAX];
	uint64_t number;
	CK_RV rv = functions->C_GetSlotList(CK_TRUE, slots, &count);

	if (!admin_number("--source-slot", wanted->slot, 0, &number))
		return false;
	for (CK_ULONG i = 0; !rv && i < count; i++) {
		CK_TOKEN_INFO info;

		if (functions->C_GetTokenInfo(slots[i], &info) ||
		    !(info.flags & CKF_TOKEN_INITIALIZED) || (wanted->slot && slots[i] != number) ||
		    (wanted->label && !has_label(&info, wanted->label)))
			continue;
		import->source.slot_id = slots[i];
		found++;
	}
	if (rv)
		admin_fail_rv("the slots of the other token", rv);
	else if (found != 1)
		admin_fail("%lu tokens fit; name one by --source-slot or --source-label", found);
	return !rv && found == 1;
}

static bool open_source(struct import *import)
{
	return load(import) && choose_slot(import) &&
	       cryptoki_open(&import->source, &import->options->source_pin,
	                     "user PIN of the other token", true);
}

/* The same key there as here. */
static bool share_key(struct import *import)
{
	static const CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	static const CK_KEY_TYPE aes = CKK_AES;
	struct cryptoki_template template = {0};
	CK_RV rv;

	if (!key_move_begin(&import->move, &import->target))
		return false;
	cryptoki_add(&template, CKA_CLASS, &secret, sizeof(secret));
	cryptoki_add(&template, CKA_KEY_TYPE, &aes, sizeof(aes));
	cryptoki_add_flag(&template, CKA_TOKEN, false);
	cryptoki_add_flag(&template, CKA_WRAP, true);
	cryptoki_add(&template, CKA_VALUE, import->move.wrapping_value, KEY_MOVE_WRAP_LEN);
	rv = import->source.functions->C_CreateObject(import->source.session, template.attributes,
	                                              template.count, &import->source_key);
	if (rv)
		admin_fail_rv("making a key to import with in the other token", rv);
	return !rv;
}

/* ---- attributes ---- */

/* The attributes that come over, and the values that the template borrows. */
struct copy {
	struct cryptoki_template template;
	struct {
		uint8_t *octets;
		size_t len;
	} values[CRYPTOKI_ATTRIBUTES_MAX];
	size_t count;
};

static void copy_free(struct copy *copy)
{
	for (size_t i = 0; i < copy->count; i++) {
		wire_wipe(copy->values[i].octets, copy->values[i].len);
		free(copy->values[i].octets);
	}
}

/* What the object does not have stays away; empty means the same. */
static void copy_attribute(struct copy *copy, const struct cryptoki *source,
                           CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
	size_t len;
	uint8_t *value = cryptoki_octets(source, object, type, &len);

	if (!value || !len || len > ATTRIBUTE_MAX) {
		free(value);
		return;
	}
	copy->values[copy->count].octets = value;
	copy->values[copy->count++].len = len;
	cryptoki_add(&copy->template, type, value, len);
}

static const CK_ATTRIBUTE_TYPE common[] = {CKA_CLASS, CKA_LABEL, CKA_PRIVATE, CKA_MODIFIABLE};
static const CK_ATTRIBUTE_TYPE of_data[] = {CKA_APPLICATION, CKA_OBJECT_ID, CKA_VALUE};
static const CK_ATTRIBUTE_TYPE of_certificate[] = {
	CKA_CERTIFICATE_TYPE, CKA_ID,    CKA_SUBJECT,    CKA_ISSUER,
	CKA_SERIAL_NUMBER,    CKA_VALUE, CKA_START_DATE, CKA_END_DATE};
static const CK_ATTRIBUTE_TYPE of_public[] = {
	CKA_KEY_TYPE, CKA_ID,   CKA_SUBJECT, CKA_START_DATE,      CKA_END_DATE,  CKA_ENCRYPT,
	CKA_VERIFY,   CKA_WRAP, CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_EC_PARAMS, CKA_EC_POINT};
static const CK_ATTRIBUTE_TYPE of_private[] = {
	CKA_KEY_TYPE, CKA_ID,   CKA_SUBJECT, CKA_START_DATE, CKA_END_DATE,
	CKA_DECRYPT,  CKA_SIGN, CKA_UNWRAP,  CKA_DERIVE,     CKA_ALWAYS_AUTHENTICATE};
static const CK_ATTRIBUTE_TYPE of_secret[] = {
	CKA_KEY_TYPE, CKA_ID,     CKA_START_DATE, CKA_END_DATE, CKA_ENCRYPT, CKA_DECRYPT,
	CKA_SIGN,     CKA_VERIFY, CKA_WRAP,       CKA_UNWRAP,   CKA_DERIVE};

#define ATTRIBUTES(list) list, sizeof(list) / sizeof((list)[0])

static const struct class_row {
	CK_OBJECT_CLASS object_class;
	const CK_ATTRIBUTE_TYPE *types;
	size_t count;
	bool wrapped;
} class_rows[] = {
	{CKO_PRIVATE_KEY, ATTRIBUTES(of_private), true},
	{CKO_SECRET_KEY, ATTRIBUTES(of_secret), true},
	{CKO_PUBLIC_KEY, ATTRIBUTES(of_public), false},
	{CKO_CERTIFICATE, ATTRIBUTES(of_certificate), false},
	{CKO_DATA, ATTRIBUTES(of_data), false},
};

static void copy_attributes(struct copy *copy, const struct cryptoki *source,
                            CK_OBJECT_HANDLE object, const CK_ATTRIBUTE_TYPE *types, size_t count)
{
	for (size_t i = 0; i < count; i++)
		copy_attribute(copy, source, object, types[i]);
}

/* ---- objects ---- */

static void leave(struct import *import, CK_OBJECT_HANDLE object, const char *class, CK_RV rv)
{
	size_t len;
	uint8_t *label = cryptoki_octets(&import->source, object, CKA_LABEL, &len);
	json_t *name = label ? json_stringn((const char *)label, len) : NULL;
	const char *why = "the attempt failed";

	if (rv == CKR_KEY_UNEXTRACTABLE)
		why = "the other token does not let it go";
	else if (rv == CKR_KEY_NOT_WRAPPABLE)
		why = "the other token cannot wrap such a key";

	json_array_append_new(import->left, json_pack("{s:o, s:s, s:s, s:I}", "label",
	                                              name ? name : json_string("?"), "class",
	                                              class, "why", why, "code", (json_int_t)rv));
	free(label);
}

static CK_RV wrap(struct import *import, CK_OBJECT_HANDLE object, uint8_t *wrapped, CK_ULONG *len)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_PAD, NULL, 0};

	if (!cryptoki_flag(&import->source, object, CKA_EXTRACTABLE))
		return CKR_KEY_UNEXTRACTABLE;
	return import->source.functions->C_WrapKey(import->source.session, &mechanism,
	                                           import->source_key, object, wrapped, len);
}

/* A key that cannot be wrapped there may be one that everybody can read there. */
static CK_RV copy_key(struct import *import, CK_OBJECT_HANDLE object, struct copy *copy)
{
	static const CK_ATTRIBUTE_TYPE material[] = {
		CKA_VALUE,           CKA_EC_PARAMS,        CKA_MODULUS,
		CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
		CKA_PRIME_2,         CKA_EXPONENT_1,       CKA_EXPONENT_2,
		CKA_COEFFICIENT};

	copy_attributes(copy, &import->source, object, ATTRIBUTES(material));
	return key_move_create(&import->move, &copy->template);
}

/* It may be taken out of ours no more easily than out of the other; sensitive it is here anyway. */
static CK_RV move_key(struct import *import, CK_OBJECT_HANDLE object, struct copy *copy)
{
	CK_ULONG len = WRAPPED_MAX;
	uint8_t *wrapped = malloc(len);
	CK_RV rv = wrapped ? wrap(import, object, wrapped, &len) : CKR_HOST_MEMORY;

	cryptoki_add_flag(&copy->template, CKA_SENSITIVE, true);
	cryptoki_add_flag(&copy->template, CKA_EXTRACTABLE, import->options->key.extractable);
	if (!rv)
		rv = key_move_unwrap(&import->move, wrapped, len, &copy->template);
	else if (rv != CKR_HOST_MEMORY && !cryptoki_flag(&import->source, object, CKA_SENSITIVE))
		rv = copy_key(import, object, copy);
	free(wrapped);
	return rv;
}

static CK_RV move_object(struct import *import, CK_OBJECT_HANDLE object,
                         const struct class_row *row)
{
	struct copy copy = {0};
	CK_RV rv;

	cryptoki_add_flag(&copy.template, CKA_TOKEN, true);
	copy_attributes(&copy, &import->source, object, ATTRIBUTES(common));
	copy_attributes(&copy, &import->source, object, row->types, row->count);
	rv = row->wrapped ? move_key(import, object, &copy)
	                  : key_move_create(&import->move, &copy.template);
	copy_free(&copy);
	return rv;
}

struct of_class {
	struct import *import;
	const struct class_row *row;
};

static bool move_each(void *context, CK_OBJECT_HANDLE object)
{
	struct of_class *each = context;
	struct import *import = each->import;
	CK_OBJECT_CLASS object_class = each->row->object_class;
	CK_RV rv = move_object(import, object, each->row);

	if (rv)
		leave(import, object, key_class_name(object_class), rv);
	else if (object_class == CKO_CERTIFICATE)
		import->certificates++;
	else if (object_class == CKO_DATA)
		import->data++;
	else
		import->keys++;
	return true;
}

static bool move_all(struct import *import)
{
	bool done = true;

	for (size_t i = 0; done && i < sizeof(class_rows) / sizeof(class_rows[0]); i++) {
		struct of_class each = {import, &class_rows[i]};
		struct cryptoki_template wanted = {0};

		cryptoki_add_flag(&wanted, CKA_TOKEN, true);
		cryptoki_add(&wanted, CKA_CLASS, &class_rows[i].object_class,
		             sizeof(class_rows[i].object_class));
		done = cryptoki_each(&import->source, &wanted, move_each, &each);
		admin_progress("import", i + 1, sizeof(class_rows) / sizeof(class_rows[0]));
	}
	admin_progress_end();
	return done;
}

/* ---- the verb ---- */

static int report(struct import *import)
{
	size_t index, left = json_array_size(import->left);
	json_t *each;

	if (import->options->json) {
		admin_print_json(json_pack("{s:s, s:I, s:I, s:I, s:O}", "done", "token imported",
		                           "keys", (json_int_t)import->keys, "certificates",
		                           (json_int_t)import->certificates, "data",
		                           (json_int_t)import->data, "left", import->left));
	} else {
		printf("imported: %zu keys, %zu certificates, %zu data objects\n", import->keys,
		       import->certificates, import->data);
		json_array_foreach(import->left, index, each)
			printf("left behind: %s \"%s\": %s (0x%llx)\n",
		               admin_json_text(each, "class"), admin_json_text(each, "label"),
		               admin_json_text(each, "why"), admin_json_number(each, "code"));
	}
	return left ? admin_fail("%zu objects were not imported", left) : ADMIN_DONE;
}

static bool run(struct import *import)
{
	bool done = open_source(import) && share_key(import) && move_all(import);

	if (import->source_key)
		import->source.functions->C_DestroyObject(import->source.session,
		                                          import->source_key);
	if (import->move.token)
		key_move_end(&import->move, done);
	cryptoki_end(&import->source);
	if (import->library)
		dlclose(import->library);
	return done;
}

int admin_token_import(const struct admin_options *options)
{
	struct import import = {.options = options};
	int status = ADMIN_FAILED;

	if (!options->source.module) {
		admin_fail("token import: --module is needed");
		return ADMIN_USAGE;
	}
	import.left = json_array();
	if (cryptoki_begin(options, true, &import.target) && run(&import))
		status = report(&import);
	cryptoki_end(&import.target);
	json_decref(import.left);
	return status;
}

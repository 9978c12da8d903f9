/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin key delete and key compromise: what cannot be taken back, so it needs --force
 * and a name.
 */
#include <stdio.h>

#include "key_type.h"

typedef CK_RV change_function(const struct cryptoki *token, CK_OBJECT_HANDLE object);

struct change {
	const struct cryptoki *token;
	change_function *apply;
	size_t count;
	CK_RV rv;
};

static CK_RV destroy(const struct cryptoki *token, CK_OBJECT_HANDLE object)
{
	return token->functions->C_DestroyObject(token->session, object);
}

static CK_RV compromise(const struct cryptoki *token, CK_OBJECT_HANDLE object)
{
	struct cryptoki_template template = {0};

	cryptoki_add_flag(&template, CKA_CRATON_COMPROMISED, true);
	return token->functions->C_SetAttributeValue(token->session, object, template.attributes,
	                                             template.count);
}

/* The first failure is told, and the others are tried all the same. */
static bool apply(void *context, CK_OBJECT_HANDLE object)
{
	struct change *change = context;
	CK_RV rv = change->apply(change->token, object);

	if (rv && !change->rv)
		change->rv = rv;
	change->count += !rv;
	return true;
}

static int run(const struct admin_options *options, change_function *function, const char *verb,
               const char *warning, const char *done)
{
	cryptoki_auto token = {0};
	struct change change = {.token = &token, .apply = function};

	if (!key_is_named(options)) {
		admin_fail("%s: name the key by --label, --id or --unique-id", verb);
		return ADMIN_USAGE;
	}
	if (!options->force)
		return admin_fail("%s %s; --force does it", verb, warning);
	if (!cryptoki_begin(options, true, &token))
		return ADMIN_FAILED;
	if (!key_select(options, &token, "key", apply, &change))
		return ADMIN_FAILED;
	if (change.rv)
		return admin_fail_rv(verb, change.rv);
	if (!change.count)
		return admin_fail("%s: no such key", verb);
	if (options->json)
		return admin_print_json(
			json_pack("{s:s, s:I}", "done", done, "count", (json_int_t)change.count));
	printf("%s: %zu objects\n", done, change.count);
	return ADMIN_DONE;
}

int admin_key_delete(const struct admin_options *options)
{
	return run(options, destroy, "key delete",
	           "cannot be undone: what only this key can read is lost with it", "key deleted");
}

int admin_key_compromise(const struct admin_options *options)
{
	return run(options, compromise, "key compromise",
	           "cannot be undone: nothing can be done with the key any more",
	           "key compromised");
}

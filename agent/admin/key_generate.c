/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin key generate.
 */
#include <stdio.h>
#include <stdlib.h>

#include "key_type.h"

#define ID_LEN 8u /* of an identifier that we choose */

/* What both halves of a pair have, and a secret key. */
static void begin_template(const struct key_names *names, CK_OBJECT_CLASS object_class,
                           const struct key_type *type, struct cryptoki_template *template)
{
	cryptoki_add_flag(template, CKA_TOKEN, true);
	key_names_add(names, template);
	key_usages_add(names, object_class, type->key_type, template);
}

static CK_RV generate_pair(const struct admin_options *options, const struct cryptoki *token,
                           const struct key_names *names, const struct key_type *type)
{
	struct cryptoki_template public = {0}, private = {0};
	CK_MECHANISM mechanism = {type->generate, NULL, 0};
	CK_OBJECT_HANDLE public_key, private_key;

	begin_template(names, CKO_PUBLIC_KEY, type, &public);
	key_type_add(type, &public);
	begin_template(names, CKO_PRIVATE_KEY, type, &private);
	key_protect(options, &private);
	if (options->key.always_authenticate)
		cryptoki_add_flag(&private, CKA_ALWAYS_AUTHENTICATE, true);
	return token->functions->C_GenerateKeyPair(token->session, &mechanism, public.attributes,
	                                           public.count, private.attributes, private.count,
	                                           &public_key, &private_key);
}

static CK_RV generate_secret(const struct admin_options *options, const struct cryptoki *token,
                             const struct key_names *names, const struct key_type *type)
{
	struct cryptoki_template template = {0};
	CK_MECHANISM mechanism = {type->generate, NULL, 0};
	CK_OBJECT_HANDLE key;

	begin_template(names, CKO_SECRET_KEY, type, &template);
	key_type_add(type, &template);
	key_protect(options, &template);
	return token->functions->C_GenerateKey(token->session, &mechanism, template.attributes,
	                                       template.count, &key);
}

static int report(const struct admin_options *options, const struct key_names *names)
{
	char *id = key_to_hex(names->id, names->id_len);
	int status = ADMIN_DONE;

	if (options->json)
		status = admin_print_json(json_pack("{s:s, s:s, s:s, s:s}", "done", "key generated",
		                                    "type", options->key.type, "label",
		                                    names->label, "id", id ? id : ""));
	else
		printf("\"%s\": %s generated, id %s\n", names->label, options->key.type,
		       id ? id : "");
	free(id);
	return status;
}

int admin_key_generate(const struct admin_options *options)
{
	cryptoki_auto token = {0};
	struct key_names names;
	struct key_type type;
	CK_RV rv = CKR_OK;

	if (!options->key.type || !options->label) {
		admin_fail("key generate: --type and --label are needed");
		return ADMIN_USAGE;
	}
	if (!key_type_parse(options->key.type, &type) || !key_names_read(options, &names))
		return ADMIN_USAGE;
	if (options->key.always_authenticate && !type.is_pair) {
		admin_fail("--always-authenticate is for private keys");
		return ADMIN_USAGE;
	}
	if (!cryptoki_begin(options, true, &token))
		return ADMIN_FAILED;
	if (!names.id_len) {
		names.id_len = ID_LEN;
		rv = token.functions->C_GenerateRandom(token.session, names.id, ID_LEN);
	}
	if (!rv)
		rv = type.is_pair ? generate_pair(options, &token, &names, &type)
		                  : generate_secret(options, &token, &names, &type);
	return rv ? admin_fail_rv("key generate", rv) : report(options, &names);
}

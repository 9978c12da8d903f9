/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects that a command line names.
 */
#include <string.h>

#include "key_type.h"

bool key_is_named(const struct admin_options *options)
{
	return options->label || options->key.id || options->key.unique_id;
}

static bool read_template(const struct admin_options *options, struct key_names *names,
                          struct cryptoki_template *wanted)
{
	const char *unique_id = options->key.unique_id;

	if (!key_names_read(options, names))
		return false;
	cryptoki_add_text(wanted, CKA_LABEL, names->label);
	if (names->id_len)
		cryptoki_add(wanted, CKA_ID, names->id, names->id_len);
	cryptoki_add_text(wanted, CKA_UNIQUE_ID, unique_id);
	cryptoki_add_flag(wanted, CKA_TOKEN, true);
	return true;
}

bool key_select(const struct admin_options *options, const struct cryptoki *token,
                const char *absent, bool (*each)(void *context, CK_OBJECT_HANDLE object),
                void *context)
{
	struct cryptoki_template wanted = {0};
	CK_OBJECT_CLASS classes[5];
	struct key_names names;
	bool done = true;
	size_t count;

	if (!key_classes(options->key.class, absent, classes, &count) ||
	    !read_template(options, &names, &wanted))
		return false;
	for (size_t i = 0; done && i < count; i++) {
		struct cryptoki_template of_class = wanted;

		cryptoki_add(&of_class, CKA_CLASS, &classes[i], sizeof(classes[i]));
		done = cryptoki_each(token, &of_class, each, context);
	}
	return done;
}

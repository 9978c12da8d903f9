/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token's texts in JSON, for status and keyrings.
 */
#ifndef AGENT_TOKEN_JSON_H
#define AGENT_TOKEN_JSON_H

#include <jansson.h>

#include "token.h"

/* Labels and serial numbers are blank padded; labels are checked UTF-8 when they are set. */
static inline json_t *token_text_json(const void *octets, size_t len)
{
	json_t *value = json_stringn(octets, token_text_len(octets, len));

	return value ? value : json_string("?");
}

#endif

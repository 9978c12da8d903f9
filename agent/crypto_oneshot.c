/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of OpenSSL per signature. Parameters are named by strings where the headers of OpenSSL
 * 3.0 lack their macros.
 */
#include "crypto_oneshot.h"

#include <openssl/params.h>
#include <string.h>

typedef int init_function(EVP_MD_CTX *, EVP_PKEY_CTX **, const char *, OSSL_LIB_CTX *, const char *,
                          EVP_PKEY *, const OSSL_PARAM *);

enum err crypto_oneshot_take_context(struct oneshot *state, struct wire_bytes context)
{
	if (context.len > ONESHOT_CONTEXT_MAX)
		return ERROR_MECHANISM_PARAMETER;
	if (context.len)
		memcpy(state->context, context.data, context.len);
	state->context_len = context.len;
	return ERROR_NONE;
}

OSSL_PARAM crypto_oneshot_context(struct oneshot *state)
{
	return OSSL_PARAM_construct_octet_string("context-string", state->context,
	                                         state->context_len);
}

static EVP_MD_CTX *new_context(const struct operation *operation, init_function *init)
{
	const struct oneshot *state = operation->state;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (context &&
	    init(context, NULL, NULL, operation->crypto->library, operation->crypto->properties,
	         state->pkey, state->params[0].key ? state->params : NULL) > 0)
		return context;
	EVP_MD_CTX_free(context);
	return NULL;
}

enum err crypto_oneshot_sign(struct operation *operation, struct wire_bytes message, uint8_t *out,
                             size_t *out_len)
{
	struct oneshot *state = operation->state;
	EVP_MD_CTX *context = new_context(operation, EVP_DigestSignInit_ex);
	size_t len = state->signature_len;
	enum err err = ERROR_CRYPTO;

	if (context && EVP_DigestSign(context, out, &len, message.data, message.len) > 0) {
		*out_len = len;
		err = ERROR_NONE;
	}
	EVP_MD_CTX_free(context);
	return err;
}

enum err crypto_oneshot_verify(struct operation *operation, struct wire_bytes message,
                               struct wire_bytes signature)
{
	struct oneshot *state = operation->state;
	EVP_MD_CTX *context;
	enum err err = ERROR_CRYPTO;

	if (signature.len != state->signature_len)
		return ERROR_SIGNATURE_LENGTH;
	context = new_context(operation, EVP_DigestVerifyInit_ex);
	if (context) {
		err = EVP_DigestVerify(context, signature.data, signature.len, message.data,
		                       message.len) == 1
		              ? ERROR_NONE
		              : ERROR_SIGNATURE;
	}
	EVP_MD_CTX_free(context);
	return err;
}

size_t crypto_oneshot_max(const struct operation *operation, size_t data_len,
                          enum operation_step step)
{
	const struct oneshot *state = operation->state;

	(void)data_len;
	(void)step;
	return state->signature_len;
}

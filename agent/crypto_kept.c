/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking and giving back are exchanges of a pointer, with no lock. A key has room for two contexts
 * of either side: two threads at work with it find each its own, a third sets up one for itself.
 */
#include "crypto_kept.h"

#include "crypto_key.h"
#include "operation.h"
#include "slots.h"

/* Making and undoing do not displace each other: no key does more than two of the kinds often. */
static _Atomic(struct crypto_kept *) *places(const struct operation *operation)
{
	bool undoes = operation->kind == OPERATION_DECRYPT || operation->kind == OPERATION_VERIFY;

	return operation->key->kept[undoes];
}

void crypto_kept_free(struct crypto_kept *kept)
{
	if (!kept)
		return;
	EVP_PKEY_CTX_free(kept->pkey);
	EVP_CIPHER_CTX_free(kept->cipher);
	slots_release(kept);
}

static bool fits(const struct crypto_kept *kept, const struct operation *operation, uint64_t detail)
{
	return kept->mechanism == operation->mechanism->type && kept->kind == operation->kind &&
	       kept->detail == detail;
}

static struct crypto_kept *fresh(const struct operation *operation, uint64_t detail)
{
	struct crypto_kept *kept = slots_allocate(sizeof(*kept));

	if (kept)
		*kept = (struct crypto_kept){
			.mechanism = operation->mechanism->type,
			.kind = operation->kind,
			.detail = detail,
		};
	return kept;
}

struct crypto_kept *crypto_kept_take(const struct operation *operation, uint64_t detail)
{
	_Atomic(struct crypto_kept *) *place = places(operation);

	for (unsigned int i = 0; i < OBJECT_KEPT; i++) {
		struct crypto_kept *kept;

		if (!atomic_load_explicit(&place[i], memory_order_relaxed))
			continue;
		kept = atomic_exchange_explicit(&place[i], NULL, memory_order_acquire);
		if (kept && fits(kept, operation, detail))
			return kept;
		crypto_kept_free(kept); /* the key is used in another way now */
	}
	return fresh(operation, detail);
}

void crypto_kept_put(const struct operation *operation, struct crypto_kept *kept, bool is_good)
{
	_Atomic(struct crypto_kept *) *place = places(operation);

	for (unsigned int i = 0; kept && is_good && i < OBJECT_KEPT; i++) {
		struct crypto_kept *expected = NULL;

		if (atomic_compare_exchange_strong_explicit(
			    &place[i], &expected, kept, memory_order_release, memory_order_relaxed))
			return;
	}
	crypto_kept_free(kept);
}

static bool begin_cipher(EVP_CIPHER_CTX *context, const struct operation *operation,
                         const uint8_t *iv)
{
	const struct mechanism *mechanism = operation->mechanism;
	struct wire_bytes key = crypto_key_secret(operation->key);

	return EVP_CipherInit_ex2(context,
	                          crypto_cipher(operation->crypto, mechanism->cipher, key.len),
	                          key.data, iv, operation->kind == OPERATION_ENCRYPT, NULL) &&
	       EVP_CIPHER_CTX_set_padding(context, mechanism->padding);
}

EVP_CIPHER_CTX *crypto_kept_cipher(struct crypto_kept *kept, const struct operation *operation,
                                   const uint8_t *iv)
{
	EVP_CIPHER_CTX *context;

	if (!kept)
		return NULL;
	/* With its key it is as new, whatever the operation before left undone. */
	if (kept->cipher)
		return EVP_CipherInit_ex2(kept->cipher, NULL, NULL, iv, -1, NULL) ? kept->cipher
		                                                                  : NULL;
	context = EVP_CIPHER_CTX_new();
	if (context && begin_cipher(context, operation, iv))
		return kept->cipher = context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

static int set_up(EVP_PKEY_CTX *context, enum operation_kind kind, const OSSL_PARAM *params)
{
	return kind == OPERATION_VERIFY ? EVP_PKEY_verify_init_ex(context, params)
	                                : EVP_PKEY_sign_init_ex(context, params);
}

EVP_PKEY_CTX *crypto_kept_pkey(struct crypto_kept *kept, const struct operation *operation,
                               EVP_PKEY *pkey, const OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context;

	if (!kept || kept->pkey)
		return kept ? kept->pkey : NULL;
	context = EVP_PKEY_CTX_new_from_pkey(operation->crypto->library, pkey,
	                                     operation->crypto->properties);
	if (context && set_up(context, operation->kind, params) > 0)
		return kept->pkey = context;
	EVP_PKEY_CTX_free(context);
	return NULL;
}

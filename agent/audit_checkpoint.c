/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing and verifying checkpoints, and the key.
 */
#include "audit_checkpoint.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "audit_scan.h"
#include "crypto_key.h"
#include "slots.h"

#define PREFIX        "p256-sha256:"
#define SIGNATURE_MAX 72u
#define SECRET_NAME   "audit-key"
#define SECRET_MAX    512u

/* ---- the text ---- */

static size_t make_text(char text[160], uint64_t sequence,
                        const uint8_t previous_hash[AUDIT_HASH_LEN])
{
	int len = snprintf(text, 160, "craton-hsm audit checkpoint\n%llu\n",
	                   (unsigned long long)sequence);

	for (size_t i = 0; i < AUDIT_HASH_LEN; i++)
		len += snprintf(text + len, 160 - (size_t)len, "%02x", previous_hash[i]);
	len += snprintf(text + len, 160 - (size_t)len, "\n");
	return (size_t)len;
}

bool audit_checkpoint_sign(struct crypto *crypto, EVP_PKEY *pkey, uint64_t sequence,
                           const uint8_t previous_hash[AUDIT_HASH_LEN],
                           char detail[AUDIT_CHECKPOINT_LEN])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[SIGNATURE_MAX];
	size_t len = sizeof(signature);
	char text[160];
	size_t text_len = make_text(text, sequence, previous_hash);
	bool done = context &&
	            EVP_DigestSignInit_ex(context, NULL, "SHA256", crypto->library,
	                                  crypto->properties, pkey, NULL) == 1 &&
	            EVP_DigestSign(context, signature, &len, (uint8_t *)text, text_len) == 1;
	int used = snprintf(detail, AUDIT_CHECKPOINT_LEN, PREFIX);

	EVP_MD_CTX_free(context);
	for (size_t i = 0; done && i < len; i++)
		used += snprintf(detail + used, AUDIT_CHECKPOINT_LEN - (size_t)used, "%02x",
		                 signature[i]);
	return done;
}

static bool parse(const char *detail, size_t detail_len, uint8_t *signature, size_t *len)
{
	const size_t prefix_len = sizeof(PREFIX) - 1;

	return detail_len > prefix_len && !memcmp(detail, PREFIX, prefix_len) &&
	       audit_parse_hex(detail + prefix_len, detail_len - prefix_len, signature,
	                       SIGNATURE_MAX, len);
}

bool audit_checkpoint_verify(EVP_PKEY *pkey, uint64_t sequence,
                             const uint8_t previous_hash[AUDIT_HASH_LEN], const char *detail,
                             size_t detail_len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t signature[SIGNATURE_MAX];
	char text[160];
	size_t len, text_len = make_text(text, sequence, previous_hash);
	bool fits = context && parse(detail, detail_len, signature, &len) &&
	            EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, NULL, pkey, NULL) == 1 &&
	            EVP_DigestVerify(context, signature, len, (uint8_t *)text, text_len) == 1;

	EVP_MD_CTX_free(context);
	return fits;
}

/* ---- the key ---- */

static struct wire_bytes binding(void)
{
	static const uint8_t name[] = "audit-key.v1";

	return (struct wire_bytes){name, sizeof(name) - 1};
}

static enum err make_key(struct crypto *crypto, struct store *store, const uint8_t *device_key,
                         EVP_PKEY **pkey)
{
	uint8_t sealed[SECRET_MAX];
	struct wire_buffer der;
	enum err err = ERROR_CRYPTO;

	wire_buffer_init(&der, SECRET_MAX - CRYPTO_SEAL_OVERHEAD, &slots_wire_allocator);
	*pkey = EVP_PKEY_Q_keygen(crypto->library, crypto->properties, "EC", "P-256");
	if (*pkey)
		err = crypto_key_pkcs8(*pkey, &der);
	if (!err)
		err = crypto_seal(crypto, device_key, binding(),
		                  (struct wire_bytes){der.data, der.len}, sealed);
	if (!err)
		err = store_write_secret(
			store, SECRET_NAME,
			(struct wire_bytes){sealed, der.len + CRYPTO_SEAL_OVERHEAD});
	wire_buffer_free(&der);
	return err;
}

static enum err open_key(struct crypto *crypto, const uint8_t *device_key, struct wire_bytes sealed,
                         EVP_PKEY **pkey)
{
	size_t len = sealed.len - CRYPTO_SEAL_OVERHEAD;
	uint8_t *der = sealed.len > CRYPTO_SEAL_OVERHEAD ? slots_allocate(len) : NULL;
	enum err err = ERROR_STORE_CORRUPT;

	if (der)
		err = crypto_open_sealed(crypto, device_key, binding(), sealed, der);
	if (!err)
		err = crypto_key_from_pkcs8(crypto, (struct wire_bytes){der, len}, pkey);
	slots_release(der);
	return err;
}

enum err audit_checkpoint_key(struct crypto *crypto, struct store *store, const uint8_t *device_key,
                              EVP_PKEY **pkey)
{
	uint8_t sealed[SECRET_MAX];
	size_t len = sizeof(sealed);
	enum err err = store_read_secret(store, SECRET_NAME, sealed, &len);

	*pkey = NULL;
	if (!err)
		err = len ? open_key(crypto, device_key, (struct wire_bytes){sealed, len}, pkey)
		          : make_key(crypto, store, device_key, pkey);
	if (err) {
		EVP_PKEY_free(*pkey);
		*pkey = NULL;
	}
	return err;
}

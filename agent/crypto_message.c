/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashing or gathering, behind one face. The gathered octets are data, not keys: they come from the
 * ordinary heap, since locked memory is scarce and data may be 64 MiB, and are wiped.
 */
#include "crypto_message.h"

#include "wire/frame.h"

void crypto_message_init(struct crypto_message *message, enum crypto_digest digest)
{
	*message = (struct crypto_message){.digest = digest};
	wire_buffer_init(&message->gathered, WIRE_DATA_LIMIT, NULL);
}

void crypto_message_extend(struct crypto_message *message, size_t len)
{
	message->gathered.limit = WIRE_DATA_LIMIT + len;
}

void crypto_message_clear(struct crypto_message *message)
{
	EVP_MD_CTX_free(message->context);
	message->context = NULL;
	wire_buffer_free(&message->gathered);
	wire_wipe(message->hash, sizeof(message->hash));
}

enum err crypto_message_copy(struct crypto_message *to, const struct crypto_message *from)
{
	if (!from->context)
		return ERROR_NONE;
	to->context = EVP_MD_CTX_new();
	if (!to->context)
		return ERROR_MEMORY;
	return EVP_MD_CTX_copy_ex(to->context, from->context) ? ERROR_NONE : ERROR_CRYPTO;
}

static enum err hash_update(struct crypto *crypto, struct crypto_message *message,
                            struct wire_bytes data)
{
	if (!message->context) {
		message->context = EVP_MD_CTX_new();
		if (!message->context)
			return ERROR_MEMORY;
		if (!EVP_DigestInit_ex2(message->context, crypto_md(crypto, message->digest), NULL))
			return ERROR_CRYPTO;
	}
	return EVP_DigestUpdate(message->context, data.data, data.len) ? ERROR_NONE : ERROR_CRYPTO;
}

enum err crypto_message_update(struct crypto *crypto, struct crypto_message *message,
                               struct wire_bytes data)
{
	if (message->digest != DIGEST_NONE)
		return hash_update(crypto, message, data);
	if (data.len > message->gathered.limit - message->gathered.len)
		return ERROR_DATA_LENGTH;
	wire_put_raw(&message->gathered, data.data, data.len);
	return message->gathered.failed ? ERROR_MEMORY : ERROR_NONE;
}

enum err crypto_message_expect(struct crypto_message *message, size_t len)
{
	if (message->digest != DIGEST_NONE)
		return ERROR_NONE;
	if (len > message->gathered.limit - message->gathered.len)
		return ERROR_DATA_LENGTH;
	return wire_buffer_reserve(&message->gathered, len) ? ERROR_NONE : ERROR_MEMORY;
}

static enum err hash_finish(struct crypto *crypto, struct crypto_message *message,
                            struct wire_bytes *whole)
{
	const struct wire_bytes nothing = {NULL, 0};
	size_t len = crypto_digest_len(crypto, message->digest);

	if (!message->context)
		return crypto_message_once(crypto, message, nothing, whole);
	if (!crypto_digest_finish(message->context, len, message->hash))
		return ERROR_CRYPTO;
	*whole = (struct wire_bytes){message->hash, len};
	return ERROR_NONE;
}

enum err crypto_message_finish(struct crypto *crypto, struct crypto_message *message,
                               struct wire_bytes *whole)
{
	if (message->digest != DIGEST_NONE)
		return hash_finish(crypto, message, whole);
	*whole = (struct wire_bytes){message->gathered.data, message->gathered.len};
	return ERROR_NONE;
}

enum err crypto_message_once(struct crypto *crypto, struct crypto_message *message,
                             struct wire_bytes data, struct wire_bytes *whole)
{
	*whole = data;
	if (message->digest == DIGEST_NONE)
		return ERROR_NONE;
	if (!crypto_digest(crypto, message->digest, data, message->hash))
		return ERROR_CRYPTO;
	*whole = (struct wire_bytes){message->hash, crypto_digest_len(crypto, message->digest)};
	return ERROR_NONE;
}

size_t crypto_message_len(const struct crypto_message *message)
{
	return message->gathered.len;
}

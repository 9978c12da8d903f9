/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded, wiping buffers and bounded readers. Everything that checks a length before octets are
 * touched is in this file; what the octets mean is not.
 */
#include "wire/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define FIRST_CAPACITY 256u

static void *allocate(const struct wire_buffer *buffer, size_t len)
{
	return buffer->allocator ? buffer->allocator->allocate(len) : malloc(len);
}

static void release(const struct wire_buffer *buffer)
{
	if (buffer->allocator)
		buffer->allocator->release(buffer->data, buffer->capacity);
	else
		free(buffer->data);
}

void wire_buffer_init(struct wire_buffer *buffer, size_t limit,
                      const struct wire_allocator *allocator)
{
	*buffer = (struct wire_buffer){.limit = limit, .allocator = allocator};
}

/* Every octet ever written lies below len, or was wiped when len shrank past it. */
void wire_buffer_free(struct wire_buffer *buffer)
{
	if (buffer->data) {
		wire_wipe(buffer->data, buffer->len);
		release(buffer);
	}
	wire_buffer_init(buffer, buffer->limit, buffer->allocator);
}

/* A block that is too large goes whole: a smaller one is cheaper to get when it is needed. */
void wire_buffer_reset(struct wire_buffer *buffer, size_t keep_len)
{
	if (buffer->capacity > keep_len) {
		wire_buffer_free(buffer);
		return;
	}
	wire_wipe(buffer->data, buffer->len);
	buffer->len = 0;
	buffer->failed = false;
}

/* The capacity that holds `needed` octets, which the limit allows. */
static size_t next_capacity(const struct wire_buffer *buffer, size_t needed)
{
	size_t capacity = buffer->capacity ? buffer->capacity : FIRST_CAPACITY / 2;

	if (capacity > buffer->limit / 2)
		return buffer->limit;
	capacity *= 2;
	return capacity > needed ? capacity : needed;
}

/* Not realloc: it would leave the old octets behind unwiped. */
static bool grow(struct wire_buffer *buffer, size_t needed)
{
	size_t capacity = next_capacity(buffer, needed);
	uint8_t *data = capacity ? allocate(buffer, capacity) : NULL;

	if (!data)
		return false;
	if (buffer->data) {
		memcpy(data, buffer->data, buffer->len);
		wire_wipe(buffer->data, buffer->len);
		release(buffer);
	}
	buffer->data = data;
	buffer->capacity = capacity;
	return true;
}

static uint8_t *extend_slowly(struct wire_buffer *buffer, size_t len)
{
	if (buffer->failed || len > buffer->limit - buffer->len ||
	    !grow(buffer, buffer->len + len)) {
		buffer->failed = true;
		return NULL;
	}
	buffer->len += len;
	return buffer->data + buffer->len - len;
}

static inline uint8_t *extend(struct wire_buffer *buffer, size_t len)
{
	uint8_t *octets;

	if (buffer->failed || !buffer->data || len > buffer->capacity - buffer->len)
		return extend_slowly(buffer, len);
	octets = buffer->data + buffer->len;
	buffer->len += len;
	return octets;
}

uint8_t *wire_buffer_extend(struct wire_buffer *buffer, size_t len)
{
	return extend(buffer, len);
}

bool wire_buffer_reserve(struct wire_buffer *buffer, size_t len)
{
	if (buffer->failed || len > buffer->limit - buffer->len)
		return false;
	return len <= buffer->capacity - buffer->len || grow(buffer, buffer->len + len);
}

void wire_buffer_truncate(struct wire_buffer *buffer, size_t len)
{
	assert(len <= buffer->len);
	if (len == buffer->len)
		return;
	wire_wipe(buffer->data + len, buffer->len - len);
	buffer->len = len;
}

void wire_buffer_consume(struct wire_buffer *buffer, size_t len)
{
	assert(len <= buffer->len);
	if (len && len < buffer->len)
		memmove(buffer->data, buffer->data + len, buffer->len - len);
	wire_buffer_truncate(buffer, buffer->len - len);
}

void wire_put_u8(struct wire_buffer *buffer, uint8_t value)
{
	uint8_t *octets = extend(buffer, 1);

	if (octets)
		*octets = value;
}

void wire_put_u16(struct wire_buffer *buffer, uint16_t value)
{
	uint8_t *octets = extend(buffer, 2);

	if (octets)
		wire_store_u16(octets, value);
}

void wire_put_u32(struct wire_buffer *buffer, uint32_t value)
{
	uint8_t *octets = extend(buffer, 4);

	if (octets)
		wire_store_u32(octets, value);
}

void wire_put_u64(struct wire_buffer *buffer, uint64_t value)
{
	uint8_t *octets = extend(buffer, 8);

	if (octets)
		wire_store_u64(octets, value);
}

void wire_put_flag(struct wire_buffer *buffer, bool value)
{
	wire_put_u8(buffer, value);
}

void wire_put_raw(struct wire_buffer *buffer, const void *data, size_t len)
{
	uint8_t *octets;

	if (!len)
		return;
	octets = extend(buffer, len);
	if (octets)
		memcpy(octets, data, len);
}

/* Length and octets go in together or not at all. */
void wire_put_bytes(struct wire_buffer *buffer, struct wire_bytes bytes)
{
	uint8_t *octets;

	if (bytes.len > UINT32_MAX - 4) {
		buffer->failed = true;
		return;
	}
	octets = extend(buffer, 4 + bytes.len);
	if (!octets)
		return;
	wire_store_u32(octets, (uint32_t)bytes.len);
	if (bytes.len)
		memcpy(octets + 4, bytes.data, bytes.len);
}

/* An empty reader stands somewhere too, so that no pointer arithmetic meets NULL. */
void wire_reader_init(struct wire_reader *reader, struct wire_bytes bytes)
{
	static const uint8_t nowhere[1];

	reader->failed = !bytes.data && bytes.len;
	reader->at = bytes.data ? bytes.data : nowhere;
	reader->end = reader->at + (bytes.data ? bytes.len : 0);
}

/* The next `len` octets, or NULL and the failure that stays. */
static inline const uint8_t *take(struct wire_reader *reader, size_t len)
{
	const uint8_t *octets = reader->at;

	if (reader->failed || len > (size_t)(reader->end - octets)) {
		reader->failed = true;
		return NULL;
	}
	reader->at = octets + len;
	return octets;
}

uint8_t wire_get_u8(struct wire_reader *reader)
{
	const uint8_t *octets = take(reader, 1);

	return octets ? *octets : 0;
}

uint16_t wire_get_u16(struct wire_reader *reader)
{
	const uint8_t *octets = take(reader, 2);

	return octets ? wire_load_u16(octets) : 0;
}

uint32_t wire_get_u32(struct wire_reader *reader)
{
	const uint8_t *octets = take(reader, 4);

	return octets ? wire_load_u32(octets) : 0;
}

uint64_t wire_get_u64(struct wire_reader *reader)
{
	const uint8_t *octets = take(reader, 8);

	return octets ? wire_load_u64(octets) : 0;
}

bool wire_get_flag(struct wire_reader *reader)
{
	uint8_t octet = wire_get_u8(reader);

	if (octet > 1)
		reader->failed = true;
	return octet == 1;
}

struct wire_bytes wire_get_raw(struct wire_reader *reader, size_t len)
{
	const uint8_t *octets = take(reader, len);

	return (struct wire_bytes){octets, octets ? len : 0};
}

struct wire_bytes wire_get_bytes(struct wire_reader *reader)
{
	return wire_get_raw(reader, wire_get_u32(reader));
}

bool wire_reader_done(const struct wire_reader *reader)
{
	return !reader->failed && reader->at == reader->end;
}

void wire_wipe(void *memory, size_t len)
{
	if (len)
		explicit_bzero(memory, len);
}

bool wire_secret_equal(struct wire_bytes a, struct wire_bytes b)
{
	return a.len == b.len && (!a.len || !CRYPTO_memcmp(a.data, b.data, a.len));
}

bool wire_bytes_equal(struct wire_bytes a, struct wire_bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

struct wire_bytes wire_text(const char *string)
{
	return (struct wire_bytes){(const uint8_t *)string, strlen(string)};
}

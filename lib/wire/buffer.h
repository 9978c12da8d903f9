/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded, wiping buffers and readers: the only way in which octets enter or leave a frame. A
 * buffer never grows beyond its limit and wipes every octet it lets go of; a reader never reads
 * past its end. Both keep a sticky failure, so that callers check once at the end.
 */
#ifndef WIRE_BUFFER_H
#define WIRE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed run of octets; the owner of the frame or object it points into owns it. data may be
 * NULL when len is 0. */
struct wire_bytes {
	const uint8_t *data;
	size_t len;
};

/* Where a buffer's memory comes from. NULL stands for malloc and free. allocate returns NULL when
 * there is none. */
struct wire_allocator {
	void *(*allocate)(size_t len);
	void (*release)(void *memory, size_t len);
};

struct wire_buffer {
	uint8_t *data;
	size_t len;      /* octets written */
	size_t capacity; /* octets allocated */
	size_t limit;    /* never more than this */
	bool failed;     /* a put did not fit or memory ran out; data before it is unchanged */
	const struct wire_allocator *allocator;
};

/* Makes an empty buffer; allocates nothing. `allocator` outlives the buffer. */
void wire_buffer_init(struct wire_buffer *buffer, size_t limit,
                      const struct wire_allocator *allocator);
/* Wipes and frees; the buffer is then as after init. Safe on a zeroed structure and twice. */
void wire_buffer_free(struct wire_buffer *buffer);
/* Wipes the contents and clears the failure; memory above `keep_len` octets is given back. */
void wire_buffer_reset(struct wire_buffer *buffer, size_t keep_len);
/* Appends `len` octets of unspecified content and returns them, or NULL (failure set). Valid until
 * the next put. */
uint8_t *wire_buffer_extend(struct wire_buffer *buffer, size_t len);
/* Makes room for `len` octets more, so that putting them moves nothing. False when they do not fit
 * or memory is short (no failure is set). */
bool wire_buffer_reserve(struct wire_buffer *buffer, size_t len);
/* Drops (and wipes) the first `len` octets. len <= buffer->len. */
void wire_buffer_consume(struct wire_buffer *buffer, size_t len);
/* Cuts (and wipes) the end so that `len` octets remain. len <= buffer->len. */
void wire_buffer_truncate(struct wire_buffer *buffer, size_t len);

void wire_put_u8(struct wire_buffer *buffer, uint8_t value);
void wire_put_u16(struct wire_buffer *buffer, uint16_t value);
void wire_put_u32(struct wire_buffer *buffer, uint32_t value);
void wire_put_u64(struct wire_buffer *buffer, uint64_t value);
void wire_put_flag(struct wire_buffer *buffer, bool value);
void wire_put_raw(struct wire_buffer *buffer, const void *data, size_t len);
/* u32 length, then the octets. */
void wire_put_bytes(struct wire_buffer *buffer, struct wire_bytes bytes);

/* Numbers as they are in frames, the least octet first; written out so that the compiler makes one
 * access of it. */
static inline uint16_t wire_load_u16(const uint8_t *octets)
{
	return (uint16_t)(octets[0] | octets[1] << 8);
}

static inline uint32_t wire_load_u32(const uint8_t *octets)
{
	return octets[0] | (uint32_t)octets[1] << 8 | (uint32_t)octets[2] << 16 |
	       (uint32_t)octets[3] << 24;
}

static inline uint64_t wire_load_u64(const uint8_t *octets)
{
	return wire_load_u32(octets) | (uint64_t)wire_load_u32(octets + 4) << 32;
}

static inline void wire_store_u16(uint8_t *octets, uint16_t value)
{
	octets[0] = (uint8_t)value;
	octets[1] = (uint8_t)(value >> 8);
}

static inline void wire_store_u32(uint8_t *octets, uint32_t value)
{
	octets[0] = (uint8_t)value;
	octets[1] = (uint8_t)(value >> 8);
	octets[2] = (uint8_t)(value >> 16);
	octets[3] = (uint8_t)(value >> 24);
}

static inline void wire_store_u64(uint8_t *octets, uint64_t value)
{
	wire_store_u32(octets, (uint32_t)value);
	wire_store_u32(octets + 4, (uint32_t)(value >> 32));
}

struct wire_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

void wire_reader_init(struct wire_reader *reader, struct wire_bytes bytes);
uint8_t wire_get_u8(struct wire_reader *reader);
uint16_t wire_get_u16(struct wire_reader *reader);
uint32_t wire_get_u32(struct wire_reader *reader);
uint64_t wire_get_u64(struct wire_reader *reader);
/* Any octet but 0 and 1 is a failure. */
bool wire_get_flag(struct wire_reader *reader);
/* Borrowed from the reader's memory. */
struct wire_bytes wire_get_bytes(struct wire_reader *reader);
struct wire_bytes wire_get_raw(struct wire_reader *reader, size_t len);
/* True when nothing failed and every octet was read. */
bool wire_reader_done(const struct wire_reader *reader);

/* Wipes memory in a way the compiler keeps. NULL with 0 is allowed. */
void wire_wipe(void *memory, size_t len);
/* Constant-time comparison, the only one allowed for secrets. False when the lengths differ. */
bool wire_secret_equal(struct wire_bytes a, struct wire_bytes b);
/* Ordinary comparison of public values. */
bool wire_bytes_equal(struct wire_bytes a, struct wire_bytes b);
/* The octets of a string, without its end. Borrowed. */
struct wire_bytes wire_text(const char *string);

#endif

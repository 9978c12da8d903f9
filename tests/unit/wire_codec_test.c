/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message of message.def in both directions, with every shape of mechanism parameter: what is
 * encoded decodes and encodes to the same octets; nothing shorter or longer is accepted; a changed
 * bit never crashes, and what is still accepted is canonical. Then frame headers and the name
 * tables.
 */
#include "fuzz/wire_messages.h"
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define BODY_LIMIT 8192u

/* Recodes an exact copy, so that a read beyond it shows. */
static enum recoding recode_copy(const struct message_row *row, const uint8_t *octets, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	enum recoding recoding;

	if (len)
		memcpy(copy, octets, len);
	recoding = message_recode(row, (struct wire_bytes){copy, len});
	free(copy);
	return recoding;
}

/* Calls `check` with a sample body of every row and variant that differs from the one before. */
static void for_each_sample(void (*check)(const struct message_row *row, struct wire_buffer *body))
{
	for (size_t i = 0; i < MESSAGE_ROW_COUNT; i++)
		for (unsigned int variant = 0; variant < SAMPLE_VARIANTS; variant++) {
			struct wire_buffer body;

			wire_buffer_init(&body, BODY_LIMIT, NULL);
			ASSERT_TRUE(message_sample(&message_rows[i], variant, &body));
			check(&message_rows[i], &body);
			wire_buffer_free(&body);
		}
}

static void check_round_trip(const struct message_row *row, struct wire_buffer *body)
{
	ASSERT_EQ(recode_copy(row, body->data, body->len), RECODING_SAME);
}

TEST(round_trip)
{
	for_each_sample(check_round_trip);
}

static void check_truncations(const struct message_row *row, struct wire_buffer *body)
{
	for (size_t len = 0; len < body->len; len++)
		ASSERT_EQ(recode_copy(row, body->data, len), RECODING_REFUSED);
}

TEST(truncations_are_refused)
{
	for_each_sample(check_truncations);
}

static void check_extensions(const struct message_row *row, struct wire_buffer *body)
{
	for (unsigned int octet = 0; octet < 256; octet++) {
		wire_put_u8(body, (uint8_t)octet);
		ASSERT_EQ(recode_copy(row, body->data, body->len), RECODING_REFUSED);
		wire_buffer_truncate(body, body->len - 1);
	}
}

TEST(extensions_are_refused)
{
	for_each_sample(check_extensions);
}

static void check_bit_flips(const struct message_row *row, struct wire_buffer *body)
{
	for (size_t bit = 0; bit < 8 * body->len; bit++) {
		body->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ASSERT_NE(recode_copy(row, body->data, body->len), RECODING_DIFFERENT);
		body->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

TEST(bit_flips_are_refused_or_canonical)
{
	for_each_sample(check_bit_flips);
}

/* Lengths are where decoders break: four octets anywhere become something large. */
static void check_large_lengths(const struct message_row *row, struct wire_buffer *body)
{
	static const uint8_t large[][4] = {
		{0xff, 0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 0x7f}, {0x00, 0x00, 0x00, 0x80}};
	uint8_t saved[4];

	for (size_t at = 0; at + 4 <= body->len; at++)
		for (size_t i = 0; i < 3; i++) {
			memcpy(saved, body->data + at, 4);
			memcpy(body->data + at, large[i], 4);
			ASSERT_NE(recode_copy(row, body->data, body->len), RECODING_DIFFERENT);
			memcpy(body->data + at, saved, 4);
		}
}

TEST(large_lengths_are_refused_or_canonical)
{
	for_each_sample(check_large_lengths);
}

/* Encoding into a buffer of every smaller size fails and writes nothing beyond it. */
static void check_small_buffers(const struct message_row *row, struct wire_buffer *body)
{
	struct wire_buffer out;

	for (size_t limit = 0; limit <= body->len; limit++) {
		wire_buffer_init(&out, limit, NULL);
		if (row->recode((struct wire_bytes){body->data, body->len}, &out) == RECODING_SAME)
			ASSERT_EQ(limit, body->len);
		else
			ASSERT_TRUE(limit < body->len);
		ASSERT_TRUE(out.len <= limit);
		wire_buffer_free(&out);
	}
}

TEST(small_buffers_fail)
{
	for_each_sample(check_small_buffers);
}

static bool accepts_mechanism(uint8_t shape, size_t parameter_len)
{
	static const uint8_t zeros[64];
	struct wire_buffer buffer;
	struct wire_reader reader;
	bool accepted;

	wire_buffer_init(&buffer, 256, NULL);
	wire_put_mechanism(&buffer,
	                   (struct wire_mechanism){CKM_AES_GCM, shape, {zeros, parameter_len}});
	wire_reader_init(&reader, (struct wire_bytes){buffer.data, buffer.len});
	wire_get_mechanism(&reader);
	accepted = wire_reader_done(&reader);
	wire_buffer_free(&buffer);
	return accepted;
}

/* An all-zero record is valid when it has just the length of its empty fields. */
TEST(mechanism_parameters_have_their_shape)
{
	enum { bytes_len = 4, u64_len = 8, flag_len = 1 };
	const size_t lens[WIRE_SHAPE_COUNT] = {
#define RECORD(shape)                  [WIRE_SHAPE_##shape] = 0
#define RECORD_FIELD(kind, name, text) +kind##_len
#define END_RECORD                     ,
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
	};

	for (unsigned int shape = 0; shape < 256; shape++)
		for (size_t len = 0; len <= 40; len++)
			ASSERT_EQ(accepts_mechanism((uint8_t)shape, len),
			          shape < WIRE_SHAPE_COUNT && len == lens[shape]);
}

TEST(frame_header)
{
	static const uint8_t wanted[] = {0x05, 0,    0,    0,    0x04, 0x03, 0x02,
	                                 0x01, 0x32, 0x04, 0x01, 0,    0x50, 0x01,
	                                 0,    0x80, 'h',  'e',  'l',  'l',  'o'};
	const struct wire_frame_header header = {99, 0x01020304, WIRE_OPCODE_sign, WIRE_FRAME_REPLY,
	                                         0x80000150};
	struct wire_frame_header got;
	struct wire_buffer buffer;
	size_t offset;

	wire_buffer_init(&buffer, 1000, NULL);
	wire_put_u8(&buffer, 0xee);
	offset = wire_frame_begin(&buffer, &header);
	EXPECT_EQ(offset, 1);
	wire_put_raw(&buffer, "hello", 5);
	wire_frame_finish(&buffer, offset);
	ASSERT_EQ(buffer.len, 1 + sizeof(wanted));
	ASSERT_MEMEQ(buffer.data + 1, wanted, sizeof(wanted));
	EXPECT_EQ(buffer.data[0], 0xee);
	wire_frame_parse(&got, buffer.data + 1);
	EXPECT_EQ(got.body_len, 5);
	EXPECT_EQ(got.request_id, header.request_id);
	EXPECT_EQ(got.opcode, header.opcode);
	EXPECT_EQ(got.flags, header.flags);
	EXPECT_EQ(got.status, header.status);
	wire_buffer_free(&buffer);
}

TEST(a_failed_frame_is_left_alone)
{
	const struct wire_frame_header header = {.opcode = WIRE_OPCODE_hello};

	for (size_t limit = 0; limit < WIRE_FRAME_HEADER_LEN; limit++) {
		struct wire_buffer buffer;

		wire_buffer_init(&buffer, limit, NULL);
		wire_frame_finish(&buffer, wire_frame_begin(&buffer, &header));
		ASSERT_TRUE(buffer.failed);
		wire_buffer_free(&buffer);
	}
}

TEST(a_failed_body_gets_no_length)
{
	const struct wire_frame_header header = {.opcode = WIRE_OPCODE_hello};
	struct wire_buffer buffer;
	size_t offset;

	wire_buffer_init(&buffer, WIRE_FRAME_HEADER_LEN + 4, NULL);
	offset = wire_frame_begin(&buffer, &header);
	wire_put_u32(&buffer, 1);
	wire_put_u32(&buffer, 2);
	wire_frame_finish(&buffer, offset);
	EXPECT_TRUE(buffer.failed);
	EXPECT_EQ(buffer.data[0], 0);
	wire_buffer_free(&buffer);
}

TEST(frame_limits)
{
	size_t known = 0;

	for (unsigned int opcode = 0; opcode <= UINT16_MAX; opcode++) {
		size_t limit = wire_frame_limit((uint16_t)opcode);

		known += limit != 0;
		ASSERT_TRUE(limit == 0 || limit == WIRE_CONTROL_LIMIT || limit == WIRE_BULK_LIMIT);
		ASSERT_EQ(limit != 0, wire_function_name((uint16_t)opcode) != NULL);
	}
	EXPECT_EQ(2 * known, MESSAGE_ROW_COUNT);
	EXPECT_EQ(wire_frame_limit(WIRE_OPCODE_sign), WIRE_BULK_LIMIT);
	EXPECT_EQ(wire_frame_limit(WIRE_OPCODE_login), WIRE_CONTROL_LIMIT);
}

TEST(names_and_shapes)
{
	enum wire_shape shape;

	EXPECT_STREQ(wire_function_name(WIRE_OPCODE_sign), "C_Sign");
	EXPECT_STREQ(wire_mechanism_name(CKM_AES_GCM), "CKM_AES_GCM");
	EXPECT_TRUE(wire_mechanism_name(UINT64_MAX) == NULL);
	EXPECT_TRUE(wire_mechanism_shape(CKM_AES_GCM, &shape) && shape == WIRE_SHAPE_gcm);
	EXPECT_TRUE(wire_mechanism_shape(CKM_SHA256, &shape) && shape == WIRE_SHAPE_none);
	EXPECT_FALSE(wire_mechanism_shape(CKM_AES_GCM | 1ull << 32, &shape));
#define MECHANISM(type, wanted)                                                                    \
	EXPECT_STREQ(wire_mechanism_name(type), #type);                                            \
	EXPECT_TRUE(wire_mechanism_shape(type, &shape) && shape == WIRE_SHAPE_##wanted);
#include "wire/mechanism.def"
#undef MECHANISM
}

HARNESS_MAIN

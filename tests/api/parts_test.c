/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in parts by frames made by hand, which may come in any order: what waits for a part takes
 * nothing else, and what does not, takes none. By the socket, where a part is an ordinary request.
 */
#include "parts.h"

#define TAG_LEN 16u

static uint64_t session, key;
static const uint8_t octets[100] = {1, 2, 3};

static void open_all(void)
{
	session = parts_start();
	key = parts_make_key(session, CKM_AES_KEY_GEN);
}

/* parts_begin of a call whose own request is given, with the first `part_len` octets. */
#define BEGIN(name, data_length, part_len, ...)                                                    \
	({                                                                                         \
		struct wire_##name##_request own_request = {.session = session, __VA_ARGS__};      \
		struct wire_buffer own_octets = frames_new();                                      \
		CK_RV begun;                                                                       \
                                                                                                   \
		wire_encode_##name##_request(&own_octets, &own_request);                           \
		begun = ASK(parts_begin, .opcode = WIRE_OPCODE_##name, .data_len = (data_length),  \
		            .request = {own_octets.data, own_octets.len},                          \
		            .data = {octets, (part_len)});                                         \
		wire_buffer_free(&own_octets);                                                     \
		begun;                                                                             \
	})
#define NEXT(name, part_len)                                                                       \
	ASK(parts_next, .opcode = WIRE_OPCODE_##name, .session = session,                          \
	    .data = {octets, (part_len)})

#define MESSAGE_FIELDS .capacity = 100, .iv = {octets, 12}, .tag_len = TAG_LEN, .aad = {octets, 5}

static void begin_digest(void)
{
	OK(ASK(digest_init, .session = session, .mechanism = {.type = CKM_SHA256}));
}

static void begin_messages(void)
{
	OK(ASK(message_encrypt_init, .session = session, .mechanism = {.type = CKM_AES_GCM},
	       .key = key));
}

/* The last part of a sealed message brings what is left of it, and the tag. */
static void expect_sealed(size_t part_len)
{
	struct wire_parts_next_reply fields;

	ASSERT_TRUE(wire_decode_parts_next_reply(parts_body, &fields));
	EXPECT_TRUE(fields.done);
	EXPECT_EQ(fields.output_len, 100);
	EXPECT_EQ(fields.output.len, part_len + TAG_LEN);
}

TEST(message_in_parts)
{
	struct wire_parts_begin_reply fields;

	open_all();
	begin_messages();
	OK(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS));
	ASSERT_TRUE(wire_decode_parts_begin_reply(parts_body, &fields));
	EXPECT_FALSE(fields.done);
	EXPECT_EQ(fields.output_len, 0);
	ASSERT_EQ(fields.output.len, 12 + 60); /* the IV before it */
	EXPECT_MEMEQ(fields.output.data, octets, 12);
	OK(NEXT(encrypt_message, 40));
	expect_sealed(40);
}

/* While a series waits for a part it takes nothing else, and is none the worse for it. */
TEST(between_the_parts_of_a_message)
{
	open_all();
	begin_messages();
	OK(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS));
	GIVES(ASK(encrypt_message, .session = session, .data = {octets, 10}, MESSAGE_FIELDS),
	      CKR_OPERATION_ACTIVE);
	GIVES(ASK(encrypt_message_begin, .session = session, .iv = {octets, 12},
	          .tag_len = TAG_LEN),
	      CKR_OPERATION_ACTIVE);
	GIVES(ASK(encrypt_message_next, .session = session, .capacity = 100, .data = {octets, 10}),
	      CKR_OPERATION_ACTIVE);
	GIVES(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS), CKR_OPERATION_ACTIVE);
	GIVES(BEGIN(encrypt_message_next, 100, 60, .capacity = 100), CKR_OPERATION_ACTIVE);
	GIVES(NEXT(encrypt_message_next, 40), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(NEXT(encrypt, 40), CKR_OPERATION_NOT_INITIALIZED);
	OK(NEXT(encrypt_message, 40));
	expect_sealed(40);
	GIVES(NEXT(encrypt_message, 40), CKR_OPERATION_NOT_INITIALIZED);
	/* It may be given up. */
	OK(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS));
	OK(ASK(message_encrypt_final, .session = session));
	GIVES(NEXT(encrypt_message, 40), CKR_OPERATION_NOT_INITIALIZED);
	begin_messages();
	OK(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS));
	OK(ASK(session_cancel, .session = session, .flags = CKF_MESSAGE_ENCRYPT));
	GIVES(NEXT(encrypt_message, 40), CKR_OPERATION_NOT_INITIALIZED);
}

/* More than was said ends the message, but not the series. */
TEST(more_of_a_message_than_was_said)
{
	open_all();
	begin_messages();
	OK(BEGIN(encrypt_message, 100, 60, MESSAGE_FIELDS));
	GIVES(NEXT(encrypt_message, 41), CKR_ARGUMENTS_BAD);
	GIVES(NEXT(encrypt_message, 40), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(BEGIN(encrypt_message, 50, 60, MESSAGE_FIELDS), CKR_ARGUMENTS_BAD);
	GIVES(BEGIN(encrypt_message, (64ull << 20) + 1, 60, MESSAGE_FIELDS), CKR_DATA_LEN_RANGE);
	OK(BEGIN(encrypt_message, 100, 100, MESSAGE_FIELDS));
}

TEST(own_requests_that_are_none)
{
	struct wire_digest_request own = {.session = session, .capacity = 32};
	struct wire_buffer encoded = frames_new();

	open_all();
	begin_digest();
	own.session = session;
	wire_encode_digest_request(&encoded, &own);
	for (size_t len = 0; len < encoded.len; len++)
		GIVES(ASK(parts_begin, .opcode = WIRE_OPCODE_digest, .data_len = 100,
		          .request = {encoded.data, len}, .data = {octets, 60}),
		      CKR_ARGUMENTS_BAD);
	wire_put_u8(&encoded, 0);
	GIVES(ASK(parts_begin, .opcode = WIRE_OPCODE_digest, .data_len = 100,
	          .request = {encoded.data, encoded.len}, .data = {octets, 60}),
	      CKR_ARGUMENTS_BAD);
	wire_buffer_free(&encoded);
	/* With data of its own, besides those in parts. */
	GIVES(BEGIN(digest, 100, 60, .capacity = 32, .data = {octets, 1}), CKR_ARGUMENTS_BAD);
	OK(BEGIN(digest, 100, 60, .capacity = 32));
	OK(NEXT(digest, 40));
}

static void begin_cipher(void)
{
	struct wire_buffer parameter = frames_new();
	const struct wire_initialization_vector_parameter given = {{octets, 16}};

	wire_encode_initialization_vector_parameter(&parameter, &given);
	OK(ASK(encrypt_init, .session = session, .key = key,
	       .mechanism = {.type = CKM_AES_CBC_PAD,
	                     .shape = WIRE_SHAPE_initialization_vector,
	                     .parameter = {parameter.data, parameter.len}}));
	wire_buffer_free(&parameter);
}

static void expect_digest_of(const char *hex, size_t hex_len)
{
	struct wire_digest_final_reply fields;
	char got[65];

	OK(ASK(digest_final, .session = session, .capacity = 32));
	ASSERT_TRUE(wire_decode_digest_final_reply(parts_body, &fields));
	ASSERT_EQ(fields.output.len, 32);
	for (size_t i = 0; i < 32; i++)
		snprintf(got + 2 * i, 3, "%02x", fields.output.data[i]);
	EXPECT_MEMEQ(got, hex, hex_len);
}

/* Two operations at once: both wait, and each takes nothing else. */
TEST(between_the_parts_of_two)
{
	/* SHA-256 of the first 60 octets and again the first 40 */
	static const char hex[] =
		"a04ea2dc5d109b93fbed29c22528438a6398814e5c87aaeb0ec5cd4796102f98";

	open_all();
	begin_cipher();
	begin_digest();
	OK(BEGIN(digest_encrypt_update, 100, 60, .capacity = 200));
	GIVES(NEXT(encrypt_update, 40), CKR_OPERATION_NOT_INITIALIZED);
	GIVES(ASK(encrypt_update, .session = session, .capacity = 200, .data = {octets, 10}),
	      CKR_OPERATION_ACTIVE);
	OK(NEXT(digest_encrypt_update, 40));
	expect_digest_of(hex, sizeof(hex) - 1);
	/* The digest is busy with a call of its own. */
	begin_digest();
	OK(BEGIN(digest_update, 100, 60));
	GIVES(BEGIN(digest_encrypt_update, 100, 60, .capacity = 200), CKR_OPERATION_ACTIVE);
	OK(NEXT(digest_update, 40));
	/* It becomes so, or goes, in the middle. */
	OK(BEGIN(digest_encrypt_update, 100, 60, .capacity = 200));
	OK(BEGIN(digest_update, 100, 60));
	GIVES(NEXT(digest_encrypt_update, 40), CKR_OPERATION_ACTIVE);
	GIVES(NEXT(digest_encrypt_update, 40), CKR_OPERATION_NOT_INITIALIZED);
	OK(NEXT(digest_update, 40));
	begin_cipher();
	OK(BEGIN(digest_encrypt_update, 100, 60, .capacity = 200));
	OK(ASK(session_cancel, .session = session, .flags = CKF_DIGEST));
	GIVES(NEXT(digest_encrypt_update, 40), CKR_OPERATION_NOT_INITIALIZED);
	begin_cipher();
}

/* A signature that comes before the data is the agent's own copy. */
TEST(verification_in_parts)
{
	struct wire_sign_final_reply made;
	uint8_t mac[16];

	open_all();
	OK(ASK(sign_init, .session = session, .mechanism = {.type = CKM_AES_CMAC}, .key = key));
	OK(BEGIN(sign_update, 100, 60));
	OK(NEXT(sign_update, 40));
	OK(ASK(sign_final, .session = session, .capacity = 16));
	ASSERT_TRUE(wire_decode_sign_final_reply(parts_body, &made));
	ASSERT_EQ(made.output.len, sizeof(mac));
	memcpy(mac, made.output.data, sizeof(mac));
	for (int wrong = 0; wrong < 2; wrong++) {
		mac[0] ^= wrong;
		OK(ASK(verify_init, .session = session, .mechanism = {.type = CKM_AES_CMAC},
		       .key = key));
		OK(BEGIN(verify, 100, 60, .signature = {mac, sizeof(mac)}));
		GIVES(ASK(verify, .session = session, .data = {octets, 100},
		          .signature = {mac, sizeof(mac)}),
		      CKR_OPERATION_ACTIVE);
		GIVES(NEXT(verify, 40), wrong ? CKR_SIGNATURE_INVALID : CKR_OK);
		GIVES(NEXT(verify, 40), CKR_OPERATION_NOT_INITIALIZED);
	}
}

HARNESS_MAIN

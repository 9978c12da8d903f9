/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sessions do the same, at random: in one the data of each call come at once, in the other in
 * parts of random length. Whatever is asked, in whatever order, the answers are the same: status,
 * lengths, results, tags. The mechanisms are those whose results are no different each time.
 */
#include "parts.h"

#define STEPS    12000u
#define ROOM     2048u
#define DATA_MAX 400u
#define IV_LEN   12u
#define TAG_LEN  16u
#define SEED     0x9e3779b97f4a7c15ull

/* What a call is given. */
struct step {
	bool query, last;
	uint64_t capacity;
	struct wire_bytes data, tag; /* the tag, or the signature */
};

struct result {
	CK_RV status;
	uint64_t output_len;
	uint8_t octets[ROOM]; /* of the output, and the tag behind it */
	size_t len;
};

/* What begins them: a case of begin_some, and for a message's parts one of end_some. */
enum begins {
	ENCRYPT,
	DECRYPT,
	DIGEST,
	SIGN,
	VERIFY,
	EXPECTED,
	MESSAGE_ENCRYPT,
	MESSAGE_DECRYPT,
	MESSAGE_SIGN,
	MESSAGE_VERIFY,
	NONE
};

struct row {
	uint16_t opcode;
	const char *name;
	enum begins first, second, message;
	void (*put)(struct wire_buffer *, uint64_t session, const struct step *,
	            struct wire_bytes data);
	void (*take)(struct wire_bytes body, struct result *);
};

static uint64_t seed = SEED;
static uint64_t sessions[2]; /* whole, and in parts */
static uint64_t aes, secret, signs, verifies;
static const uint8_t iv[16] = {7}, aad[5] = {1};

/* What was made last, to be decrypted and verified. */
static uint8_t sealed[ROOM], signed_data[DATA_MAX], signature[ROOM];
static size_t sealed_len, signed_len, signature_len;

static uint64_t random_below(uint64_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % limit;
}

/* ---- the calls of parts.def ---- */

static void add(struct result *result, struct wire_bytes octets)
{
	ASSERT_LE(octets.len, sizeof(result->octets) - result->len);
	if (octets.len)
		memcpy(result->octets + result->len, octets.data, octets.len);
	result->len += octets.len;
}

#define PUT(name, ...)                                                                             \
	static void put_##name(struct wire_buffer *buffer, uint64_t session,                       \
	                       const struct step *step, struct wire_bytes data)                    \
	{                                                                                          \
		const struct wire_##name##_request request = {                                     \
			.session = session, .data = data, ##__VA_ARGS__};                          \
                                                                                                   \
		(void)step;                                                                        \
		wire_encode_##name##_request(buffer, &request);                                    \
	}
#define TAKE(name, ...)                                                                            \
	static void take_##name(struct wire_bytes from, struct result *result)                     \
	{                                                                                          \
		struct wire_##name##_reply r;                                                      \
                                                                                                   \
		ASSERT_TRUE(wire_decode_##name##_reply(from, &r));                                 \
		__VA_ARGS__                                                                        \
	}
#define TAKE_NOTHING(name) TAKE(name, (void)result;)
#define TAKE_OUTPUT(name)  TAKE(name, result->output_len = r.output_len; add(result, r.output);)
#define TAKE_SEALED(name)                                                                          \
	TAKE(name, result->output_len = r.output_len; add(result, r.output); add(result, r.tag);)

#define OUTPUT_FIELDS  .query = step->query, .capacity = step->capacity
#define MESSAGE_FIELDS .iv = {iv, IV_LEN}, .tag_len = TAG_LEN, .aad = {aad, sizeof(aad)}

#define CALL_FEED(name)      PUT(name) TAKE_NOTHING(name)
#define CALL_SIGNATURE(name) PUT(name, .signature = step->tag) TAKE_NOTHING(name)
#define CALL_SIGNATURE_NEXT(name)                                                                  \
	PUT(name, .signature = step->tag, .last = step->last) TAKE_NOTHING(name)
#define CALL_OUTPUT(name) PUT(name, OUTPUT_FIELDS) TAKE_OUTPUT(name)
#define CALL_SEAL(name)   PUT(name, OUTPUT_FIELDS, MESSAGE_FIELDS) TAKE_SEALED(name)
#define CALL_OPEN(name)   PUT(name, OUTPUT_FIELDS, MESSAGE_FIELDS, .tag = step->tag) TAKE_OUTPUT(name)
#define CALL_OPEN_NEXT(name)                                                                       \
	PUT(name, OUTPUT_FIELDS, .tag = step->tag, .last = step->last) TAKE_OUTPUT(name)
/* One of them has a tag in its reply. */
#define CALL_OUTPUT_NEXT(name)       PUT(name, OUTPUT_FIELDS, .last = step->last) TAKE_of_##name
#define TAKE_of_encrypt_message_next TAKE_SEALED(encrypt_message_next)
#define TAKE_of_sign_message_next    TAKE_OUTPUT(sign_message_next)

#define PARTS(name, kind, step, fields, other)       CALL_##fields(name)
#define PARTS_OF_MESSAGE(name, kind, extent, fields) CALL_##fields(name)
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE

#define MESSAGE_WHOLE(kind) NONE
#define MESSAGE_NEXT(kind)  MESSAGE_##kind
static const struct row rows[] = {
#define PARTS(name, kind, step, fields, other)                                                     \
	{WIRE_OPCODE_##name, #name, kind, other, NONE, put_##name, take_##name},
#define PARTS_OF_MESSAGE(name, kind, extent, fields)                                               \
	{WIRE_OPCODE_##name,     #name,      MESSAGE_##kind, NONE,                                 \
	 MESSAGE_##extent(kind), put_##name, take_##name},
#include "wire/parts.def"
#undef PARTS
#undef PARTS_OF_MESSAGE
};

static void call_whole(const struct row *row, const struct step *step, struct result *result)
{
	const struct wire_frame_header header = {.request_id = ++parts_id, .opcode = row->opcode};
	struct wire_buffer frames = frames_new();
	size_t offset = wire_frame_begin(&frames, &header);

	row->put(&frames, sessions[0], step, step->data);
	wire_frame_finish(&frames, offset);
	result->status = parts_ask(&frames);
	/* A failure may have fields: the length that is needed. */
	if (!result->status || parts_body.len)
		row->take(parts_body, result);
}

static struct wire_bytes cut(struct wire_bytes *data)
{
	struct wire_bytes part = *data;

	if (random_below(8))
		part.len = random_below(data->len + 1);
	data->data += part.len;
	data->len -= part.len;
	return part;
}

/* What a reply to a part brings. True when another part is wanted. */
static bool take_part(struct result *result, CK_RV status)
{
	struct wire_parts_next_reply fields;

	result->status = status;
	if (status && !parts_body.len)
		return false;
	ASSERT_TRUE(wire_decode_parts_next_reply(parts_body, &fields));
	result->output_len = fields.output_len;
	if (!status)
		add(result, fields.output);
	return !status && !fields.done;
}

static void call_in_parts(const struct row *row, const struct step *step, struct result *result)
{
	struct wire_buffer own = frames_new();
	struct wire_bytes left = step->data;
	bool goes_on;

	row->put(&own, sessions[1], step, (struct wire_bytes){NULL, 0});
	goes_on = take_part(result, ASK(parts_begin, .opcode = row->opcode, .data_len = left.len,
	                                .request = {own.data, own.len}, .data = cut(&left)));
	wire_buffer_free(&own);
	while (goes_on)
		goes_on = take_part(result, ASK(parts_next, .opcode = row->opcode,
		                                .session = sessions[1], .data = cut(&left)));
	if (row->opcode == WIRE_OPCODE_encrypt_message && !result->status && !step->query) {
		ASSERT_GE(result->len, IV_LEN);
		EXPECT_MEMEQ(result->octets, iv, IV_LEN);
		result->len -= IV_LEN;
		memmove(result->octets, result->octets + IV_LEN, result->len);
	}
}

static void remember(const struct row *row, const struct step *step, const struct result *result)
{
	if (result->status || step->query)
		return;
	if (row->opcode == WIRE_OPCODE_encrypt || row->opcode == WIRE_OPCODE_encrypt_message) {
		memcpy(sealed, result->octets, result->len);
		sealed_len = result->len;
	}
	if (row->opcode == WIRE_OPCODE_sign || row->opcode == WIRE_OPCODE_sign_message) {
		memcpy(signed_data, step->data.data, step->data.len);
		signed_len = step->data.len;
		memcpy(signature, result->octets, result->len);
		signature_len = result->len;
	}
}

/* Data at random, or what a call before made of some; so it is with tags. */
static struct step random_step(const struct row *row, const uint8_t data[DATA_MAX])
{
	bool opens = strstr(row->name, "decrypt"), checks = strstr(row->name, "verify");
	struct step step = {
		.query = !random_below(6),
		.last = random_below(2),
		.capacity = random_below(8) ? ROOM : random_below(DATA_MAX),
		.data = {data, random_below(DATA_MAX)},
		.tag = {data, random_below(3) ? TAG_LEN : random_below(70)},
	};

	if (random_below(2))
		step.data.len &= ~(size_t)15;
	if (opens && random_below(4)) {
		bool has_tag = strstr(row->name, "message");
		size_t behind = has_tag && sealed_len >= TAG_LEN ? TAG_LEN : 0;

		step.data = (struct wire_bytes){sealed, sealed_len - behind};
		step.tag = (struct wire_bytes){sealed + sealed_len - behind, behind};
	}
	if (checks && !opens && random_below(4)) {
		step.data = (struct wire_bytes){signed_data, signed_len};
		step.tag = (struct wire_bytes){signature, signature_len};
	}
	return step;
}

static void expect_same(const struct row *row, const struct result *a, const struct result *b)
{
	bool same = a->status == b->status && a->output_len == b->output_len && a->len == b->len &&
	            !memcmp(a->octets, b->octets, a->len);

	if (!same)
		printf("# %s: status 0x%lx and 0x%lx, output_len %llu and %llu, octets %zu and "
		       "%zu\n",
		       row->name, a->status, b->status, (unsigned long long)a->output_len,
		       (unsigned long long)b->output_len, a->len, b->len);
	ASSERT_TRUE(same);
}

static unsigned int good_calls[COUNT(rows)];

static void call_both(size_t number)
{
	const struct row *row = &rows[number];
	static struct result whole, parts;
	uint8_t data[DATA_MAX];
	struct step step;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)random_below(256);
	step = random_step(row, data);
	whole.len = parts.len = 0;
	whole.output_len = parts.output_len = 0;
	call_whole(row, &step, &whole);
	call_in_parts(row, &step, &parts);
	if (whole.status && whole.status != CKR_BUFFER_TOO_SMALL)
		parts.len = whole.len = 0; /* what came before the failure */
	if (whole.status && whole.status != CKR_BUFFER_TOO_SMALL)
		parts.output_len = whole.output_len = 0;
	expect_same(row, &whole, &parts);
	good_calls[number] += !whole.status && !step.query;
	remember(row, &step, &whole);
}

/* ---- what has no data ---- */

/* The same for both sessions, with the same answer. */
#define BOTH(name, ...)                                                                            \
	do {                                                                                       \
		static uint8_t first[sizeof(parts_reply.body)];                                    \
		CK_RV status = ASK(name, .session = sessions[0], __VA_ARGS__);                     \
		size_t len = parts_body.len;                                                       \
                                                                                                   \
		memcpy(first, parts_reply.body, len);                                              \
		GIVES(ASK(name, .session = sessions[1], __VA_ARGS__), status);                     \
		ASSERT_EQ(parts_body.len, len);                                                    \
		ASSERT_MEMEQ(parts_reply.body, first, len);                                        \
	} while (0)

static struct wire_bytes parameter_of(uint64_t type, uint8_t *shape)
{
	static struct wire_buffer buffer;
	const struct wire_initialization_vector_parameter vector = {{iv, 16}};
	const struct wire_gcm_parameter gcm = {{iv, IV_LEN}, {aad, sizeof(aad)}, 8 * TAG_LEN};

	if (!buffer.limit)
		buffer = frames_new();
	wire_buffer_reset(&buffer, ROOM);
	*shape = type == CKM_AES_GCM ? WIRE_SHAPE_gcm : WIRE_SHAPE_initialization_vector;
	if (type == CKM_AES_GCM)
		wire_encode_gcm_parameter(&buffer, &gcm);
	else
		wire_encode_initialization_vector_parameter(&buffer, &vector);
	return (struct wire_bytes){buffer.data, buffer.len};
}

static struct wire_mechanism random_cipher(void)
{
	static const uint64_t types[] = {CKM_AES_CBC_PAD, CKM_AES_CBC, CKM_AES_GCM};
	struct wire_mechanism mechanism = {.type = types[random_below(COUNT(types))]};

	mechanism.parameter = parameter_of(mechanism.type, &mechanism.shape);
	return mechanism;
}

/* A MAC of each sort, and a signature that wants its message whole. */
static uint64_t random_signature(uint64_t *sign_key, uint64_t *verify_key)
{
	switch (random_below(3)) {
	case 0:
		*sign_key = *verify_key = aes;
		return CKM_AES_CMAC;
	case 1:
		*sign_key = *verify_key = secret;
		return CKM_SHA256_HMAC;
	default:
		*sign_key = signs;
		*verify_key = verifies;
		return CKM_EDDSA;
	}
}

static void begin_some(enum begins which)
{
	struct wire_mechanism cipher = random_cipher();
	const struct wire_mechanism sha256 = {.type = CKM_SHA256}, gcm = {.type = CKM_AES_GCM};
	uint64_t sign_key, verify_key;
	const struct wire_mechanism mac = {.type = random_signature(&sign_key, &verify_key)};

	switch (which) {
	case ENCRYPT:
		BOTH(encrypt_init, .mechanism = cipher, .key = aes);
		break;
	case DECRYPT:
		BOTH(decrypt_init, .mechanism = cipher, .key = aes);
		break;
	case DIGEST:
		BOTH(digest_init, .mechanism = sha256);
		break;
	case SIGN:
		BOTH(sign_init, .mechanism = mac, .key = sign_key);
		break;
	case VERIFY:
		BOTH(verify_init, .mechanism = mac, .key = verify_key);
		break;
	case EXPECTED:
		BOTH(verify_signature_init, .mechanism = mac, .key = verify_key,
		     .signature = {signature, signature_len});
		break;
	case MESSAGE_ENCRYPT:
		BOTH(message_encrypt_init, .mechanism = gcm, .key = aes);
		break;
	case MESSAGE_DECRYPT:
		BOTH(message_decrypt_init, .mechanism = gcm, .key = aes);
		break;
	case MESSAGE_SIGN:
		BOTH(message_sign_init, .mechanism = mac, .key = sign_key);
		break;
	default:
		BOTH(message_verify_init, .mechanism = mac, .key = verify_key);
	}
}

static void end_some(uint64_t which)
{
	const uint64_t capacity = random_below(4) ? ROOM : random_below(40);
	const uint64_t flags = random_below(UINT64_MAX) & random_below(UINT64_MAX);

	switch (which) {
	case 0:
		BOTH(encrypt_final, .capacity = capacity);
		break;
	case 1:
		BOTH(decrypt_final, .capacity = capacity);
		break;
	case 2:
		BOTH(digest_final, .capacity = capacity);
		break;
	case 3:
		BOTH(sign_final, .capacity = capacity);
		break;
	case 4:
		BOTH(verify_final, .signature = {signature, signature_len});
		break;
	case 5:
		BOTH(verify_signature_final, 0);
		break;
	case 6:
		BOTH(encrypt_message_begin, MESSAGE_FIELDS);
		break;
	case 7:
		BOTH(decrypt_message_begin, MESSAGE_FIELDS);
		break;
	case 8:
		BOTH(sign_message_begin, 0);
		break;
	case 9:
		BOTH(verify_message_begin, 0);
		break;
	default:
		BOTH(session_cancel, .flags = flags);
	}
}

/* Whatever was active is given up. */
static void begin_for(const struct row *row)
{
	const uint64_t all = UINT64_MAX;

	BOTH(session_cancel, .flags = all);
	begin_some(row->second == EXPECTED ? EXPECTED : row->first);
	if (row->second < EXPECTED)
		begin_some(row->second);
	if (row->message != NONE)
		end_some(row->message);
}

/* ---- the keys ---- */

static void make_pair(void)
{
	static const uint8_t edwards[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
	const struct wire_attribute curve = {
		.type = CKA_EC_PARAMS,
		.kind = WIRE_ATTRIBUTE_BYTES,
		.value = {edwards, sizeof(edwards)},
	};
	struct wire_buffer attributes = frames_new();
	struct wire_generate_key_pair_reply made;

	wire_put_attribute(&attributes, &curve);
	OK(ASK(generate_key_pair, .session = sessions[0],
	       .mechanism = {.type = CKM_EC_EDWARDS_KEY_PAIR_GEN},
	       .public_attributes = {1, {attributes.data, attributes.len}}));
	wire_buffer_free(&attributes);
	ASSERT_TRUE(wire_decode_generate_key_pair_reply(parts_body, &made));
	signs = made.private_key;
	verifies = made.public_key;
}

static void open_all(void)
{
	sessions[0] = parts_start();
	sessions[1] = parts_open_session();
	aes = parts_make_key(sessions[0], CKM_AES_KEY_GEN);
	secret = parts_make_key(sessions[0], CKM_GENERIC_SECRET_KEY_GEN);
	make_pair();
}

TEST_TIMEOUT(parts_and_wholes_are_alike, 120)
{
	const char *other = getenv("CRATON_SEED");

	if (other)
		seed = strtoull(other, NULL, 0);
	open_all();
	for (unsigned int i = 0; i < STEPS; i++) {
		uint64_t number = random_below(COUNT(rows));

		switch (random_below(8)) {
		case 0:
			begin_some((enum begins)random_below(NONE));
			break;
		case 1:
			end_some(random_below(11));
			break;
		case 2:
			begin_for(&rows[number]);
			call_both(number);
			break;
		default:
			call_both(number);
		}
	}
	/* Each of them has had its way now and then. */
	for (size_t i = 0; i < COUNT(rows); i++) {
		printf("# %s: %u\n", rows[i].name, good_calls[i]);
		EXPECT_GT(good_calls[i], 3u);
	}
	expect_works(parts_fd);
}

HARNESS_MAIN

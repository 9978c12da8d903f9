/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that all operations share, swept over the whole table: for every mechanism and every
 * function it offers, queries, small buffers, the wrong order of calls, and what ends it.
 */
#include "harness.h"

#include "key_fixture.h"
#include "rsa_vectors.h"

/* 32 octets are what every mechanism takes: two blocks, a SHA-256 hash. */
static uint8_t plain[32] = {7};

static struct object *rsa_public, *rsa_private, *ec_public, *ec_private, *ed_public, *ed_private;
static struct object *ml_dsa_public, *ml_dsa_private;
static struct object *aes, *secret, *xts, *chacha20;

static void generate_ml_dsa(void)
{
	struct wire_mechanism parameter = PLAIN(CKM_ML_DSA_KEY_PAIR_GEN);
	struct attributes public_set = key_set(CKO_PUBLIC_KEY, CKK_ML_DSA);
	struct attributes private_set = key_set(CKO_PRIVATE_KEY, CKK_ML_DSA);

	ASSERT_EQ(attributes_set_number(&public_set, CKA_PARAMETER_SET, CKP_ML_DSA_44), ERROR_NONE);
	ASSERT_EQ(keygen_pair(crypto, NULL, row_of(parameter.type), &parameter, &public_set,
	                      &private_set),
	          ERROR_NONE);
	ml_dsa_public = publish(&public_set);
	ml_dsa_private = publish(&private_set);
}

static void open_keys(void)
{
	open_crypto();
	pair_from_pkcs8(BYTES(rsa_pkcs8), &rsa_public, &rsa_private);
	generate(CKM_EC_KEY_PAIR_GEN, P256_PARAMS, &ec_public, &ec_private);
	generate(CKM_EC_EDWARDS_KEY_PAIR_GEN, ED25519_PARAMS, &ed_public, &ed_private);
	if (crypto->has_ml_dsa)
		generate_ml_dsa();
	aes = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	xts = secret_key(CKK_AES_XTS, hex("000102030405060708090a0b0c0d0e0f"
	                                  "101112131415161718191a1b1c1d1e1f"));
	chacha20 = secret_key(CKK_CHACHA20, BYTES(plain));
	secret = secret_key(CKK_GENERIC_SECRET, TEXT("0123456789abcdef"));
}

static void close_keys(void)
{
	struct object *all[] = {rsa_public, rsa_private, ec_public,     ec_private,
	                        ed_public,  ed_private,  aes,           secret,
	                        xts,        chacha20,    ml_dsa_public, ml_dsa_private};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		object_put(all[i]);
}

static struct object *key_for(const struct mechanism *row, enum operation_kind kind)
{
	bool is_private = kind == OPERATION_SIGN || kind == OPERATION_DECRYPT;

	switch (row->key_type) {
	case CKK_RSA:
		return is_private ? rsa_private : rsa_public;
	case CKK_EC:
		return is_private ? ec_private : ec_public;
	case CKK_EC_EDWARDS:
		return is_private ? ed_private : ed_public;
	case CKK_ML_DSA:
		return is_private ? ml_dsa_private : ml_dsa_public;
	case CKK_AES:
		return aes;
	case CKK_AES_XTS:
		return xts;
	case CKK_CHACHA20:
		return chacha20;
	case CKK_GENERIC_SECRET:
		return secret;
	default:
		return NULL;
	}
}

static uint64_t hash_of(enum crypto_digest digest)
{
	static const uint64_t types[] = {CKM_SHA_1,    CKM_SHA224,   CKM_SHA256,
	                                 CKM_SHA384,   CKM_SHA512,   CKM_SHA3_224,
	                                 CKM_SHA3_256, CKM_SHA3_384, CKM_SHA3_512};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (mechanism_digest(types[i]) == digest)
			return types[i];
	}
	return CKM_SHA256;
}

static uint64_t mgf_of(enum crypto_digest digest)
{
	for (uint64_t mgf = 1; mgf < 10; mgf++) {
		if (mechanism_mgf(mgf) == digest)
			return mgf;
	}
	return CKG_MGF1_SHA256;
}

/* A parameter that the mechanism accepts. */
static struct wire_mechanism parameter_for(const struct mechanism *row)
{
	enum crypto_digest digest = row->digest ? row->digest : DIGEST_SHA256;
	static const uint8_t block[16] = {1};
	enum wire_shape shape;

	ASSERT_TRUE(wire_mechanism_shape(row->type, &shape));
	switch (shape) {
	case WIRE_SHAPE_initialization_vector:
		return PARAMETER(row->type, initialization_vector, BYTES(block));
	case WIRE_SHAPE_number:
		return PARAMETER(row->type, number, 10);
	case WIRE_SHAPE_pss:
		return PARAMETER(row->type, pss, hash_of(digest), mgf_of(digest), 20);
	case WIRE_SHAPE_oaep:
		return PARAMETER(row->type, oaep, CKM_SHA256, CKG_MGF1_SHA256, 1, NOTHING);
	case WIRE_SHAPE_counter:
		return PARAMETER(row->type, counter, 128, BYTES(block));
	case WIRE_SHAPE_gcm:
		return PARAMETER(row->type, gcm, {block, 12}, NOTHING, 128);
	case WIRE_SHAPE_ccm:
		return PARAMETER(row->type, ccm, sizeof(plain), {block, 12}, NOTHING, 16);
	case WIRE_SHAPE_hash_context:
		return PARAMETER(row->type, hash_context, 0, NOTHING, CKM_SHA256);
	case WIRE_SHAPE_poly1305:
		return PARAMETER(row->type, poly1305, {block, 12}, NOTHING);
	default:
		return PLAIN(row->type);
	}
}

static const uint64_t functions[OPERATION_KINDS] = {CKF_ENCRYPT, CKF_DECRYPT, CKF_DIGEST, CKF_SIGN,
                                                    CKF_VERIFY};

static uint8_t prepared[1024];

/* What the operation can be given: plaintext, or a ciphertext of it. */
static struct wire_bytes input_for(const struct mechanism *row, enum operation_kind kind)
{
	if (kind != OPERATION_DECRYPT)
		return BYTES(plain);
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter_for(row), key_for(row, OPERATION_ENCRYPT),
	                   BYTES(plain)),
	          ERROR_NONE);
	memcpy(prepared, output, output_len);
	return (struct wire_bytes){prepared, output_len};
}

static struct operation *begin(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_mechanism parameter = parameter_for(row);
	struct operation *operation;

	ASSERT_EQ(operation_start(&operation, kind, crypto, row, &parameter, key_for(row, kind)),
	          ERROR_NONE);
	ASSERT_EQ(operation_kind(operation), kind);
	ASSERT_TRUE(operation_mechanism(operation) == row);
	return operation;
}

static bool gives(enum operation_kind kind)
{
	return kind == OPERATION_ENCRYPT || kind == OPERATION_DECRYPT;
}

typedef void check(const struct mechanism *row, enum operation_kind kind);

/* Every offered mechanism with every function it has. */
static unsigned int sweep(check *each, bool verifies)
{
	unsigned int count = 0;

	open_keys();
	for (size_t i = 0; i < mechanism_count(); i++) {
		const struct mechanism *row = mechanism_row(i);

		/* SLH-DSA has the methods of ML-DSA, and signatures that take long. */
		if (mechanism_find(crypto, NULL, row->type) != row || row->key_type == CKK_SLH_DSA)
			continue;
		for (unsigned int kind = 0; kind < OPERATION_KINDS; kind++) {
			if (!(row->functions & functions[kind]) ||
			    (kind == OPERATION_VERIFY) != verifies)
				continue;
			each(row, kind);
			count++;
			if (harness_failed)
				printf("# with %s, kind %u\n", wire_mechanism_name(row->type),
				       kind);
			ASSERT_FALSE(harness_failed);
		}
	}
	close_keys();
	return count;
}

/* The query goes on, says enough, and does nothing; a buffer one octet short goes on as well. */
static void check_once(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_bytes data = input_for(row, kind);
	struct operation *operation = begin(row, kind);
	struct wire_buffer buffer = {.limit = 4096};
	uint64_t needed = 0, len = 0;

	for (int i = 0; i < 2; i++) {
		EXPECT_EQ(operation_once(&operation, data, &(struct output_request){.query = true},
		                         &buffer, &needed),
		          ERROR_NONE);
		EXPECT_NOT_NULL(operation);
		EXPECT_EQ(buffer.len, 0);
	}
	EXPECT_EQ(
		operation_once(&operation, data, &(struct output_request){false, 0}, &buffer, &len),
		ERROR_BUFFER_TOO_SMALL);
	EXPECT_LE(len, needed);
	EXPECT_GT(len, 0);
	EXPECT_EQ(operation_once(&operation, data, &(struct output_request){false, len - 1},
	                         &buffer, &len),
	          ERROR_BUFFER_TOO_SMALL);
	ASSERT_NOT_NULL(operation);
	EXPECT_EQ(buffer.len, 0);
	EXPECT_EQ(operation_once(&operation, data, &(struct output_request){false, len}, &buffer,
	                         &needed),
	          ERROR_NONE);
	EXPECT_NULL(operation);
	EXPECT_EQ(buffer.len, len);
	EXPECT_EQ(needed, len);
	if (kind == OPERATION_DECRYPT)
		EXPECT_MEMEQ(buffer.data, plain, sizeof(plain));
	EXPECT_EQ(operation_once(&operation, data, &everything, &buffer, &len),
	          ERROR_OPERATION_NONE);
	wire_buffer_free(&buffer);
}

TEST(once_with_queries_and_small_buffers)
{
	EXPECT_GT(sweep(check_once, false), 50u);
}

static void feed(struct operation **operation, struct wire_bytes data, struct wire_buffer *buffer)
{
	struct output_request request = {.query = true};
	uint64_t needed, len;

	if (!gives((*operation)->kind)) {
		EXPECT_EQ(operation_update(operation, data, NULL, NULL, NULL), ERROR_NONE);
		return;
	}
	EXPECT_EQ(operation_update(operation, data, &request, buffer, &needed), ERROR_NONE);
	request.query = false;
	if (needed) {
		request.capacity = needed - 1;
		EXPECT_EQ(operation_update(operation, data, &request, buffer, &len),
		          ERROR_BUFFER_TOO_SMALL);
		EXPECT_EQ(len, needed);
	}
	request.capacity = needed;
	EXPECT_EQ(operation_update(operation, data, &request, buffer, &len), ERROR_NONE);
	EXPECT_EQ(len, needed);
}

static void check_parts(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_bytes data = input_for(row, kind);
	struct operation *operation = begin(row, kind);
	struct wire_buffer buffer = {.limit = 4096};
	uint64_t needed, len = 0;
	size_t before;

	feed(&operation, (struct wire_bytes){data.data, 5}, &buffer);
	feed(&operation, NOTHING, &buffer);
	feed(&operation, (struct wire_bytes){data.data + 5, data.len - 5}, &buffer);
	before = buffer.len;
	EXPECT_EQ(operation_final(&operation, &(struct output_request){.query = true}, &buffer,
	                          &needed),
	          ERROR_NONE);
	EXPECT_EQ(operation_final(&operation, &(struct output_request){false, 0}, &buffer, &len),
	          needed && len ? ERROR_BUFFER_TOO_SMALL : ERROR_NONE);
	EXPECT_LE(len, needed);
	EXPECT_EQ(buffer.len, before);
	if (operation) {
		EXPECT_EQ(operation_final(&operation, &(struct output_request){false, len - 1},
		                          &buffer, &len),
		          ERROR_BUFFER_TOO_SMALL);
		EXPECT_EQ(operation_final(&operation, &(struct output_request){false, len}, &buffer,
		                          &needed),
		          ERROR_NONE);
		EXPECT_EQ(needed, len);
		EXPECT_EQ(buffer.len, before + len);
	}
	EXPECT_NULL(operation);
	if (kind == OPERATION_DECRYPT) {
		EXPECT_EQ(buffer.len, sizeof(plain));
		EXPECT_MEMEQ(buffer.data, plain, sizeof(plain));
	}
	EXPECT_EQ(operation_final(&operation, &everything, &buffer, &len), ERROR_OPERATION_NONE);
	wire_buffer_free(&buffer);
}

TEST(parts_with_queries_and_small_buffers)
{
	EXPECT_GT(sweep(check_parts, false), 50u);
}

/* One-shot after a part is an error and, as every error, the end. */
static void check_order(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_bytes data = input_for(row, kind);
	struct operation *operation = begin(row, kind);
	struct wire_buffer buffer = {.limit = 4096};
	uint64_t len;

	feed(&operation, data, &buffer);
	EXPECT_EQ(operation_once(&operation, data, &everything, &buffer, &len),
	          ERROR_OPERATION_ACTIVE);
	EXPECT_NULL(operation);
	EXPECT_EQ(operation_update(&operation, data, NULL, NULL, NULL), ERROR_OPERATION_NONE);
	wire_buffer_free(&buffer);
}

TEST(once_after_a_part)
{
	sweep(check_order, false);
}

/* A second start of everything: nothing is left of the first, and abandoning frees it (leak
 * checker). */
static void check_abandoned(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_buffer buffer = {.limit = 4096};
	struct operation *operation;

	operation_free(begin(row, kind));
	operation = begin(row, kind);
	feed(&operation, BYTES(plain), &buffer);
	operation_free(operation);
	wire_buffer_free(&buffer);
}

TEST(abandoned_operations)
{
	sweep(check_abandoned, false);
	operation_free(NULL);
}

#define ROUNDS 10

/* OpenSSL's heap is the arena, which the leak checker does not see; the arena's own count does.
 * Numbers inside a key may grow by a word, but not in every round. */
static void check_leaks(const struct mechanism *row, enum operation_kind kind)
{
	struct slots_statistics before, after;

	for (int i = -2; i < ROUNDS; i++) {
		if (!i)
			slots_statistics(&before); /* what OpenSSL caches is cached by now */
		check_once(row, kind);
		check_parts(row, kind);
		check_order(row, kind);
		check_abandoned(row, kind);
	}
	slots_statistics(&after);
	EXPECT_LT(after.used_len, before.used_len + 8 * ROUNDS);
}

TEST(nothing_stays_in_locked_memory)
{
	sweep(check_leaks, false);
}

static void check_parameters(const struct mechanism *row, enum operation_kind kind)
{
	struct wire_mechanism good = parameter_for(row);
	struct operation *operation;

	for (unsigned int shape = 0; shape < WIRE_SHAPE_COUNT; shape++) {
		struct wire_mechanism parameter = {row->type, (uint8_t)shape, NOTHING};

		if (shape == good.shape && shape == WIRE_SHAPE_none)
			continue;
		EXPECT_EQ(operation_start(&operation, kind, crypto, row, &parameter,
		                          key_for(row, kind)),
		          ERROR_MECHANISM_PARAMETER);
		EXPECT_NULL(operation);
	}
	good.type++;
	EXPECT_EQ(operation_start(&operation, kind, crypto, row, &good, key_for(row, kind)),
	          ERROR_MECHANISM);
}

TEST(parameters_of_other_shapes)
{
	sweep(check_parameters, false);
	sweep(check_parameters, true);
}

static void check_verify(const struct mechanism *row, enum operation_kind kind)
{
	struct operation *operation;
	enum err err;

	(void)kind;
	if (!(row->functions & CKF_SIGN))
		return;
	ASSERT_EQ(run_once(OPERATION_SIGN, parameter_for(row), key_for(row, OPERATION_SIGN),
	                   BYTES(plain)),
	          ERROR_NONE);
	operation = begin(row, OPERATION_VERIFY);
	EXPECT_EQ(operation_verify_once(&operation, BYTES(plain), OUTPUT), ERROR_NONE);
	EXPECT_NULL(operation);
	EXPECT_EQ(operation_verify_once(&operation, BYTES(plain), OUTPUT), ERROR_OPERATION_NONE);
	EXPECT_EQ(operation_verify_final(&operation, OUTPUT), ERROR_OPERATION_NONE);
	operation = begin(row, OPERATION_VERIFY);
	feed(&operation, BYTES(plain), NULL);
	err = operation_verify_once(&operation, BYTES(plain), OUTPUT);
	EXPECT_EQ(err, ERROR_OPERATION_ACTIVE);
	operation = begin(row, OPERATION_VERIFY);
	feed(&operation, BYTES(plain), NULL);
	EXPECT_EQ(operation_verify_final(&operation, OUTPUT), ERROR_NONE);
	operation = begin(row, OPERATION_VERIFY);
	output[output_len / 2] ^= 1;
	EXPECT_EQ(operation_verify_once(&operation, BYTES(plain), OUTPUT), ERROR_SIGNATURE);
	EXPECT_NULL(operation);
	operation = begin(row, OPERATION_VERIFY);
	EXPECT_EQ(operation_verify_once(&operation, BYTES(plain),
	                                ((struct wire_bytes){output, output_len - 1})),
	          ERROR_SIGNATURE_LENGTH);
}

TEST(verification)
{
	EXPECT_GT(sweep(check_verify, true), 30u);
}

/* A key that is replaced or destroyed meanwhile stays alive for its operation. */
TEST(operation_keeps_its_key)
{
	struct wire_mechanism parameter = PLAIN(CKM_AES_ECB);
	struct wire_buffer buffer = {.limit = 64};
	struct operation *operation;
	struct object *key;
	uint64_t len;

	open_crypto();
	key = secret_key(CKK_AES, hex("000102030405060708090a0b0c0d0e0f"));
	ASSERT_EQ(operation_start(&operation, OPERATION_ENCRYPT, crypto, row_of(CKM_AES_ECB),
	                          &parameter, key),
	          ERROR_NONE);
	object_put(key);
	EXPECT_TRUE(operation_key(operation) == key);
	EXPECT_EQ(operation_once(&operation, BYTES(plain), &everything, &buffer, &len), ERROR_NONE);
	wire_buffer_free(&buffer);
}

TEST(more_than_the_limit)
{
	struct wire_buffer buffer = {.limit = 64};
	struct wire_bytes huge = {plain, WIRE_DATA_LIMIT + 1};
	struct operation *operation;
	uint64_t len;

	open_keys();
	operation = begin(row_of(CKM_AES_CTR), OPERATION_ENCRYPT);
	EXPECT_EQ(operation_once(&operation, huge, &everything, &buffer, &len), ERROR_DATA_LENGTH);
	operation = begin(row_of(CKM_AES_CTR), OPERATION_DECRYPT);
	EXPECT_EQ(operation_once(&operation, huge, &everything, &buffer, &len),
	          ERROR_ENCRYPTED_DATA_LENGTH);
	close_keys();
}

/* What is gathered is bounded in sum, not only by call. */
TEST(gathered_data_are_bounded)
{
	struct wire_buffer buffer = {.limit = 64};
	struct operation *operation;
	uint8_t *big;
	uint64_t len;

	open_keys();
	big = calloc(1, WIRE_DATA_LIMIT);
	ASSERT_NOT_NULL(big);
	operation = begin(row_of(CKM_AES_GCM), OPERATION_DECRYPT);
	EXPECT_EQ(operation_update(&operation, ((struct wire_bytes){big, WIRE_DATA_LIMIT}),
	                           &everything, &buffer, &len),
	          ERROR_NONE);
	EXPECT_EQ(operation_update(&operation, ((struct wire_bytes){big, 1}), &everything, &buffer,
	                           &len),
	          ERROR_ENCRYPTED_DATA_LENGTH);
	EXPECT_NULL(operation);
	operation = begin(row_of(CKM_EDDSA), OPERATION_SIGN);
	EXPECT_EQ(operation_update(&operation, ((struct wire_bytes){big, WIRE_DATA_LIMIT}), NULL,
	                           NULL, NULL),
	          ERROR_NONE);
	EXPECT_EQ(operation_update(&operation, ((struct wire_bytes){big, 1}), NULL, NULL, NULL),
	          ERROR_DATA_LENGTH);
	free(big);
	close_keys();
}

/* After a Final that did not fit there is only Final. */
TEST(only_final_after_a_small_final)
{
	const struct mechanism *row;
	struct wire_buffer buffer = {.limit = 256};
	struct operation *operation;
	struct wire_bytes data;
	uint64_t len;

	open_keys();
	row = row_of(CKM_AES_CBC_PAD);
	ASSERT_EQ(run_once(OPERATION_ENCRYPT, parameter_for(row), aes, TEXT("abc")), ERROR_NONE);
	data = OUTPUT;
	operation = begin(row, OPERATION_DECRYPT);
	ASSERT_EQ(operation_update(&operation, data, &everything, &buffer, &len), ERROR_NONE);
	EXPECT_EQ(operation_final(&operation, &(struct output_request){false, 2}, &buffer, &len),
	          ERROR_BUFFER_TOO_SMALL);
	EXPECT_EQ(len, 3);
	EXPECT_EQ(operation_update(&operation, data, &everything, &buffer, &len),
	          ERROR_OPERATION_ACTIVE);
	EXPECT_NULL(operation);
	operation = begin(row, OPERATION_DECRYPT);
	ASSERT_EQ(operation_update(&operation, data, &everything, &buffer, &len), ERROR_NONE);
	EXPECT_EQ(operation_final(&operation, &(struct output_request){false, 2}, &buffer, &len),
	          ERROR_BUFFER_TOO_SMALL);
	EXPECT_EQ(operation_final(&operation, &(struct output_request){false, 3}, &buffer, &len),
	          ERROR_NONE);
	EXPECT_EQ(buffer.len, 3);
	EXPECT_MEMEQ(buffer.data, "abc", 3);
	wire_buffer_free(&buffer);
	close_keys();
}

/* ---- data in parts ---- */

#define DATA_MAX 600u

static uint64_t dice = 0x9e3779b97f4a7c15ull;

static size_t roll(size_t sides)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return (size_t)(dice >> 20) % sides;
}

struct played {
	enum err err;
	uint64_t output_len;
	struct wire_buffer out;
};

static struct played play_whole(struct operation **operation, enum operation_step step,
                                struct wire_bytes data, const struct output_request *request)
{
	struct played played = {0};

	wire_buffer_init(&played.out, WIRE_BULK_LIMIT, NULL);
	if (step == STEP_ONCE)
		played.err =
			operation_once(operation, data, request, &played.out, &played.output_len);
	else
		played.err = operation_update(operation, data, request,
		                              request ? &played.out : NULL, &played.output_len);
	return played;
}

static struct played play_parts(struct operation **operation, enum operation_step step,
                                struct wire_bytes data, const struct output_request *request)
{
	struct played played = {0};
	bool done = false;

	wire_buffer_init(&played.out, WIRE_BULK_LIMIT, NULL);
	played.err = operation_begin_parts(operation, step, data.len, request, &played.output_len);
	if (played.err || (request && request->query))
		return played;
	while (!played.err && !done) {
		size_t now = roll(data.len + 1);

		ASSERT_TRUE(operation_in_parts(*operation));
		played.err = operation_next_part(operation, (struct wire_bytes){data.data, now},
		                                 &played.out, &played.output_len, &done);
		data.data += now;
		data.len -= now;
	}
	ASSERT_FALSE(operation_in_parts(*operation));
	return played;
}

/* A ciphertext, or octets; sometimes a little wrong. */
static struct wire_bytes some_data(const struct mechanism *row, enum operation_kind kind)
{
	static uint8_t octets[DATA_MAX + 64];
	size_t len = 1 + roll(DATA_MAX);

	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)roll(256);
	if (roll(2))
		len = (len + 15) / 16 * 16;
	if (kind == OPERATION_DECRYPT && roll(4) &&
	    !run_once(OPERATION_ENCRYPT, parameter_for(row), key_for(row, OPERATION_ENCRYPT),
	              (struct wire_bytes){octets, len})) {
		memcpy(octets, output, output_len);
		len = output_len;
	}
	return (struct wire_bytes){octets, len};
}

static void compare(struct played whole, struct played parts)
{
	ASSERT_EQ(whole.err, parts.err);
	if (!whole.err || whole.err == ERROR_BUFFER_TOO_SMALL)
		ASSERT_EQ(whole.output_len, parts.output_len);
	if (!whole.err) {
		ASSERT_EQ(whole.out.len, parts.out.len);
		ASSERT_TRUE(!whole.out.len ||
		            !memcmp(whole.out.data, parts.out.data, whole.out.len));
	}
	wire_buffer_free(&whole.out);
	wire_buffer_free(&parts.out);
}

/* Signatures that are random have only their length in common. */
static bool is_random(const struct mechanism *row)
{
	enum wire_shape shape;

	return row->key_type == CKK_EC || row->key_type == CKK_ML_DSA ||
	       (row->key_type == CKK_RSA && (row->functions & CKF_ENCRYPT)) ||
	       !wire_mechanism_shape(row->type, &shape) || shape == WIRE_SHAPE_pss;
}

/* A few steps of both at random, until one that ends them; they must end together. */
static void play_both(const struct mechanism *row, enum operation_kind kind)
{
	bool has_result = kind == OPERATION_ENCRYPT || kind == OPERATION_DECRYPT;
	struct operation *whole = begin(row, kind), *parts = begin(row, kind);

	for (unsigned int i = 0; i < 4 && whole && !harness_failed; i++) {
		enum operation_step step =
			kind == OPERATION_VERIFY || roll(3) ? STEP_UPDATE : STEP_ONCE;
		bool gives_result = step == STEP_ONCE || has_result;
		struct wire_bytes data = some_data(row, kind);
		struct output_request request = {!roll(6), roll(3) ? DATA_MAX + 512
		                                                   : data.len + roll(40) - 20};

		compare(play_whole(&whole, step, data, gives_result ? &request : NULL),
		        play_parts(&parts, step, data, gives_result ? &request : NULL));
		ASSERT_EQ(!whole, !parts);
	}
	operation_free(whole);
	operation_free(parts);
}

static void parts_are_as_good(const struct mechanism *row, enum operation_kind kind)
{
	for (unsigned int round = 0; round < (is_random(row) ? 0 : 120) && !harness_failed; round++)
		play_both(row, kind);
}

TEST_TIMEOUT(parts_make_the_whole, 120)
{
	ASSERT_GT(sweep(parts_are_as_good, false), 40);
	ASSERT_GT(sweep(parts_are_as_good, true), 10);
}

static struct operation *begin_parts_of(uint64_t type, enum operation_kind kind, size_t len)
{
	const struct output_request request = {false, DATA_MAX};
	struct operation *operation = begin(row_of(type), kind);
	uint64_t needed;

	ASSERT_EQ(operation_begin_parts(&operation, STEP_ONCE, len, &request, &needed), ERROR_NONE);
	ASSERT_EQ(needed, 0);
	return operation;
}

TEST(more_than_was_said)
{
	struct operation *operation;
	struct wire_buffer out;
	uint64_t len;
	bool done;

	open_keys();
	operation = begin_parts_of(CKM_AES_CBC, OPERATION_ENCRYPT, sizeof(plain) - 1);
	wire_buffer_init(&out, WIRE_BULK_LIMIT, NULL);
	ASSERT_EQ(operation_next_part(&operation, BYTES(plain), &out, &len, &done), ERROR_PROTOCOL);
	ASSERT_NULL(operation);
	ASSERT_EQ(operation_next_part(&operation, BYTES(plain), &out, &len, &done),
	          ERROR_OPERATION_NONE);
	wire_buffer_free(&out);
	close_keys();
}

/* Nothing is given before all of it has been seen to be good. */
TEST(what_may_be_wrong_is_not_given_early)
{
	static const uint64_t types[] = {CKM_AES_CBC_PAD, CKM_AES_GCM};

	open_keys();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct wire_bytes sealed = input_for(row_of(types[i]), OPERATION_DECRYPT);
		struct operation *operation =
			begin_parts_of(types[i], OPERATION_DECRYPT, sealed.len);
		struct wire_buffer out;
		uint64_t len;
		bool done;

		wire_buffer_init(&out, WIRE_BULK_LIMIT, NULL);
		ASSERT_EQ(operation_part_work(operation, sealed.len - 1), sealed.len - 1);
		ASSERT_EQ(operation_next_part(&operation,
		                              (struct wire_bytes){sealed.data, sealed.len - 1},
		                              &out, &len, &done),
		          ERROR_NONE);
		ASSERT_EQ(out.len, 0);
		ASSERT_FALSE(done);
		ASSERT_EQ(operation_part_work(operation, 1), sealed.len);
		ASSERT_EQ(operation_next_part(&operation,
		                              (struct wire_bytes){sealed.data + sealed.len - 1, 1},
		                              &out, &len, &done),
		          ERROR_NONE);
		ASSERT_TRUE(done);
		ASSERT_EQ(len, sizeof(plain));
		ASSERT_NULL(operation);
		wire_buffer_free(&out);
	}
	close_keys();
}

static bool goes_in_place(uint64_t type, enum operation_kind kind, size_t before_len)
{
	const struct output_request request = {false, DATA_MAX};
	struct operation *operation = begin(row_of(type), kind);
	struct wire_buffer out;
	uint64_t len;
	bool in_place;

	wire_buffer_init(&out, WIRE_BULK_LIMIT, NULL);
	ASSERT_EQ(operation_update(&operation, (struct wire_bytes){plain, before_len}, &request,
	                           &out, &len),
	          ERROR_NONE);
	ASSERT_EQ(operation_begin_parts(&operation, STEP_UPDATE, sizeof(plain), &request, &len),
	          ERROR_NONE);
	in_place = operation_part_in_place(operation);
	wire_buffer_free(&out);
	operation_free(operation);
	return in_place;
}

/* Whoever reads its data or its result again must not do so where a client can change them. */
TEST(who_works_in_shared_memory)
{
	open_keys();
	EXPECT_TRUE(goes_in_place(CKM_AES_CBC, OPERATION_ENCRYPT, 16));
	EXPECT_TRUE(goes_in_place(CKM_AES_CBC_PAD, OPERATION_ENCRYPT, 0));
	EXPECT_FALSE(goes_in_place(CKM_AES_CBC, OPERATION_ENCRYPT, 5));
	EXPECT_FALSE(goes_in_place(CKM_AES_CBC, OPERATION_DECRYPT, 0));
	EXPECT_FALSE(goes_in_place(CKM_AES_CBC_PAD, OPERATION_DECRYPT, 0));
	EXPECT_FALSE(goes_in_place(CKM_AES_GCM, OPERATION_ENCRYPT, 0));
	EXPECT_FALSE(goes_in_place(CKM_AES_GCM, OPERATION_DECRYPT, 0));
	EXPECT_FALSE(goes_in_place(CKM_AES_CTR, OPERATION_ENCRYPT, 0));
	close_keys();
}

HARNESS_MAIN

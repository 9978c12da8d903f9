/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Derivations from secret keys and passwords: HKDF (RFC 5869), PBKDF2 (RFC 6070, RFC 7914), the
 * KDFs of SP 800-108 (a CAVP vector, and Python's hmac for the forms that OpenSSL has not), joined,
 * cut, hashed and encrypted keys. Lengths, parameters, and what a derived key inherits.
 */
#include "harness.h"

#include "key_fixture.h"

#define ANY UINT64_MAX /* no length in the template */

static enum err derive_from(struct wire_mechanism parameter, struct object *base,
                            struct object *other, uint64_t key_type, uint64_t len)
{
	const struct mechanism *row = row_of(parameter.type);
	struct derivation derivation = {row, &parameter, base, other};
	bool data = keygen_makes_data(row);
	struct attributes set = key_set(data ? CKO_DATA : CKO_SECRET_KEY, key_type);
	struct wire_bytes value;
	enum err err;

	if (len != ANY)
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, len), ERROR_NONE);
	err = keygen_derive(crypto, &derivation, &set);
	value = attributes_bytes(&set, CKA_VALUE);
	output_len = value.len;
	ASSERT_LE(value.len, sizeof(output));
	if (value.len)
		memcpy(output, value.data, value.len);
	if (data)
		EXPECT_EQ(attributes_number(&set, CKA_VALUE_LEN, ANY), err ? len : ANY);
	attributes_clear(&set);
	return err;
}

static enum err derive(struct wire_mechanism parameter, struct object *base, uint64_t len)
{
	return derive_from(parameter, base, NULL, CKK_GENERIC_SECRET, len);
}

/* ---- HKDF ---- */

#define HKDF(type, extract, expand, hash, salt_type, salt, info)                                   \
	PARAMETER(type, hkdf, extract, expand, hash, salt_type, salt, 0, info)
#define HKDF_IKM "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"
#define HKDF_PRK "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
#define HKDF_OKM                                                                                   \
	"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
#define HKDF_SALT "000102030405060708090a0b0c"
#define HKDF_INFO "f0f1f2f3f4f5f6f7f8f9"

TEST(hkdf_known_answers)
{
	struct wire_bytes salt, info;
	object_auto ikm = NULL;
	object_auto prk = NULL;
	object_auto salt_key = NULL;

	open_crypto();
	ikm = secret_key(CKK_HKDF, hex(HKDF_IKM));
	prk = secret_key(CKK_GENERIC_SECRET, hex(HKDF_PRK));
	salt_key = secret_key(CKK_GENERIC_SECRET, hex(HKDF_SALT));
	salt = hex(HKDF_SALT);
	info = hex(HKDF_INFO);
	for (uint64_t type = CKM_HKDF_DERIVE; type <= CKM_HKDF_DATA; type++) {
		ASSERT_EQ(derive(HKDF(type, true, true, CKM_SHA256, CKF_HKDF_SALT_DATA, salt, info),
		                 ikm, 42),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(HKDF_OKM));
		ASSERT_EQ(derive(HKDF(type, true, false, CKM_SHA256, CKF_HKDF_SALT_DATA, salt,
		                      NOTHING),
		                 ikm, ANY),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(HKDF_PRK));
		ASSERT_EQ(derive(HKDF(type, false, true, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING,
		                      info),
		                 prk, 42),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(HKDF_OKM));
		ASSERT_EQ(derive(HKDF(type, true, true, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING,
		                      NOTHING),
		                 ikm, 42),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879e"
		                         "c3454e5f3c738d2d9d201395faa4b61a96c8"));
		ASSERT_EQ(derive_from(PARAMETER(type, hkdf, true, true, CKM_SHA256,
		                                CKF_HKDF_SALT_KEY, NOTHING, 77, info),
		                      ikm, salt_key, CKK_GENERIC_SECRET, 42),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(HKDF_OKM));
	}
}

TEST(hkdf_parameters)
{
	struct wire_mechanism parameter;
	object_auto key = NULL;
	uint64_t handle = 0;

	open_crypto();
	key = secret_key(CKK_HKDF, hex(HKDF_IKM));
#define TRY(extract, expand, hash, salt_type, salt, len)                                           \
	derive(HKDF(CKM_HKDF_DERIVE, extract, expand, hash, salt_type, salt, NOTHING), key, len)
	EXPECT_EQ(TRY(false, false, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(true, true, CKM_SHA256_HMAC, CKF_HKDF_SALT_NULL, NOTHING, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(true, true, CKM_SHA256, 0, NOTHING, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(true, true, CKM_SHA256, 3, NOTHING, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(true, true, CKM_SHA256, CKF_HKDF_SALT_NULL, TEXT("salt"), 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(true, true, CKM_SHA256, CKF_HKDF_SALT_KEY, NOTHING, 32),
	          ERROR_MECHANISM_PARAMETER); /* no such key was found */
	EXPECT_EQ(TRY(true, true, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING, ANY),
	          ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(TRY(true, true, CKM_SHA_1, CKF_HKDF_SALT_NULL, NOTHING, 4096), ERROR_NONE);
	EXPECT_EQ(TRY(true, true, CKM_SHA_1, CKF_HKDF_SALT_NULL, NOTHING, 4097), ERROR_KEY_SIZE);
	EXPECT_EQ(TRY(true, false, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING, 16), ERROR_NONE);
	EXPECT_EQ(TRY(true, false, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING, 33), ERROR_KEY_SIZE);
#undef TRY
	parameter =
		HKDF(CKM_HKDF_DATA, true, true, CKM_SHA256, CKF_HKDF_SALT_NULL, NOTHING, NOTHING);
	EXPECT_EQ(derive(parameter, key, ANY), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(derive(parameter, key, 0), ERROR_KEY_SIZE);
	EXPECT_EQ(derive(parameter, key, 255 * 32), ERROR_NONE);
	EXPECT_EQ(derive(parameter, key, 255 * 32 + 1), ERROR_KEY_SIZE);
	EXPECT_FALSE(keygen_other_key(row_of(CKM_HKDF_DATA), &parameter, &handle));
	parameter = PARAMETER(CKM_HKDF_DATA, hkdf, true, true, CKM_SHA256, CKF_HKDF_SALT_KEY,
	                      NOTHING, 77, NOTHING);
	EXPECT_TRUE(keygen_other_key(row_of(CKM_HKDF_DATA), &parameter, &handle));
	EXPECT_EQ(handle, 77);
}

/* ---- PBKDF2 ---- */

#define PBKDF2(prf, salt, iterations, password)                                                    \
	PARAMETER(CKM_PKCS5_PBKD2, pbkdf2, CKZ_SALT_SPECIFIED, salt, iterations, prf, NOTHING,     \
	          password)

static enum err from_password(const struct mechanism *row, struct wire_mechanism parameter,
                              uint64_t key_type, uint64_t len)
{
	struct attributes set = key_set(CKO_SECRET_KEY, key_type);
	struct wire_bytes value;
	enum err err;

	if (len != ANY)
		ASSERT_EQ(attributes_set_number(&set, CKA_VALUE_LEN, len), ERROR_NONE);
	err = keygen_secret(crypto, row, &parameter, &set);
	value = attributes_bytes(&set, CKA_VALUE);
	output_len = value.len;
	if (value.len)
		memcpy(output, value.data, value.len);
	attributes_clear(&set);
	return err;
}

static const struct {
	uint64_t prf, iterations;
	const char *key; /* "password", "salt" */
} passwords[] = {
	{CKP_PKCS5_PBKD2_HMAC_SHA1, 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6"},
	{CKP_PKCS5_PBKD2_HMAC_SHA1, 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"},
	{CKP_PKCS5_PBKD2_HMAC_SHA1, 4096, "4b007901b765489abead49d926f721d065a429c1"},
	{CKP_PKCS5_PBKD2_HMAC_SHA224, 1000, "d3bcf320fd918908eafcaa460faf40e201f6508d4e6f3d9c"},
	{CKP_PKCS5_PBKD2_HMAC_SHA384, 1000, "3bd37e2236941d4a77b1b5b714c6f913fabb6b0841a6d7d8"},
	{CKP_PKCS5_PBKD2_HMAC_SHA512, 1000, "afe6c5530785b6cc6b1c6453384731bd5ee432ee549fd42f"},
	{CKP_PKCS5_PBKD2_HMAC_SHA512_224, 1000, "2f7dd7172b0324e8234fb87a2a789b8ca20f613fb043be22"},
	{CKP_PKCS5_PBKD2_HMAC_SHA512_256, 1000, "f7e4fb1d98c78b615f585f974af8cd97651a244f4c500418"},
};

TEST(pbkdf2_known_answers)
{
	const struct mechanism *row;

	open_crypto();
	row = row_of(CKM_PKCS5_PBKD2);
	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
		struct wire_bytes key = hex(passwords[i].key);

		ASSERT_EQ(from_password(row,
		                        PBKDF2(passwords[i].prf, TEXT("salt"),
		                               passwords[i].iterations, TEXT("password")),
		                        CKK_GENERIC_SECRET, key.len),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, key);
	}
	/* RFC 7914 §11. */
	ASSERT_EQ(from_password(
			  row, PBKDF2(CKP_PKCS5_PBKD2_HMAC_SHA256, TEXT("salt"), 1, TEXT("passwd")),
			  CKK_GENERIC_SECRET, 64),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT,
	             hex("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	                 "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"));
	EXPECT_TRUE(keygen_is_slow(row));
}

TEST(pbkdf2_parameters)
{
	struct config *config = config_defaults();
	const struct mechanism *row;
	struct wire_bytes salt;

	open_crypto();
	row = row_of(CKM_PKCS5_PBKD2);
	salt = hex("000102030405060708090a0b0c0d0e0f");
#define TRY(prf, salt, iterations, type, len)                                                      \
	from_password(row, PBKDF2(prf, salt, iterations, TEXT("p")), type, len)
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 0, CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 10000001, CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, NOTHING, 1, CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(2, salt, 1, CKK_AES, 32), ERROR_MECHANISM_PARAMETER); /* GOST */
	EXPECT_EQ(TRY(0, salt, 1, CKK_AES, 32), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 1, CKK_AES, 33), ERROR_KEY_SIZE);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 1, CKK_AES, ANY),
	          ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 1, CKK_CHACHA20, ANY), ERROR_NONE);
	EXPECT_EQ(output_len, 32);
	EXPECT_EQ(from_password(row, PLAIN(CKM_PKCS5_PBKD2), CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(from_password(row,
	                        PARAMETER(CKM_PKCS5_PBKD2, pbkdf2, CKZ_SALT_SPECIFIED, salt, 1,
	                                  CKP_PKCS5_PBKD2_HMAC_SHA256, TEXT("x"), TEXT("p")),
	                        CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(from_password(row,
	                        PARAMETER(CKM_PKCS5_PBKD2, pbkdf2, 0, salt, 1,
	                                  CKP_PKCS5_PBKD2_HMAC_SHA256, NOTHING, TEXT("p")),
	                        CKK_AES, 32),
	          ERROR_MECHANISM_PARAMETER);
	/* SP 800-132. */
	config->algorithms.fips_approved_only = true;
	row = mechanism_find(crypto, config, CKM_PKCS5_PBKD2);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 1000, CKK_AES, 16), ERROR_NONE);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 999, CKK_AES, 16),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, TEXT("fifteen octets."), 1000, CKK_AES, 16),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(TRY(CKP_PKCS5_PBKD2_HMAC_SHA256, salt, 1000, CKK_GENERIC_SECRET, 13),
	          ERROR_MECHANISM_PARAMETER);
#undef TRY
	config_free(config);
}

/* ---- SP 800-108 ---- */

#define PRF_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct wire_buffer parts;

static void begin_parts(void)
{
	wire_buffer_free(&parts);
	wire_buffer_init(&parts, 4096, NULL);
}

static void add(uint64_t type, bool little, uint64_t bits, uint64_t method, struct wire_bytes value)
{
	struct wire_buffer one = {.limit = 4096};

	wire_encode_sp800_108_part_parameter(
		&one, &(struct wire_sp800_108_part_parameter){type, little, bits, method, value});
	wire_put_bytes(&parts, (struct wire_bytes){one.data, one.len});
	wire_buffer_free(&one);
}

#define ITERATION(little, bits) add(CK_SP800_108_ITERATION_VARIABLE, little, bits, 0, NOTHING)
#define COUNTER(little, bits)   add(CK_SP800_108_OPTIONAL_COUNTER, little, bits, 0, NOTHING)
#define LENGTH(method, little, bits)                                                               \
	add(CK_SP800_108_DKM_LENGTH, little, bits, CK_SP800_108_DKM_LENGTH_SUM_OF_##method, NOTHING)
#define OCTETS(value) add(CK_SP800_108_BYTE_ARRAY, false, 0, 0, value)
#define KDF(mode, prf, iv)                                                                         \
	PARAMETER(CKM_SP800_108_##mode##_KDF, sp800_108, prf, iv,                                  \
	          ((struct wire_bytes){parts.data, parts.len}))

/* Label, 0, context, length: as most write it. */
static void add_fixed(void)
{
	OCTETS(TEXT("label\0"));
	OCTETS(TEXT("context"));
	LENGTH(KEYS, false, 32);
}

TEST(sp800_108_known_answers)
{
	uint8_t iv[32];
	object_auto key = NULL;
	object_auto cavp = NULL;

	open_crypto();
	/* CAVP, KDFCTR_gen.rsp: HMAC-SHA256, counter of 32 bits before the fixed data, case 0. */
	cavp = secret_key(CKK_GENERIC_SECRET,
	                  hex("dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0"));
	begin_parts();
	ITERATION(false, 32);
	OCTETS(hex("01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b8"
	           "64a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac"));
	ASSERT_EQ(derive(KDF(COUNTER, CKM_SHA256_HMAC, NOTHING), cavp, 16), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("10621342bfb0fd40046c0e29f2cfdbf0"));
	/* The others from Python's hmac. */
	key = secret_key(CKK_GENERIC_SECRET, hex(PRF_KEY));
	begin_parts();
	OCTETS(TEXT("label"));
	ITERATION(true, 16);
	OCTETS(TEXT("context"));
	LENGTH(SEGMENTS, true, 64);
	ASSERT_EQ(derive(KDF(COUNTER, CKM_SHA256_HMAC, NOTHING), key, 70), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("3b162e628b54a85686b715c5d8902754ddd7603773afcd049c28c12597e86328"
	                         "2aeec8d11478e970a41577f2513ebac04bfe3d26fa796d0ec509678d07ec69ac"
	                         "717877ebd899"));
	memset(iv, 0x5a, sizeof(iv));
	begin_parts();
	ITERATION(false, 0);
	COUNTER(false, 8);
	add_fixed();
	ASSERT_EQ(derive(KDF(FEEDBACK, CKM_SHA256_HMAC, BYTES(iv)), key, 70), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("9fea30ac09ab724415b31b7a7fd0eea5debbe7b6356a7cdffb6813a2b43a239b"
	                         "b4db8cdfef5a00e7c4b3ce7dfc346e0efd42d5f22eeada86339fec3a67a14351"
	                         "c6bf94ac8064"));
	begin_parts();
	ITERATION(false, 0);
	add_fixed();
	ASSERT_EQ(derive(KDF(FEEDBACK, CKM_SHA256_HMAC, NOTHING), key, 70), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("9e142f25e510486b7a88d00c0825a275463018ae1e71331480cea0a06b9bc5ac"
	                         "3fa6cc8c7eee9162cafd8af576a0a55677788bf58f876a82c10e3330fb919c56"
	                         "3484f32fef51"));
	ASSERT_EQ(derive(KDF(DOUBLE_PIPELINE, CKM_SHA256_HMAC, NOTHING), key, 70), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("3fa6cc8c7eee9162cafd8af576a0a55677788bf58f876a82c10e3330fb919c56"
	                         "77b86b66c67ca041193fabf03d218a58b922df4f3822d0f88db3130590ad9a05"
	                         "e908df36b2a5"));
	begin_parts();
	ITERATION(false, 0);
	COUNTER(true, 16);
	add_fixed();
	ASSERT_EQ(derive(KDF(DOUBLE_PIPELINE, CKM_SHA256_HMAC, NOTHING), key, 70), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("22c326e3bc1cb0a62f888f3e38cf7c035ee2d14f21ba7a044756cedcf8b87300"
	                         "dd8cdd5dca128e6fa3f1ef5c60a591cdf1201404be21861c1cb154dee2b5c1aa"
	                         "127b593029fb"));
}

/* One block over one part is the PRF itself. */
TEST(sp800_108_prfs)
{
	static const uint64_t prfs[] = {
		CKM_SHA_1_HMAC,    CKM_SHA224_HMAC,   CKM_SHA256_HMAC,   CKM_SHA384_HMAC,
		CKM_SHA512_HMAC,   CKM_SHA3_224_HMAC, CKM_SHA3_256_HMAC, CKM_SHA3_384_HMAC,
		CKM_SHA3_512_HMAC, CKM_AES_CMAC,
	};
	uint8_t whole[64];

	open_crypto();
	begin_parts();
	OCTETS(TEXT("data"));
	ITERATION(false, 8);
	for (size_t i = 0; i < sizeof(prfs) / sizeof(prfs[0]); i++) {
		bool cmac = prfs[i] == CKM_AES_CMAC;
		object_auto key = secret_key(cmac ? CKK_AES : CKK_GENERIC_SECRET, hex(PRF_KEY));
		object_auto wrong = secret_key(CKK_GENERIC_SECRET, hex(PRF_KEY));

		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(prfs[i]), key, TEXT("data\001")),
		          ERROR_NONE);
		memcpy(whole, output, output_len);
		ASSERT_EQ(derive(KDF(COUNTER, prfs[i], NOTHING), key, output_len), ERROR_NONE);
		EXPECT_MEMEQ(output, whole, output_len);
		EXPECT_EQ(derive(KDF(COUNTER, prfs[i], NOTHING), wrong, 16),
		          cmac ? ERROR_KEY_TYPE : ERROR_NONE);
	}
}

static enum err try_parts(uint64_t type, uint64_t len)
{
	object_auto key = secret_key(CKK_GENERIC_SECRET, hex(PRF_KEY));
	struct wire_bytes all = {parts.data, parts.len};
	enum err err = derive(PARAMETER(type, sp800_108, CKM_SHA256_HMAC, NOTHING, all), key, len);

	return err;
}

TEST(sp800_108_parameters)
{
	const uint64_t counter = CKM_SP800_108_COUNTER_KDF, feedback = CKM_SP800_108_FEEDBACK_KDF;
	object_auto key = NULL;

	open_crypto();
	key = secret_key(CKK_GENERIC_SECRET, hex(PRF_KEY));
	for (uint64_t bits = 0; bits <= 72; bits++) {
		bool whole = bits && bits % 8 == 0;

		begin_parts();
		ITERATION(false, bits);
		EXPECT_EQ(try_parts(counter, 16),
		          whole && bits <= 32 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
		begin_parts();
		ITERATION(false, 8);
		LENGTH(KEYS, false, bits);
		EXPECT_EQ(try_parts(counter, 16),
		          whole && bits <= 64 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	}
	begin_parts();
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER); /* no iteration variable */
	ITERATION(false, 8);
	EXPECT_EQ(try_parts(counter, ANY), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(try_parts(counter, 4096), ERROR_NONE);
	EXPECT_EQ(derive(KDF(COUNTER, CKM_SHA256, NOTHING), key, 16), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(derive(KDF(COUNTER, CKM_SHA256_HMAC, TEXT("iv")), key, 16),
	          ERROR_MECHANISM_PARAMETER);
	ITERATION(false, 8);
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER); /* two */
	begin_parts();
	ITERATION(false, 8);
	COUNTER(false, 8);
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(try_parts(feedback, 16), ERROR_NONE);
	COUNTER(false, 8);
	EXPECT_EQ(try_parts(feedback, 16), ERROR_MECHANISM_PARAMETER);
	begin_parts();
	ITERATION(false, 8);
	LENGTH(KEYS, false, 8);
	EXPECT_EQ(try_parts(counter, 31), ERROR_NONE);
	EXPECT_EQ(try_parts(counter, 32), ERROR_MECHANISM_PARAMETER); /* 256 bits in an octet */
	LENGTH(KEYS, false, 8);
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
	begin_parts();
	ITERATION(false, 8);
	add(CK_SP800_108_DKM_LENGTH, false, 32, 3, NOTHING);
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
	begin_parts();
	ITERATION(false, 8);
	add(5, false, 8, 0, NOTHING);
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
	begin_parts();
	ITERATION(false, 8);
	wire_put_u8(&parts, 0); /* half a length */
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
	begin_parts();
	ITERATION(false, 8);
	wire_put_bytes(&parts, TEXT("no part"));
	EXPECT_EQ(try_parts(counter, 16), ERROR_MECHANISM_PARAMETER);
}

/* ---- joined, cut, hashed, encrypted ---- */

#define DATA(type, octets) PARAMETER(type, derivation_data, octets)

TEST(joining)
{
	struct wire_mechanism parameter;
	object_auto base = NULL;
	object_auto other = NULL;
	uint8_t much[4096] = {0};
	uint64_t handle = 0;

	open_crypto();
	base = secret_key(CKK_GENERIC_SECRET, TEXT("base"));
	other = secret_key(CKK_AES, TEXT("0123456789abcdef"));
	parameter = PARAMETER(CKM_CONCATENATE_BASE_AND_KEY, number, 99);
	ASSERT_TRUE(keygen_other_key(row_of(CKM_CONCATENATE_BASE_AND_KEY), &parameter, &handle));
	EXPECT_EQ(handle, 99);
	ASSERT_EQ(derive_from(parameter, base, other, CKK_GENERIC_SECRET, ANY), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("base0123456789abcdef"));
	ASSERT_EQ(derive_from(parameter, base, other, CKK_AES, 16), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("base0123456789ab"));
	EXPECT_EQ(derive_from(parameter, base, other, CKK_AES, 24), ERROR_KEY_SIZE);
	EXPECT_EQ(derive_from(parameter, base, NULL, CKK_AES, 16), ERROR_MECHANISM_PARAMETER);
	ASSERT_EQ(derive(DATA(CKM_CONCATENATE_BASE_AND_DATA, TEXT("data")), base, ANY), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("basedata"));
	ASSERT_EQ(derive(DATA(CKM_CONCATENATE_DATA_AND_BASE, TEXT("data")), base, 6), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("databa"));
	EXPECT_EQ(derive(DATA(CKM_CONCATENATE_DATA_AND_BASE, BYTES(much)), base, ANY),
	          ERROR_KEY_SIZE);
	EXPECT_EQ(derive(DATA(CKM_CONCATENATE_DATA_AND_BASE, TEXT("data")), base, 9),
	          ERROR_KEY_SIZE);
	ASSERT_EQ(derive(DATA(CKM_XOR_BASE_AND_DATA, hex("20202020ffff")), base, ANY), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("BASE"));
	ASSERT_EQ(derive(DATA(CKM_XOR_BASE_AND_DATA, hex("2020")), base, ANY), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, TEXT("BA"));
	EXPECT_EQ(derive(DATA(CKM_XOR_BASE_AND_DATA, NOTHING), base, ANY),
	          ERROR_MECHANISM_PARAMETER);
}

/* The standard's own example: 0x329F84A9 from bit 21 on is 0x9526. */
TEST(cutting)
{
	object_auto base = NULL;

	open_crypto();
	base = secret_key(CKK_GENERIC_SECRET, hex("329f84a9"));
	ASSERT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 21), base, 2), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("9526"));
	ASSERT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 8), base, 4), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("9f84a932"));
	EXPECT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 31), base, 1), ERROR_NONE);
	EXPECT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 32), base, 1),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 0), base, 5), ERROR_KEY_SIZE);
	EXPECT_EQ(derive(PARAMETER(CKM_EXTRACT_KEY_FROM_KEY, number, 0), base, ANY),
	          ERROR_TEMPLATE_INCOMPLETE);
}

static const struct {
	uint64_t type;
	const char *hash; /* of the octets 00 to 13 */
} hashed[] = {
	{CKM_SHA1_KEY_DERIVATION, "602c63d2f3d13ca3206cdf204cde24e7d8f4266c"},
	{CKM_SHA224_KEY_DERIVATION, "6ce245c296289a32f661986ff1c80e893bbd35eb0b182edc14ab3a7d"},
	{CKM_SHA256_KEY_DERIVATION,
         "e7aebf577f60412f0312d442c70a1fa6148c090bf5bab404caec29482ae779e8"},
	{CKM_SHA384_KEY_DERIVATION,
         "8a48240e1c85e80651eddc88599273444839a952caca2bef4400576e65b1eb6c"
         "19c47a3067b63af7cdc4238adb9a8dad"},
	{CKM_SHA512_KEY_DERIVATION,
         "c9ac4561a7503fab9c6b71c843af6911438550bcdf4881eec18dda06e4d8b820"
         "cca9521dfa9ef47298ccf6308fe4c4f2f5e34dfec2acb78fbdc04d2ef0a5a09e"},
	{CKM_SHA512_224_KEY_DERIVATION, "ea3d6a5a59d4fb0f91ea5be140f10ef016ff3f329c0d249b4335bb8b"},
	{CKM_SHA512_256_KEY_DERIVATION,
         "f2c93a59085dfa0e71d7e962fae74c8b643867f8799d16c1413225ad4cee2f49"},
	{CKM_SHA3_224_KEY_DERIVATION, "6775d26c17a4065ed4df905506b42e59e7f40307395ba33e5c4ced1c"},
	{CKM_SHA3_256_KEY_DERIVATION,
         "db32380abe23ef51f0547ac0fc4d095a2a16445a00fd8ce2e52628e189ba562d"},
	{CKM_SHA3_384_KEY_DERIVATION,
         "06691a7f9ca061d4bc80e4f6a84c77f7a3214ab9849a333deda40dcee95336de"
         "1c6202ae1a235b304412dcef03506cb3"},
	{CKM_SHA3_512_KEY_DERIVATION,
         "1f0529210804655f91186c04e0a94f4aff12681b13728da70725f9fa3680df14"
         "539f37601c47cf0c6cc0b42edd810ef6e5913c3fb199af7ec8e38d62cb6bb2c0"},
};

TEST(hashing)
{
	object_auto base = NULL;

	open_crypto();
	base = secret_key(CKK_GENERIC_SECRET, hex("000102030405060708090a0b0c0d0e0f10111213"));
	for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++) {
		struct wire_mechanism parameter = PLAIN(hashed[i].type);
		struct wire_bytes hash = hex(hashed[i].hash);

		ASSERT_EQ(derive(parameter, base, ANY), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hash);
		ASSERT_EQ(derive_from(parameter, base, NULL, CKK_AES, 16), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, ((struct wire_bytes){hash.data, 16}));
		EXPECT_EQ(derive(parameter, base, hash.len + 1), ERROR_KEY_SIZE);
		EXPECT_EQ(derive_from(parameter, base, NULL, CKK_AES, ANY),
		          ERROR_TEMPLATE_INCOMPLETE);
		EXPECT_EQ(derive(DATA(hashed[i].type, TEXT("x")), base, ANY),
		          ERROR_MECHANISM_PARAMETER);
	}
}

/* SP 800-38A, F.1.1 and F.2.1. */
TEST(encrypting)
{
	object_auto aes = NULL;
	object_auto other = NULL;
	struct wire_bytes plain, iv;

	open_crypto();
	aes = secret_key(CKK_AES, hex("2b7e151628aed2a6abf7158809cf4f3c"));
	other = secret_key(CKK_GENERIC_SECRET, hex("2b7e151628aed2a6abf7158809cf4f3c"));
	plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
	iv = hex("000102030405060708090a0b0c0d0e0f");
	ASSERT_EQ(derive(DATA(CKM_AES_ECB_ENCRYPT_DATA, plain), aes, ANY), ERROR_NONE);
	EXPECT_BYTES(OUTPUT,
	             hex("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"));
	ASSERT_EQ(derive(PARAMETER(CKM_AES_CBC_ENCRYPT_DATA, encrypt_data, iv, plain), aes, 20),
	          ERROR_NONE);
	EXPECT_BYTES(OUTPUT, hex("7649abac8119b246cee98e9b12e9197d5086cb9b"));
	EXPECT_EQ(derive(PARAMETER(CKM_AES_CBC_ENCRYPT_DATA, encrypt_data, plain, plain), aes, 20),
	          ERROR_MECHANISM_PARAMETER);
	for (size_t len = 0; len < 32; len++)
		EXPECT_EQ(derive(DATA(CKM_AES_ECB_ENCRYPT_DATA,
		                      ((struct wire_bytes){plain.data, len})),
		                 aes, ANY),
		          len == 16 ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(derive(DATA(CKM_AES_ECB_ENCRYPT_DATA, plain), other, ANY), ERROR_KEY_TYPE);
}

/* ---- what a derived key inherits ---- */

static enum err inherit(uint64_t type, uint64_t base_flags, bool sensitive, bool extractable)
{
	struct wire_mechanism parameter = DATA(type, TEXT("data data data d"));
	struct attributes base_set = key_set(CKO_SECRET_KEY, CKK_AES);
	struct attributes set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	object_auto base = NULL;
	struct derivation derivation = {row_of(type), &parameter, NULL, NULL};
	enum err err;

	put(&base_set, CKA_VALUE, TEXT("0123456789abcdef"));
	ASSERT_EQ(attributes_set_flag(&base_set, CKA_SENSITIVE, base_flags & 1), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&base_set, CKA_EXTRACTABLE, base_flags & 2), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_SENSITIVE, sensitive), ERROR_NONE);
	ASSERT_EQ(attributes_set_flag(&set, CKA_EXTRACTABLE, extractable), ERROR_NONE);
	derivation.base = base = publish(&base_set);
	err = keygen_derive(crypto, &derivation, &set);
	EXPECT_EQ(attributes_bytes(&set, CKA_VALUE).len != 0, !err);
	attributes_clear(&set);
	return err;
}

/* A key that shows octets of another is no less protected than it. */
TEST(protection_is_inherited)
{
	open_crypto();
	for (unsigned int i = 0; i < 16; i++) {
		bool sensitive = i & 4, extractable = i & 8;
		bool less = ((i & 1) && !sensitive) || (!(i & 2) && extractable);

		EXPECT_EQ(inherit(CKM_CONCATENATE_BASE_AND_DATA, i, sensitive, extractable),
		          less ? ERROR_TEMPLATE_INCONSISTENT : ERROR_NONE);
		EXPECT_EQ(inherit(CKM_XOR_BASE_AND_DATA, i, sensitive, extractable),
		          less ? ERROR_TEMPLATE_INCONSISTENT : ERROR_NONE);
		EXPECT_EQ(inherit(CKM_AES_ECB_ENCRYPT_DATA, i, sensitive, extractable), ERROR_NONE);
	}
}

HARNESS_MAIN

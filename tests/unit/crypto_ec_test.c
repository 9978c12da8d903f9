/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA against RFC 6979 and Ed25519 against RFC 8032; lengths, points, parameters, halves. */
#include "harness.h"

#include "key_fixture.h"

/* RFC 6979 §A.2.5 to A.2.7, message "sample". */
static const struct {
	const char *params, *scalar, *point, *signature;
	uint64_t type;
	size_t len;
} answers[] = {
	{P256_PARAMS, "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
         "04"
         "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
         "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
         "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
         "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
         CKM_ECDSA_SHA256, 64},
	{P384_PARAMS,
         "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d8"
         "96d5724e4c70a825f872c9ea60d2edf5",
         "04"
         "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64"
         "def8f0ea9055866064a254515480bc13"
         "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1"
         "288b231c3ae0d4fe7344fd2533264720",
         "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c"
         "81a648152e44acf96e36dd1e80fabe46"
         "99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94f"
         "a329c145786e679e7b82c71a38628ac8",
         CKM_ECDSA_SHA384, 96},
	{P521_PARAMS,
         "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75"
         "caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b8"
         "3538",
         "04"
         "01894550d0785932e00eaa23b694f213f8c3121f86dc97a04e5a7167db4e5bcd"
         "371123d46e45db6b5d5370a7f20fb633155d38ffa16d2bd761dcac474b9a2f50"
         "23a4"
         "00493101c962cd4d2fddf782285e64584139c2f91b47f87ff82354d6630f746a"
         "28a0db25741b5b34a828008b22acc23f924faafbd4d33f81ea66956dfeaa2bfd"
         "fcf5",
         "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f"
         "174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e3"
         "77fa"
         "00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af"
         "282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4"
         "a67a",
         CKM_ECDSA_SHA512, 132},
};

#define ANSWERS (sizeof(answers) / sizeof(answers[0]))
#define SAMPLE  TEXT("sample")

static struct object *public_of(size_t i)
{
	return curve_key(CKO_PUBLIC_KEY, CKK_EC, answers[i].params, answers[i].point);
}

static struct object *private_of(size_t i)
{
	return curve_key(CKO_PRIVATE_KEY, CKK_EC, answers[i].params, answers[i].scalar);
}

TEST(known_signatures_verify)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = public_of(i);
		struct wire_bytes signature = hex(answers[i].signature);
		struct wire_mechanism parameter = PLAIN(answers[i].type);

		EXPECT_EQ(verify(parameter, key, SAMPLE, signature), ERROR_NONE);
		EXPECT_EQ(verify_parts(parameter, key, SAMPLE, signature), ERROR_NONE);
		EXPECT_EQ(verify(parameter, key, TEXT("simple"), signature), ERROR_SIGNATURE);
	}
}

TEST(signatures_have_one_length_and_verify)
{
	static const uint64_t types[] = {CKM_ECDSA_SHA224, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384,
	                                 CKM_ECDSA_SHA512};

	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto public_key = public_of(i);
		object_auto private_key = private_of(i);

		for (size_t j = 0; j < 40; j++) { /* often enough for short r and s */
			struct wire_mechanism parameter = PLAIN(types[j % 4]);

			ASSERT_EQ(run_once(OPERATION_SIGN, parameter, private_key, SAMPLE),
			          ERROR_NONE);
			ASSERT_EQ(output_len, answers[i].len);
			ASSERT_EQ(verify(parameter, public_key, SAMPLE, OUTPUT), ERROR_NONE);
		}
	}
}

/* Wycheproof, ecdsa_secp256r1_sha3_256_test.json, case 3; the message is "123400". */
TEST(sha3_known_answer)
{
	object_auto key = NULL;
	struct wire_bytes signature;

	open_crypto();
	key = curve_key(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS,
	                "04"
	                "04aaec73635726f213fb8a9e64da3b8632e41495a944d0045b522eba7240fad5"
	                "87d9315798aaa3a5ba01775787ced05eaaf7b4e09fc81d6d1aa546e8365d525d");
	signature = hex("e6e1b8c20e9d00f0b6cf1b2c39cacd9c50ee3f990553250f074a4a3eed3afe43"
	                "52f3be1ae2d2f9b2bfea8e8c22d95af4574581a9f4b09a89f7b6a4ad1c5b2776");
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA3_256), key, TEXT("123400"), signature), ERROR_NONE);
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA3_256), key, TEXT("123401"), signature),
	          ERROR_SIGNATURE);
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA256), key, TEXT("123400"), signature), ERROR_SIGNATURE);
}

/* What the hashing mechanism signs, the raw one verifies over the hash. */
TEST(sha3_is_the_hash)
{
	static const struct {
		uint64_t sign, digest;
	} pairs[] = {{CKM_ECDSA_SHA3_224, CKM_SHA3_224},
	             {CKM_ECDSA_SHA3_256, CKM_SHA3_256},
	             {CKM_ECDSA_SHA3_384, CKM_SHA3_384},
	             {CKM_ECDSA_SHA3_512, CKM_SHA3_512}};
	uint8_t signature[132];

	open_crypto();
	for (size_t i = 0; i < 4 * ANSWERS; i++) {
		object_auto public_key = public_of(i / 4);
		object_auto private_key = private_of(i / 4);
		struct wire_bytes made = {signature, answers[i / 4].len};

		ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(pairs[i % 4].sign), private_key, SAMPLE),
		          ERROR_NONE);
		ASSERT_EQ(output_len, made.len);
		memcpy(signature, output, made.len);
		ASSERT_EQ(run_once(OPERATION_DIGEST, PLAIN(pairs[i % 4].digest), NULL, SAMPLE),
		          ERROR_NONE);
		EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, OUTPUT, made), ERROR_NONE);
	}
}

TEST(raw_takes_any_hash)
{
	uint8_t data[200];

	open_crypto();
	memset(data, 0x33, sizeof(data));
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto public_key = public_of(i);
		object_auto private_key = private_of(i);

		for (size_t len = 1; len < sizeof(data); len += 13) {
			struct wire_bytes bytes = {data, len};

			ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), private_key, bytes),
			          ERROR_NONE);
			EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, bytes, OUTPUT), ERROR_NONE);
			data[0] ^= 1;
			EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, bytes, OUTPUT),
			          ERROR_SIGNATURE);
			data[0] ^= 1;
		}
		EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), private_key, NOTHING),
		          ERROR_DATA_LENGTH);
	}
}

/* What is longer than the order does not count. */
TEST(raw_truncates_to_the_order)
{
	uint8_t data[64];
	object_auto public_key = NULL;
	object_auto private_key = NULL;

	open_crypto();
	public_key = public_of(0);
	private_key = private_of(0);
	memset(data, 0x44, sizeof(data));
	ASSERT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), private_key, BYTES(data)), ERROR_NONE);
	data[32] ^= 0xff;
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, BYTES(data), OUTPUT), ERROR_NONE);
	data[31] ^= 1;
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA), public_key, BYTES(data), OUTPUT), ERROR_SIGNATURE);
}

TEST(modified_and_truncated_signatures)
{
	open_crypto();
	for (size_t i = 0; i < ANSWERS; i++) {
		object_auto key = public_of(i);
		struct wire_mechanism parameter = PLAIN(answers[i].type);
		size_t len = answers[i].len;
		uint8_t octets[140] = {0};

		memcpy(octets, hex(answers[i].signature).data, len);
		for (size_t at = 0; at < len; at++) {
			octets[at] ^= 2;
			EXPECT_EQ(
				verify(parameter, key, SAMPLE, ((struct wire_bytes){octets, len})),
				ERROR_SIGNATURE);
			octets[at] ^= 2;
		}
		for (size_t cut = 0; cut < 140; cut++)
			EXPECT_EQ(
				verify(parameter, key, SAMPLE, ((struct wire_bytes){octets, cut})),
				cut == len ? ERROR_NONE : ERROR_SIGNATURE_LENGTH);
		memset(octets, 0, sizeof(octets));
		EXPECT_EQ(verify(parameter, key, SAMPLE, ((struct wire_bytes){octets, len})),
		          ERROR_SIGNATURE);
		memset(octets, 0xff, sizeof(octets));
		EXPECT_EQ(verify(parameter, key, SAMPLE, ((struct wire_bytes){octets, len})),
		          ERROR_SIGNATURE);
	}
}

/* ---- Ed25519, RFC 8032 §7.1 ---- */

static const struct {
	const char *secret, *public, *message, *signature;
} edwards[] = {
	{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
         "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(ed25519_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < 3; i++) {
		struct wire_mechanism parameter = PLAIN(CKM_EDDSA);
		object_auto private_key = curve_key(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, ED25519_PARAMS,
		                                    edwards[i].secret);
		object_auto public_key = curve_key(CKO_PUBLIC_KEY, CKK_EC_EDWARDS, ED25519_PARAMS,
		                                   edwards[i].public);
		struct wire_bytes message = hex(edwards[i].message);
		uint8_t octets[65];

		ASSERT_EQ(run_once(OPERATION_SIGN, parameter, private_key, message), ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(edwards[i].signature));
		ASSERT_EQ(run_parts(OPERATION_SIGN, parameter, private_key, message, 1),
		          ERROR_NONE);
		EXPECT_BYTES(OUTPUT, hex(edwards[i].signature));
		EXPECT_EQ(verify(parameter, public_key, message, OUTPUT), ERROR_NONE);
		EXPECT_EQ(verify_parts(parameter, public_key, message, OUTPUT), ERROR_NONE);
		memcpy(octets, output, 64);
		for (size_t at = 0; at < 64; at++) {
			octets[at] ^= 1;
			EXPECT_EQ(verify(parameter, public_key, message,
			                 ((struct wire_bytes){octets, 64})),
			          ERROR_SIGNATURE);
			octets[at] ^= 1;
		}
		for (size_t len = 0; len <= 65; len += 13)
			EXPECT_EQ(verify(parameter, public_key, message,
			                 ((struct wire_bytes){octets, len})),
			          ERROR_SIGNATURE_LENGTH);
	}
}

/* ---- keys ---- */

#define EDWARDS_NAME       "130c656477617264733235353139"
#define POINT_DER(i, head) (snprintf(text, sizeof(text), head "%s", answers[i].point), text)

TEST(points_and_parameters_in_their_forms)
{
	object_auto der = NULL;
	object_auto der521 = NULL;
	object_auto named = NULL;
	char text[512];

	open_crypto();
	der = curve_key(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, POINT_DER(0, "0441"));
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA256), der, SAMPLE, hex(answers[0].signature)),
	          ERROR_NONE);
	der521 = curve_key(CKO_PUBLIC_KEY, CKK_EC, P521_PARAMS, POINT_DER(2, "048185"));
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA512), der521, SAMPLE, hex(answers[2].signature)),
	          ERROR_NONE);
	snprintf(text, sizeof(text), "0420%s", edwards[0].public);
	named = curve_key(CKO_PUBLIC_KEY, CKK_EC_EDWARDS, EDWARDS_NAME, text);
	EXPECT_EQ(verify(PLAIN(CKM_EDDSA), named, NOTHING, hex(edwards[0].signature)), ERROR_NONE);
}

static enum err make(uint64_t class, uint64_t type, const char *params, const char *value)
{
	struct attributes set = key_set(class, type);
	EVP_PKEY *pkey;
	enum err err;

	if (params)
		put(&set, CKA_EC_PARAMS, hex(params));
	if (value)
		put(&set, class == CKO_PRIVATE_KEY ? CKA_VALUE : CKA_EC_POINT, hex(value));
	err = crypto_key_make(crypto, &set, &pkey);
	EVP_PKEY_free(pkey);
	attributes_clear(&set);
	return err;
}

#define P256_ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define P256_ABOVE "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552"
#define P256_LAST  "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"

TEST(bad_keys_are_refused)
{
	const char *point = answers[0].point;
	char text[512];

	open_crypto();
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, point), ERROR_NONE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, NULL, point), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, NULL), ERROR_TEMPLATE_INCOMPLETE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P384_PARAMS, point), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, ED25519_PARAMS, point), ERROR_CURVE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, "06092b2403030208010107", point), ERROR_CURVE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, "0608", point), ERROR_DOMAIN_PARAMETERS);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS "00", point), ERROR_DOMAIN_PARAMETERS);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, "0500", point), ERROR_DOMAIN_PARAMETERS);
	snprintf(text, sizeof(text), "%s", point);
	text[129] ^= 1; /* the last digit: not on the curve */
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, text), ERROR_ATTRIBUTE_VALUE);
	snprintf(text, sizeof(text), "%s", point);
	text[1] = '7'; /* hybrid */
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, text), ERROR_ATTRIBUTE_VALUE);
	text[1] = '2';
	text[66] = 0; /* compressed */
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, text), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_EC, P256_PARAMS, "00"), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, "00"), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, "01"), ERROR_NONE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, P256_LAST), ERROR_NONE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, P256_ORDER), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC, P256_PARAMS, P256_ABOVE), ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, ED25519_PARAMS, "0102"),
	          ERROR_ATTRIBUTE_VALUE);
	EXPECT_EQ(make(CKO_SECRET_KEY, CKK_EC, P256_PARAMS, "01"), ERROR_KEY_TYPE);
	EXPECT_EQ(make(CKO_PUBLIC_KEY, CKK_DSA, P256_PARAMS, "01"), ERROR_KEY_TYPE);
}

TEST(the_right_half_and_type)
{
	object_auto public_key = NULL;
	object_auto private_key = NULL;

	open_crypto();
	public_key = public_of(0);
	private_key = private_of(0);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_ECDSA), public_key, SAMPLE),
	          ERROR_KEY_FUNCTION);
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA), private_key, SAMPLE, NOTHING), ERROR_KEY_FUNCTION);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_EDDSA), private_key, SAMPLE), ERROR_KEY_TYPE);
	EXPECT_EQ(run_once(OPERATION_SIGN, PLAIN(CKM_SHA256_RSA_PKCS), private_key, SAMPLE),
	          ERROR_KEY_TYPE);
}

HARNESS_MAIN

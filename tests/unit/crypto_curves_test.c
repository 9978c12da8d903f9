/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The curves that are no NIST prime curves: Ed25519 and Ed448 with their variants (RFC 8032),
 * X25519 and X448 (RFC 7748), secp256k1. Known answers, and what FIPS mode makes of them.
 */
#include "harness.h"

#include "key_fixture.h"
#include "policy.h"

#define ED448_PARAMS     "06032b6571"
#define X25519_PARAMS    "06032b656e"
#define X448_PARAMS      "06032b656f"
#define SECP256K1_PARAMS "06052b8104000a"

/* Both halves of a private key. */
static void pair_of(uint64_t type, const char *params, const char *scalar,
                    struct object **public_key, struct object **private_key)
{
	struct attributes set = key_set(CKO_PUBLIC_KEY, type);
	EVP_PKEY *pkey;

	*private_key = curve_key(CKO_PRIVATE_KEY, type, params, scalar);
	ASSERT_EQ(crypto_key_get(crypto, *private_key, &pkey), ERROR_NONE);
	ASSERT_EQ(crypto_key_public_attributes(pkey, &set), ERROR_NONE);
	*public_key = publish(&set);
}

/* RFC 8032 §7.2 to 7.5; without prehash and context: no parameter. */
static const struct {
	const char *params, *scalar, *message, *context, *signature;
	bool prehash;
} eddsa[] = {
	{ED448_PARAMS,
         "6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3"
         "528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b",
         "", "",
         "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f"
         "2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a"
         "9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4db"
         "b61149f05a7363268c71d95808ff2e652600",
         false},
	{ED448_PARAMS,
         "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463a"
         "fbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e",
         "03", "666f6f",
         "d4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2"
         "151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da"
         "1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d"
         "5428407e85dcbc98a49155c13764e66c3c00",
         false},
	{ED448_PARAMS,
         "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"
         "ef7822e0d5104127dc05d6dbefde69e3ab2cec7c867c6e2c49",
         "616263", "",
         "822f6901f7480f3d5f562c592994d9693602875614483256505600bbc281ae38"
         "1f54d6bce2ea911574932f52a4e6cadd78769375ec3ffd1b801a0d9b3f4030cd"
         "433964b6457ea39476511214f97469b57dd32dbc560a9a94d00bff07620464a3"
         "ad203df7dc7ce360c3cd3696d9d9fab90f00",
         true},
	{ED25519_PARAMS, "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6",
         "f726936d19c800494e3fdaff20b276a8", "666f6f",
         "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a"
         "8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d",
         false},
	{ED25519_PARAMS, "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
         "616263", "",
         "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41"
         "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
         true},
};

static struct wire_mechanism eddsa_parameter(bool prehash, struct wire_bytes context)
{
	if (!prehash && !context.len)
		return PLAIN(CKM_EDDSA);
	return PARAMETER(CKM_EDDSA, eddsa, prehash, context);
}

static void expect_eddsa(size_t i)
{
	struct wire_mechanism parameter = eddsa_parameter(eddsa[i].prehash, hex(eddsa[i].context));
	struct wire_bytes message = hex(eddsa[i].message), signature = hex(eddsa[i].signature);
	struct object *public_key, *private_key;
	uint8_t damaged[114];

	pair_of(CKK_EC_EDWARDS, eddsa[i].params, eddsa[i].scalar, &public_key, &private_key);
	ASSERT_EQ(run_once(OPERATION_SIGN, parameter, private_key, message), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, signature);
	ASSERT_EQ(run_parts(OPERATION_SIGN, parameter, private_key, message, 2), ERROR_NONE);
	EXPECT_BYTES(OUTPUT, signature);
	EXPECT_EQ(verify(parameter, public_key, message, signature), ERROR_NONE);
	EXPECT_EQ(verify_parts(parameter, public_key, message, signature), ERROR_NONE);
	EXPECT_EQ(verify(parameter, public_key, TEXT("another"), signature), ERROR_SIGNATURE);
	EXPECT_EQ(verify(parameter, public_key, message,
	                 ((struct wire_bytes){signature.data, signature.len - 1})),
	          ERROR_SIGNATURE_LENGTH);
	memcpy(damaged, signature.data, signature.len);
	damaged[7] ^= 1;
	EXPECT_EQ(verify(parameter, public_key, message,
	                 ((struct wire_bytes){damaged, signature.len})),
	          ERROR_SIGNATURE);
	if (crypto->has_eddsa_instances)
		EXPECT_EQ(verify(PARAMETER(CKM_EDDSA, eddsa, eddsa[i].prehash, TEXT("other")),
		                 public_key, message, signature),
		          ERROR_SIGNATURE);
	object_put(public_key);
	object_put(private_key);
}

TEST(eddsa_known_answers)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(eddsa) / sizeof(eddsa[0]); i++) {
		object_auto key = curve_key(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, eddsa[i].params,
		                            eddsa[i].scalar);
		bool plain = !eddsa[i].prehash && !eddsa[i].context[0];

		/* OpenSSL 3.0 has no variants: nothing else is signed instead. */
		if (plain || crypto->has_eddsa_instances)
			expect_eddsa(i);
		else
			EXPECT_EQ(run_once(OPERATION_SIGN,
			                   eddsa_parameter(eddsa[i].prehash, hex(eddsa[i].context)),
			                   key, hex(eddsa[i].message)),
			          ERROR_MECHANISM_PARAMETER);
	}
}

TEST(eddsa_parameters)
{
	struct config *config = config_defaults();
	uint8_t context[256] = {1};
	object_auto key = NULL;
	bool has;

	open_crypto();
	has = crypto->has_eddsa_instances;
	key = curve_key(CKO_PRIVATE_KEY, CKK_EC_EDWARDS, ED25519_PARAMS, eddsa[3].scalar);
	for (size_t len = 0; len <= 256; len += 17)
		EXPECT_EQ(run_once(OPERATION_SIGN,
		                   PARAMETER(CKM_EDDSA, eddsa, true,
		                             ((struct wire_bytes){context, len})),
		                   key, TEXT("m")),
		          has ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once(OPERATION_SIGN, PARAMETER(CKM_EDDSA, eddsa, true, BYTES(context)), key,
	                   TEXT("m")),
	          ERROR_MECHANISM_PARAMETER);
	/* Ed25519ctx without a context is none; and FIPS 186-5 does not have it at all. */
	EXPECT_EQ(run_once(OPERATION_SIGN, PARAMETER(CKM_EDDSA, eddsa, false, NOTHING), key,
	                   TEXT("m")),
	          ERROR_MECHANISM_PARAMETER);
	config->algorithms.fips_approved_only = true;
	EXPECT_EQ(run_once_with(OPERATION_SIGN, mechanism_find(crypto, config, CKM_EDDSA),
	                        PARAMETER(CKM_EDDSA, eddsa, false, TEXT("x")), key, TEXT("m")),
	          ERROR_MECHANISM_PARAMETER);
	EXPECT_EQ(run_once_with(OPERATION_SIGN, mechanism_find(crypto, config, CKM_EDDSA),
	                        PARAMETER(CKM_EDDSA, eddsa, true, TEXT("x")), key, TEXT("m")),
	          has ? ERROR_NONE : ERROR_MECHANISM_PARAMETER);
	config_free(config);
}

static enum err derive(struct object *key, uint64_t kdf, struct wire_bytes public_data,
                       uint64_t len, struct attributes *set)
{
	struct wire_mechanism parameter =
		PARAMETER(CKM_ECDH1_DERIVE, ecdh1, kdf, NOTHING, public_data);

	*set = key_set(CKO_SECRET_KEY, CKK_GENERIC_SECRET);
	if (len)
		ASSERT_EQ(attributes_set_number(set, CKA_VALUE_LEN, len), ERROR_NONE);
	return keygen_derive(
		crypto, &(struct derivation){row_of(CKM_ECDH1_DERIVE), &parameter, key, NULL}, set);
}

/* RFC 7748 §5.2. */
static const struct {
	const char *params, *scalar, *point, *secret;
} montgomery[] = {
	{X25519_PARAMS, "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{X448_PARAMS,
         "3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c"
         "984c24f8cdd78fbff44943eba368f54b29259a4f1c600ad3",
         "06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031"
         "ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8a086",
         "ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaad"
         "eb445fc66a01b0779d98223961111e21766282f73dd96b6f"},
};

TEST(montgomery_known_answers)
{
	static const uint8_t zeros[56];

	open_crypto();
	for (size_t i = 0; i < 2; i++) {
		object_auto key = curve_key(CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY,
		                            montgomery[i].params, montgomery[i].scalar);
		struct wire_bytes point = hex(montgomery[i].point);
		struct attributes set;

		ASSERT_EQ(derive(key, CKD_NULL, point, 0, &set), ERROR_NONE);
		EXPECT_BYTES(attributes_bytes(&set, CKA_VALUE), hex(montgomery[i].secret));
		attributes_clear(&set);
		ASSERT_EQ(derive(key, CKD_SHA3_256_KDF, point, 48, &set), ERROR_NONE);
		EXPECT_EQ(attributes_bytes(&set, CKA_VALUE).len, 48);
		attributes_clear(&set);
		/* A point of small order, and octets that are too few. */
		EXPECT_EQ(derive(key, CKD_NULL, ((struct wire_bytes){zeros, point.len}), 0, &set),
		          ERROR_MECHANISM_PARAMETER);
		attributes_clear(&set);
		EXPECT_EQ(
			derive(key, CKD_NULL, ((struct wire_bytes){zeros, point.len - 1}), 0, &set),
			ERROR_MECHANISM_PARAMETER);
		attributes_clear(&set);
	}
}

TEST(cofactor_is_for_prime_curves)
{
	struct attributes set = {0};
	struct wire_mechanism parameter;
	object_auto key = NULL;

	open_crypto();
	key = curve_key(CKO_PRIVATE_KEY, CKK_EC_MONTGOMERY, X25519_PARAMS, montgomery[0].scalar);
	parameter = PARAMETER(CKM_ECDH1_COFACTOR_DERIVE, ecdh1, CKD_NULL, NOTHING,
	                      hex(montgomery[0].point));
	EXPECT_EQ(keygen_derive(crypto,
	                        &(struct derivation){row_of(CKM_ECDH1_COFACTOR_DERIVE), &parameter,
	                                             key, NULL},
	                        &set),
	          ERROR_KEY_TYPE);
}

static const struct {
	uint64_t type, key_type;
	const char *params;
} generated[] = {
	{CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, ED25519_PARAMS},
	{CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, ED448_PARAMS},
	{CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, "130c656477617264733235353139"},
	{CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, X25519_PARAMS},
	{CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, X448_PARAMS},
	{CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, "130a63757276653235353139"},
	{CKM_EC_KEY_PAIR_GEN, CKK_EC, SECP256K1_PARAMS},
};

/* Each imports again, in halves that agree. */
TEST(generated_keys_come_back)
{
	open_crypto();
	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]); i++) {
		struct object *public_key, *private_key;
		struct attributes set = key_set(CKO_PRIVATE_KEY, generated[i].key_type);
		struct wire_buffer der = {.limit = 1024};
		EVP_PKEY *pkey, *back;

		generate(generated[i].type, generated[i].params, &public_key, &private_key);
		put(&set, CKA_EC_PARAMS, hex(generated[i].params));
		put(&set, CKA_VALUE, attributes_bytes(&private_key->attributes, CKA_VALUE));
		EXPECT_EQ(keygen_check(crypto, NULL, &set), ERROR_NONE);
		attributes_clear(&set);
		ASSERT_EQ(crypto_key_get(crypto, private_key, &pkey), ERROR_NONE);
		ASSERT_EQ(crypto_key_pkcs8(pkey, &der), ERROR_NONE);
		ASSERT_EQ(crypto_key_from_pkcs8(crypto, ((struct wire_bytes){der.data, der.len}),
		                                &back),
		          ERROR_NONE);
		EXPECT_EQ(EVP_PKEY_eq(pkey, back), 1);
		EXPECT_EQ(crypto_key_type(back), generated[i].key_type);
		ASSERT_EQ(crypto_key_get(crypto, public_key, &pkey), ERROR_NONE);
		EXPECT_EQ(EVP_PKEY_eq(pkey, back), 1);
		EVP_PKEY_free(back);
		wire_buffer_free(&der);
		object_put(public_key);
		object_put(private_key);
	}
}

/* A deterministic signature (RFC 6979) that several programs have: the scalar is 1. */
TEST(secp256k1_known_answer)
{
	object_auto key = NULL;
	struct wire_bytes signature;

	open_crypto();
	key = curve_key(CKO_PUBLIC_KEY, CKK_EC, SECP256K1_PARAMS,
	                "04"
	                "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	                "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8");
	signature = hex("934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
	                "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA256), key, TEXT("Satoshi Nakamoto"), signature),
	          ERROR_NONE);
	EXPECT_EQ(verify(PLAIN(CKM_ECDSA_SHA256), key, TEXT("Satoshi nakamoto"), signature),
	          ERROR_SIGNATURE);
}

/* Approved curves only, whatever name they are given by. */
TEST(fips_refuses_the_others)
{
	static const struct {
		uint64_t type;
		const char *params;
		bool approved;
	} rows[] = {
		{CKK_EC, P256_PARAMS, true},
		{CKK_EC, SECP256K1_PARAMS, false},
		{CKK_EC, "1309736563703235366b31", false},
		{CKK_EC_EDWARDS, ED25519_PARAMS, true},
		{CKK_EC_EDWARDS, ED448_PARAMS, true},
		{CKK_EC_MONTGOMERY, X25519_PARAMS, false},
		{CKK_EC_MONTGOMERY, X448_PARAMS, false},
	};

	open_crypto();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attributes set = key_set(CKO_PRIVATE_KEY, rows[i].type);
		const struct crypto_curve *curve;
		object_auto key = NULL;

		put(&set, CKA_EC_PARAMS, hex(rows[i].params));
		ASSERT_EQ(attributes_set_flag(&set, CKA_SIGN, true), ERROR_NONE);
		ASSERT_EQ(crypto_key_curve(hex(rows[i].params), &curve), ERROR_NONE);
		EXPECT_EQ(curve->approved, rows[i].approved);
		EXPECT_EQ(object_unapproved(&set), !rows[i].approved);
		key = publish(&set);
		EXPECT_EQ(key->unapproved, !rows[i].approved);
		EXPECT_EQ(policy_use_key(key, POLICY_SIGN, row_of(CKM_ECDSA_SHA256), "20260101",
		                         true),
		          rows[i].approved ? ERROR_NONE : ERROR_KEY_FUNCTION);
		EXPECT_EQ(policy_use_key(key, POLICY_SIGN, row_of(CKM_ECDSA_SHA256), "20260101",
		                         false),
		          ERROR_NONE);
	}
}

HARNESS_MAIN

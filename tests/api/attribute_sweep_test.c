/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every attribute with every object and operation, as tests/sweep/attributes.table expects it. Here
 * are the good templates, the sample of each attribute, and the check that nothing is left out.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "api.h"

#define CELLS        7
#define TEMPLATE_MAX 24
#define VALUE_MAX    2048
#define LINE_MAX_LEN 512

enum operation { CREATE, GENERATE, UNWRAP, DERIVE, COPY, SET, GET };

static const char *const operation_names[CELLS] = {"create", "generate", "unwrap", "derive",
                                                   "copy",   "set",      "get"};

/* ---- objects ---- */

enum subject { DATA, CERT, RSA_PUBLIC, RSA_PRIVATE, EC_PUBLIC, EC_PRIVATE, AES, GENERIC, SUBJECTS };

static const struct {
	const char *name, *groups;
	CK_OBJECT_CLASS class;
	CK_KEY_TYPE type;
	bool made[4]; /* by create, generate, unwrap, derive */
} subjects[SUBJECTS] = {
	[DATA] = {"data", ",all,", CKO_DATA, 0, {true}},
	[CERT] = {"cert", ",all,", CKO_CERTIFICATE, 0, {true}},
	[RSA_PUBLIC] = {"rsa-public", ",all,keys,public,", CKO_PUBLIC_KEY, CKK_RSA, {true, true}},
	[RSA_PRIVATE] =
		{"rsa-private", ",all,keys,private,", CKO_PRIVATE_KEY, CKK_RSA, {true, true, true}},
	[EC_PUBLIC] = {"ec-public", ",all,keys,public,", CKO_PUBLIC_KEY, CKK_EC, {true, true}},
	[EC_PRIVATE] =
		{"ec-private", ",all,keys,private,", CKO_PRIVATE_KEY, CKK_EC, {true, true, true}},
	[AES] = {"aes", ",all,keys,secret,", CKO_SECRET_KEY, CKK_AES, {true, true, true, true}},
	[GENERIC] = {"generic",
                     ",all,keys,secret,",
                     CKO_SECRET_KEY,
                     CKK_GENERIC_SECRET,
                     {true, true, true, true}},
};

/* ---- attributes ---- */

static const struct {
	CK_ATTRIBUTE_TYPE type;
	const char *name, *kind;
} attributes[] = {
#define ATTRIBUTE_ROW(type, kind) {type, #type, #kind},
#undef ATTRIBUTE
#define ATTRIBUTE ATTRIBUTE_ROW
#include "wire/attribute.def"
#undef ATTRIBUTE
#define ATTRIBUTE(type, value)                                                                     \
	{                                                                                          \
		(type), (void *)(uintptr_t) & (value), sizeof(value)                               \
	}
};

struct value {
	CK_BYTE octets[VALUE_MAX];
	CK_ULONG len;
};

/* Key material, made by OpenSSL; wrapped keys, made by the token. */
static struct value modulus, exponents[2], primes[2], crt[3], ec_value, ec_point;
static struct value wrapped[SUBJECTS];
static CK_BYTE secret[32] = {5, 4, 3, 2, 1};
static CK_OBJECT_HANDLE wrapping_key;
static CK_SESSION_HANDLE session;

struct template
{
	CK_ATTRIBUTE rows[TEMPLATE_MAX];
	CK_ULONG count;
};

static void put(struct template *template, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
	ASSERT_TRUE(template->count < TEMPLATE_MAX);
	template->rows[template->count++] = (CK_ATTRIBUTE){type, (void *)(uintptr_t)value, len};
}

static void put_value(struct template *template, CK_ATTRIBUTE_TYPE type, const struct value *value)
{
	put(template, type, value->octets, value->len);
}

static CK_ATTRIBUTE *find(struct template *template, CK_ATTRIBUTE_TYPE type)
{
	for (CK_ULONG i = 0; i < template->count; i++) {
		if (template->rows[i].type == type)
			return &template->rows[i];
	}
	return NULL;
}

static void take_out(struct template *template, CK_ATTRIBUTE_TYPE type)
{
	CK_ATTRIBUTE *row = find(template, type);

	if (row)
		*row = template->rows[--template->count];
}

static void put_material(struct template *template, enum subject subject)
{
	static const CK_CERTIFICATE_TYPE x509 = CKC_X_509;

	switch (subject) {
	case CERT:
		put(template, CKA_CERTIFICATE_TYPE, &x509, sizeof(x509));
		put(template, CKA_SUBJECT, "\x30\x00", 2);
		put(template, CKA_VALUE, "\x30\x00", 2);
		break;
	case RSA_PUBLIC:
		put_value(template, CKA_MODULUS, &modulus);
		put_value(template, CKA_PUBLIC_EXPONENT, &exponents[0]);
		break;
	case RSA_PRIVATE:
		put_value(template, CKA_MODULUS, &modulus);
		put_value(template, CKA_PUBLIC_EXPONENT, &exponents[0]);
		put_value(template, CKA_PRIVATE_EXPONENT, &exponents[1]);
		put_value(template, CKA_PRIME_1, &primes[0]);
		put_value(template, CKA_PRIME_2, &primes[1]);
		put_value(template, CKA_EXPONENT_1, &crt[0]);
		put_value(template, CKA_EXPONENT_2, &crt[1]);
		put_value(template, CKA_COEFFICIENT, &crt[2]);
		break;
	case EC_PUBLIC:
		put(template, CKA_EC_PARAMS, api_p256, sizeof(api_p256));
		put_value(template, CKA_EC_POINT, &ec_point);
		break;
	case EC_PRIVATE:
		put(template, CKA_EC_PARAMS, api_p256, sizeof(api_p256));
		put_value(template, CKA_VALUE, &ec_value);
		break;
	case AES:
	case GENERIC:
		put(template, CKA_VALUE, secret, sizeof(secret));
		break;
	default:
		break;
	}
}

/* What a good template of this object has. */
static struct template good(enum subject subject, enum operation operation)
{
	static const CK_ULONG bits = 2048, len = 32;
	struct template template = {0};

	put(&template, CKA_CLASS, &subjects[subject].class, sizeof(CK_OBJECT_CLASS));
	if (subject > CERT)
		put(&template, CKA_KEY_TYPE, &subjects[subject].type, sizeof(CK_KEY_TYPE));
	if (operation == CREATE)
		put_material(&template, subject);
	if (operation == GENERATE && subject == RSA_PUBLIC) {
		put(&template, CKA_MODULUS_BITS, &bits, sizeof(bits));
		put_value(&template, CKA_PUBLIC_EXPONENT, &exponents[0]);
	}
	if (operation == GENERATE && subject == EC_PUBLIC)
		put(&template, CKA_EC_PARAMS, api_p256, sizeof(api_p256));
	if ((operation == GENERATE && subject >= AES) || (operation == DERIVE && subject == AES))
		put(&template, CKA_VALUE_LEN, &len, sizeof(len));
	return template;
}

/* What the attribute is tried with, unless the good template has it. `flag` for flags. */
static void put_sample(struct template *template, size_t attribute, const CK_BBOOL *flag)
{
	static const CK_ULONG zero = 0, len = 32;
	static const CK_MECHANISM_TYPE mechanisms[] = {CKM_AES_ECB};
	static CK_ATTRIBUTE nested[] = {{CKA_LABEL, (void *)(uintptr_t) "x", 1}};
	CK_ATTRIBUTE_TYPE type = attributes[attribute].type;
	const char *kind = attributes[attribute].kind;

	if (!strcmp(kind, "flag"))
		put(template, type, flag, sizeof(*flag));
	else if (!strcmp(kind, "number"))
		put(template, type, type == CKA_VALUE_LEN ? &len : &zero, sizeof(zero));
	else if (!strcmp(kind, "date"))
		put(template, type, "20250131", 8);
	else if (!strcmp(kind, "mechanisms"))
		put(template, type, mechanisms, sizeof(mechanisms));
	else if (!strcmp(kind, "attributes"))
		put(template, type, nested, sizeof(nested));
	else if (type == CKA_CHECK_VALUE || type == CKA_PUBLIC_KEY_INFO)
		put(template, type, "", 0); /* else it must be the right one */
	else
		put(template, type, "\x30\x02\x05\x00", 4);
}

/* ---- operations ---- */

static CK_RV create(struct template *template, CK_OBJECT_HANDLE *object)
{
	return p11->C_CreateObject(session, template->rows, template->count, object);
}

static CK_RV generate(enum subject subject, struct template *template, CK_OBJECT_HANDLE *object)
{
	bool rsa = subject == RSA_PUBLIC || subject == RSA_PRIVATE;
	CK_MECHANISM pair = {rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_MECHANISM one = {subject == AES ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN, NULL, 0};
	bool private = subject == RSA_PRIVATE || subject == EC_PRIVATE;
	struct template other =
		private ? good(rsa ? RSA_PUBLIC : EC_PUBLIC, GENERATE) : (struct template){0};
	CK_OBJECT_HANDLE another;

	if (subject >= AES)
		return p11->C_GenerateKey(session, &one, template->rows, template->count, object);
	if (private)
		return p11->C_GenerateKeyPair(session, &pair, other.rows, other.count,
		                              template->rows, template->count, &another, object);
	return p11->C_GenerateKeyPair(session, &pair, template->rows, template->count, NULL, 0,
	                              object, &another);
}

static CK_RV unwrap(enum subject subject, struct template *template, CK_OBJECT_HANDLE *object)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_KWP, NULL, 0};

	return p11->C_UnwrapKey(session, &mechanism, wrapping_key, wrapped[subject].octets,
	                        wrapped[subject].len, template->rows, template->count, object);
}

/* A digest of 32 octets: a length need not be said. */
static CK_RV derive(struct template *template, CK_OBJECT_HANDLE *object)
{
	CK_MECHANISM mechanism = {CKM_SHA256_KEY_DERIVATION, NULL, 0};

	return p11->C_DeriveKey(session, &mechanism, wrapping_key, template->rows, template->count,
	                        object);
}

static CK_RV make(enum subject subject, enum operation operation, struct template *template)
{
	CK_OBJECT_HANDLE object = 0;
	CK_RV rv = CKR_GENERAL_ERROR;

	if (operation == CREATE)
		rv = create(template, &object);
	if (operation == GENERATE)
		rv = generate(subject, template, &object);
	if (operation == UNWRAP)
		rv = unwrap(subject, template, &object);
	if (operation == DERIVE)
		rv = derive(template, &object);
	if (!rv)
		(void)p11->C_DestroyObject(session, object); /* not if it may not be destroyed */
	return rv;
}

static CK_RV change(enum subject subject, enum operation operation, struct template *template)
{
	struct template base = good(subject, CREATE);
	CK_OBJECT_HANDLE object, other = 0;
	CK_RV rv;

	OK(create(&base, &object));
	if (operation == COPY)
		rv = p11->C_CopyObject(session, object, template->rows, template->count, &other);
	else
		rv = p11->C_SetAttributeValue(session, object, template->rows, template->count);
	OK(p11->C_DestroyObject(session, object));
	if (other)
		(void)p11->C_DestroyObject(session, other);
	return rv;
}

/* ---- cells ---- */

static const struct {
	const char *name;
	CK_RV rv;
} codes[] = {
	{"ok", CKR_OK},
	{"must", CKR_OK},
	{"ro", CKR_ATTRIBUTE_READ_ONLY},
	{"no", CKR_TEMPLATE_INCONSISTENT},
	{"type", CKR_ATTRIBUTE_TYPE_INVALID},
	{"lacks", CKR_TEMPLATE_INCOMPLETE},
};

static CK_RV code_of(const char *cell, size_t len)
{
	for (size_t i = 0; i < COUNT(codes); i++) {
		if (strlen(codes[i].name) == len && !strncmp(codes[i].name, cell, len))
			return codes[i].rv;
	}
	printf("# a cell that means nothing: %s\n", cell);
	ASSERT_TRUE(false);
	return CKR_GENERAL_ERROR;
}

struct cell {
	size_t attribute;
	enum subject subject;
	enum operation operation;
	const char *text;
};

static bool report(const struct cell *cell, const char *how, CK_RV got)
{
	printf("# %s of %s, %s%s: 0x%lx, not %s\n", attributes[cell->attribute].name,
	       subjects[cell->subject].name, operation_names[cell->operation], how, got,
	       cell->text);
	return false;
}

/* One value of the attribute. */
static bool try(const struct cell *cell, const CK_BBOOL *flag, const char *wanted, size_t len)
{
	bool changes = cell->operation == COPY || cell->operation == SET;
	struct template template =
		changes ? (struct template){0} : good(cell->subject, cell->operation);
	CK_RV expected = code_of(wanted, len), got;

	if (!find(&template, attributes[cell->attribute].type))
		put_sample(&template, cell->attribute, flag);
	got = changes ? change(cell->subject, cell->operation, &template)
	              : make(cell->subject, cell->operation, &template);
	return got == expected || report(cell, flag ? (*flag ? " true" : " false") : "", got);
}

static bool try_without(const struct cell *cell)
{
	struct template template = good(cell->subject, cell->operation);
	CK_RV got;

	take_out(&template, attributes[cell->attribute].type);
	got = make(cell->subject, cell->operation, &template);
	return got == CKR_TEMPLATE_INCOMPLETE || report(cell, " without", got);
}

static bool try_get(const struct cell *cell)
{
	struct template base = good(cell->subject, CREATE);
	CK_ATTRIBUTE asked = {attributes[cell->attribute].type, NULL, 0};
	bool yes_wanted = !strcmp(cell->text, "yes"), empty = !strcmp(cell->text, "empty");
	bool hidden = !strcmp(cell->text, "hidden");
	CK_RV expected = yes_wanted || empty ? CKR_OK
	                 : hidden            ? CKR_ATTRIBUTE_SENSITIVE
	                                     : code_of(cell->text, strlen(cell->text));
	CK_OBJECT_HANDLE object;
	CK_RV got;

	OK(create(&base, &object));
	got = p11->C_GetAttributeValue(session, object, &asked, 1);
	OK(p11->C_DestroyObject(session, object));
	if (got != expected || (!got && (asked.ulValueLen == 0) != empty))
		return report(cell, asked.ulValueLen ? "" : " (empty)", got);
	return true;
}

/* The cell's values; how many of them are wrong. */
static unsigned int run_cell(const struct cell *cell)
{
	const char *slash = strchr(cell->text, '/');
	bool is_flag = !strcmp(attributes[cell->attribute].kind, "flag");
	size_t len = slash ? (size_t)(slash - cell->text) : strlen(cell->text);
	const char *when_true = slash ? slash + 1 : cell->text;
	unsigned int wrong = 0;

	if (cell->operation == GET)
		return !try_get(cell);
	if (!is_flag)
		wrong += !try(cell, NULL, cell->text, len);
	else
		wrong += !try(cell, &no, cell->text, len) +
		         !try(cell, &yes, when_true, strlen(when_true));
	if (!strcmp(cell->text, "must"))
		wrong += !try_without(cell);
	return wrong;
}

/* ---- the table ---- */

struct row {
	char attribute[64], objects[64], cells[CELLS][16];
};

static struct {
	struct row rows[128];
	size_t count;
} table;

static void read_table(void)
{
	FILE *file = fopen("tests/sweep/attributes.table", "r");
	char line[LINE_MAX_LEN], section[64];

	ASSERT_NOT_NULL(file);
	while (fgets(line, sizeof(line), file)) {
		struct row *row = &table.rows[table.count];
		int got;

		if (line[0] == '#' || line[0] == '\n')
			continue;
		ASSERT_TRUE(table.count < COUNT(table.rows));
		got = sscanf(line, "%63s %63s %15s %15s %15s %15s %15s %15s %15s %63s",
		             row->attribute, row->objects, row->cells[0], row->cells[1],
		             row->cells[2], row->cells[3], row->cells[4], row->cells[5],
		             row->cells[6], section);
		if (got != CELLS + 3)
			printf("# a row without all its cells and its section: %s", line);
		ASSERT_EQ(got, CELLS + 3);
		table.count++;
	}
	fclose(file);
}

/* Does the row's list of objects name the object, or a group it is in? */
static bool names(const struct row *row, enum subject subject)
{
	char list[64], *rest = list, *each;

	snprintf(list, sizeof(list), "%s", row->objects);
	while ((each = strsep(&rest, ","))) {
		char group[68];

		snprintf(group, sizeof(group), ",%s,", each);
		if (!strcmp(each, subjects[subject].name) ||
		    strstr(subjects[subject].groups, group))
			return true;
	}
	return false;
}

/* The one row for this attribute of this object; *count is how many there are. */
static const struct row *row_of(size_t attribute, enum subject subject, unsigned int *count)
{
	const struct row *found = NULL, *others = NULL;

	*count = 0;
	for (size_t i = 0; i < table.count; i++) {
		const struct row *row = &table.rows[i];

		if (!strcmp(row->attribute, "*"))
			others = row;
		if (strcmp(row->attribute, attributes[attribute].name) || !names(row, subject))
			continue;
		found = row;
		++*count;
	}
	*count += !*count && others;
	return found ? found : others;
}

/* ---- material ---- */

static void take_number(EVP_PKEY *pkey, const char *name, struct value *value)
{
	BIGNUM *number = NULL;

	ASSERT_TRUE(EVP_PKEY_get_bn_param(pkey, name, &number));
	value->len = (CK_ULONG)BN_bn2bin(number, value->octets);
	BN_clear_free(number);
}

static void make_material(void)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
	BIGNUM *number = NULL;
	size_t len = 0;

	take_number(rsa, OSSL_PKEY_PARAM_RSA_N, &modulus);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_E, &exponents[0]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_D, &exponents[1]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_FACTOR1, &primes[0]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_FACTOR2, &primes[1]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_EXPONENT1, &crt[0]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_EXPONENT2, &crt[1]);
	take_number(rsa, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, &crt[2]);
	ASSERT_TRUE(EVP_PKEY_get_bn_param(ec, OSSL_PKEY_PARAM_PRIV_KEY, &number));
	ASSERT_EQ(BN_bn2binpad(number, ec_value.octets, 32), 32);
	BN_clear_free(number);
	ec_value.len = 32;
	ASSERT_TRUE(EVP_PKEY_get_octet_string_param(ec, OSSL_PKEY_PARAM_PUB_KEY,
	                                            ec_point.octets + 2, VALUE_MAX - 2, &len));
	ASSERT_EQ(len, 65);
	ec_point.octets[0] = 0x04; /* OCTET STRING */
	ec_point.octets[1] = (CK_BYTE)len;
	ec_point.len = len + 2;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ec);
}

static void make_wrapping_key(void)
{
	struct template template = good(AES, CREATE);

	put(&template, CKA_WRAP, &yes, sizeof(yes));
	put(&template, CKA_UNWRAP, &yes, sizeof(yes));
	put(&template, CKA_DERIVE, &yes, sizeof(yes));
	OK(create(&template, &wrapping_key));
}

/* Each is wrapped for real; room for an RSA key's PKCS#8 is more than a value has. */
static void wrap(enum subject subject)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_WRAP_KWP, NULL, 0};
	struct template template = good(subject, CREATE);
	CK_OBJECT_HANDLE key;

	put(&template, CKA_EXTRACTABLE, &yes, sizeof(yes));
	OK(create(&template, &key));
	wrapped[subject].len = sizeof(wrapped[subject].octets);
	OK(p11->C_WrapKey(session, &mechanism, wrapping_key, key, wrapped[subject].octets,
	                  &wrapped[subject].len));
	OK(p11->C_DestroyObject(session, key));
}

static void start(void)
{
	session = api_user();
	make_material();
	make_wrapping_key();
	for (enum subject subject = 0; subject < SUBJECTS; subject++) {
		if (subjects[subject].made[UNWRAP])
			wrap(subject);
	}
	read_table();
}

/* A dash where the object is made in this way, or none where it is not, is the table's mistake. A
 * row is about several objects, so there a cell may be for the others. */
static bool applies(const struct row *row, enum subject subject, enum operation operation)
{
	bool made = operation > DERIVE || subjects[subject].made[operation];

	if (made && !strcmp(row->cells[operation], "-")) {
		printf("# a dash: %s, %s, %s\n", row->attribute, row->objects,
		       operation_names[operation]);
		ASSERT_TRUE(false);
	}
	return made;
}

TEST_TIMEOUT(every_cell, 120)
{
	unsigned int wrong = 0, cells = 0, count;

	start();
	for (size_t attribute = 0; attribute < COUNT(attributes); attribute++) {
		for (enum subject subject = 0; subject < SUBJECTS; subject++) {
			const struct row *row = row_of(attribute, subject, &count);

			for (enum operation operation = 0; operation < CELLS; operation++) {
				if (!applies(row, subject, operation))
					continue;
				wrong += run_cell(&(struct cell){attribute, subject, operation,
				                                 row->cells[operation]});
				cells++;
			}
		}
	}
	printf("# %zu attributes, %u cells, %u wrong\n", COUNT(attributes), cells, wrong);
	ASSERT_EQ(wrong, 0);
}

/* One row for every attribute of every object, and no row that is about nothing. */
TEST(nothing_is_left_out)
{
	bool used[COUNT(table.rows)] = {false};
	unsigned int count;

	read_table();
	for (size_t attribute = 0; attribute < COUNT(attributes); attribute++) {
		for (enum subject subject = 0; subject < SUBJECTS; subject++) {
			const struct row *row = row_of(attribute, subject, &count);

			if (count != 1)
				printf("# %s of %s: %u rows\n", attributes[attribute].name,
				       subjects[subject].name, count);
			ASSERT_EQ(count, 1);
			used[row - table.rows] = true;
		}
	}
	for (size_t i = 0; i < table.count; i++) {
		if (!used[i])
			printf("# about nothing: %s, %s\n", table.rows[i].attribute,
			       table.rows[i].objects);
		EXPECT_TRUE(used[i]);
	}
}

/* What nobody has. */
TEST(an_attribute_of_nobody)
{
	CK_ATTRIBUTE unknown = {CKA_VENDOR_DEFINED | 0x1234, (void *)(uintptr_t) "x", 1};
	CK_OBJECT_HANDLE object;
	struct template base;

	start();
	for (enum subject subject = 0; subject < SUBJECTS; subject++) {
		for (enum operation operation = 0; operation <= DERIVE; operation++) {
			struct template template = good(subject, operation);

			if (!subjects[subject].made[operation])
				continue;
			put(&template, unknown.type, unknown.pValue, unknown.ulValueLen);
			EXPECT_EQ(make(subject, operation, &template), CKR_ATTRIBUTE_TYPE_INVALID);
		}
		base = good(subject, CREATE);
		OK(create(&base, &object));
		GIVES(p11->C_SetAttributeValue(session, object, &unknown, 1),
		      CKR_ATTRIBUTE_TYPE_INVALID);
		GIVES(p11->C_GetAttributeValue(session, object, &unknown, 1),
		      CKR_ATTRIBUTE_TYPE_INVALID);
		GIVES(p11->C_CopyObject(session, object, &unknown, 1, &object),
		      CKR_ATTRIBUTE_TYPE_INVALID);
	}
}

HARNESS_MAIN

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names out of a certificate. They were checked by nobody but the authority that signed it, so
 * whatever is shown of them is escaped by OpenSSL.
 */
#include "grpc/identity.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "grpc/method.h"

#define SUBJECT_MAX_LEN 180u /* so that the rest of an identity always fits */
#define SERIAL_MAX_LEN  42u
#define FINGERPRINT_LEN 65u

struct rule {
	const struct config_client *client;
	uint64_t methods; /* a bit for each that it allows */
};

struct rules {
	size_t count;
	struct rule rules[];
};

/* ---- what a certificate says ---- */

static bool get_fingerprint(X509 *certificate, char text[FINGERPRINT_LEN])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	text[0] = '\0';
	if (!X509_digest(certificate, EVP_sha256(), digest, &len))
		return false;
	for (unsigned int i = 0; i < len && 2 * i + 2 < FINGERPRINT_LEN; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", digest[i]);
	return true;
}

static void get_subject(X509 *certificate, char *text, size_t text_len)
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = 0;

	if (bio &&
	    X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_read(bio, text, (int)text_len - 1);
	text[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static void get_serial(X509 *certificate, char *text, size_t text_len)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;

	snprintf(text, text_len, "%s", hex ? hex : "?");
	OPENSSL_free(hex);
	BN_free(number);
}

void identity_describe(X509 *certificate, char *text, size_t text_len)
{
	char subject[SUBJECT_MAX_LEN], serial[SERIAL_MAX_LEN], fingerprint[FINGERPRINT_LEN];

	get_subject(certificate, subject, sizeof(subject));
	get_serial(certificate, serial, sizeof(serial));
	(void)get_fingerprint(certificate, fingerprint); /* empty when it cannot be had */
	snprintf(text, text_len, "sha256=%s serial=%s %s", fingerprint, serial, subject);
}

/* ---- matching ---- */

static bool text_equals(const ASN1_STRING *text, const char *wanted)
{
	size_t len = (size_t)ASN1_STRING_length(text);

	return len == strlen(wanted) && memcmp(ASN1_STRING_get0_data(text), wanted, len) == 0;
}

static bool has_common_name(X509 *certificate, const char *wanted)
{
	X509_NAME *subject = X509_get_subject_name(certificate);
	bool found = false;

	for (int at = -1; !found;) {
		unsigned char *utf8 = NULL;
		int len;

		at = X509_NAME_get_index_by_NID(subject, NID_commonName, at);
		if (at < 0)
			break;
		len = ASN1_STRING_to_UTF8(
			&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
		found = len >= 0 && (size_t)len == strlen(wanted) &&
		        memcmp(utf8, wanted, (size_t)len) == 0;
		OPENSSL_free(utf8);
	}
	return found;
}

static bool address_equals(const ASN1_STRING *address, const char *wanted)
{
	int len = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN];

	if (len != 4 && len != 16)
		return false;
	inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text,
	          sizeof(text));
	return strcmp(text, wanted) == 0;
}

static bool name_equals(const GENERAL_NAME *name, const char *wanted)
{
	int type;
	const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

	if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI)
		return text_equals(value, wanted);
	return type == GEN_IPADD && address_equals(value, wanted);
}

static bool has_alternative_name(X509 *certificate, const char *wanted)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	bool found = false;

	for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
		found = name_equals(sk_GENERAL_NAME_value(names, i), wanted);
	GENERAL_NAMES_free(names);
	return found;
}

static bool has_fingerprint(X509 *certificate, const char *wanted)
{
	char fingerprint[FINGERPRINT_LEN];

	return get_fingerprint(certificate, fingerprint) &&
	       strcmp(fingerprint, wanted) == 0; /* not secret: public */
}

static bool fits(const struct config_client *client, X509 *certificate)
{
	if (!client->common_name && !client->san && !client->fingerprint)
		return true;
	if (!certificate)
		return false;
	return (!client->common_name || has_common_name(certificate, client->common_name)) &&
	       (!client->san || has_alternative_name(certificate, client->san)) &&
	       (!client->fingerprint || has_fingerprint(certificate, client->fingerprint));
}

const struct rule *rules_match(const struct rules *rules, X509 *certificate)
{
	for (size_t i = 0; i < rules->count; i++)
		if (fits(rules->rules[i].client, certificate))
			return &rules->rules[i];
	return NULL;
}

/* ---- rules ---- */

static bool compile(struct rule *rule, const struct config_client *client, char *error,
                    size_t error_len)
{
	*rule = (struct rule){.client = client, .methods = UINT64_MAX};
	if (!client->operations)
		return true;
	rule->methods = 0;
	for (char **name = client->operations; *name; name++) {
		int number = method_rule(*name);

		if (number < 0) {
			snprintf(error, error_len,
			         "[[daemon.clients]] on line %u: HsmService has no method '%s'; "
			         "check its spelling",
			         client->line, *name);
			return false;
		}
		rule->methods |= (uint64_t)1 << number;
	}
	return true;
}

struct rules *rules_new(const struct config *config, char *error, size_t error_len)
{
	struct rules *rules =
		calloc(1, sizeof(*rules) + config->client_count * sizeof(rules->rules[0]));

	if (!rules) {
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	for (; rules->count < config->client_count; rules->count++) {
		if (!compile(&rules->rules[rules->count], &config->clients[rules->count], error,
		             error_len)) {
			free(rules);
			return NULL;
		}
	}
	return rules;
}

void rules_free(struct rules *rules)
{
	free(rules);
}

bool rules_exist(const struct rules *rules)
{
	return rules->count > 0;
}

bool rule_allows_slot(const struct rule *rule, uint64_t slot)
{
	const struct config_ids *slots;

	if (!rule || !rule->client->slots.restricted)
		return true;
	slots = &rule->client->slots;
	for (uint32_t i = 0; i < slots->count; i++)
		if (slots->ids[i] == slot)
			return true;
	return false;
}

bool rule_allows_method(const struct rule *rule, unsigned int method)
{
	return rule && (rule->methods >> method & 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the configuration to an SSL_CTX. Every refusal names the key of the configuration, the file,
 * and what is wrong.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "grpc/tls.h"
#include "log.h"

#define SUITES_1_2                                                                                 \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:" \
	"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define WARN_DAYS 14

struct complaint {
	char *text;
	size_t text_len;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct complaint *complaint,
                                                        const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(complaint->text, complaint->text_len, format, arguments);
	va_end(arguments);
	return -1;
}

void tls_error_text(char *text, size_t text_len)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (code && !reason)
		ERR_error_string_n(code, text, text_len);
	else
		snprintf(text, text_len, "%s", reason ? reason : "no reason given");
	ERR_clear_error();
}

static int refuse_file(struct complaint *complaint, const char *key, const char *path,
                       const char *what)
{
	char reason[128];

	tls_error_text(reason, sizeof(reason));
	return refuse(complaint, "[daemon].%s: %s: %s: %s", key, path, what, reason);
}

/* OpenSSL says little about files that cannot be opened. */
static int check_readable(struct complaint *complaint, const char *key, const char *path)
{
	FILE *file = fopen(path, "re");

	if (!file)
		return refuse(complaint, "[daemon].%s: %s: %s", key, path, strerror(errno));
	fclose(file);
	return 0;
}

/* ---- the server's certificate ---- */

static void describe_date(const ASN1_TIME *time, char *text, size_t text_len)
{
	struct tm parts;

	if (!ASN1_TIME_to_tm(time, &parts) ||
	    !strftime(text, text_len, "%Y-%m-%d %H:%M:%S UTC", &parts))
		snprintf(text, text_len, "a date that cannot be read");
}

static void describe_subject(X509 *certificate, char *text, int text_len)
{
	text[0] = '\0';
	X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
	                          text_len);
}

static int check_dates(struct complaint *complaint, const char *path, X509 *certificate)
{
	const ASN1_TIME *begin = X509_get0_notBefore(certificate);
	const ASN1_TIME *end = X509_get0_notAfter(certificate);
	char subject[64], date[64];
	int days = 0, seconds = 0;

	describe_subject(certificate, subject, sizeof(subject));
	if (X509_cmp_current_time(end) <= 0) {
		describe_date(end, date, sizeof(date));
		return refuse(complaint,
		              "[daemon].tls_cert: %s: the certificate of \"%s\" expired on %s; "
		              "replace it (docs/runbook.md)",
		              path, subject, date);
	}
	if (X509_cmp_current_time(begin) > 0) {
		describe_date(begin, date, sizeof(date));
		return refuse(
			complaint,
			"[daemon].tls_cert: %s: the certificate of \"%s\" is not valid before "
			"%s; check the clock",
			path, subject, date);
	}
	if (ASN1_TIME_diff(&days, &seconds, NULL, end) && days < WARN_DAYS)
		log_warning("[daemon].tls_cert: %s: the certificate of \"%s\" expires in %d days",
		            path, subject, days);
	return 0;
}

static int check_chain(struct complaint *complaint, const char *path, SSL_CTX *context)
{
	STACK_OF(X509) *chain = NULL;
	int failed = check_dates(complaint, path, SSL_CTX_get0_certificate(context));

	SSL_CTX_get0_chain_certs(context, &chain);
	for (int i = 0; !failed && i < sk_X509_num(chain); i++)
		failed = check_dates(complaint, path, sk_X509_value(chain, i));
	return failed;
}

static int use_certificate(SSL_CTX *context, const struct config *config,
                           struct complaint *complaint)
{
	const char *path = config->daemon.tls_cert;

	if (!*path)
		return refuse(complaint,
		              "[daemon].tls_cert is not set; name the server's certificate");
	if (check_readable(complaint, "tls_cert", path))
		return -1;
	if (SSL_CTX_use_certificate_chain_file(context, path) != 1)
		return refuse_file(complaint, "tls_cert", path, "no PEM certificate can be read");
	return check_chain(complaint, path, context);
}

static int use_key(SSL_CTX *context, const struct config *config, struct complaint *complaint)
{
	const char *location = config->daemon.tls_key;
	bool is_uri = tls_key_is_in_token(location);
	EVP_PKEY *key;
	int fits;

	if (!*location)
		return refuse(complaint,
		              "[daemon].tls_key is not set; name the server's private key");
	key = tls_key_load(location, complaint->text, complaint->text_len);
	if (!key)
		return -1;
	fits = X509_check_private_key(SSL_CTX_get0_certificate(context), key);
	if (fits == 1)
		fits = SSL_CTX_use_PrivateKey(context, key);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (fits == 1)
		return 0;
	/* What is behind the question mark of a URI tells how to get at the PIN. */
	return refuse(
		complaint,
		"[daemon].tls_key: %.*s: the key does not belong to the certificate in %s; use "
		"the pair that belongs together",
		(int)(is_uri ? strcspn(location, "?") : strlen(location)), location,
		config->daemon.tls_cert);
}

/* ---- the clients' authorities ---- */

/* Of authorities that publish no list in the file nothing is known; for the one that issued the
 * client's own certificate there must be one. */
static int verify(int ok, X509_STORE_CTX *store)
{
	int error = X509_STORE_CTX_get_error(store);

	if (ok || error != X509_V_ERR_UNABLE_TO_GET_CRL ||
	    X509_STORE_CTX_get_error_depth(store) == 0)
		return ok;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int use_revocations(SSL_CTX *context, const struct config *config,
                           struct complaint *complaint)
{
	const char *path = config->daemon.tls_client_crl;
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509_LOOKUP *lookup;

	if (!*path)
		return 0;
	if (check_readable(complaint, "tls_client_crl", path))
		return -1;
	lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
	if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return refuse_file(complaint, "tls_client_crl", path,
		                   "no PEM revocation list can be read");
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

static int use_authorities(SSL_CTX *context, const struct config *config,
                           struct complaint *complaint)
{
	const char *path = config->daemon.tls_client_ca;
	STACK_OF(X509_NAME) * names;
	int mode = SSL_VERIFY_PEER;

	if (!*path && *config->daemon.tls_client_crl)
		return refuse(complaint,
		              "[daemon].tls_client_crl is of no use without tls_client_ca");
	if (!*path) {
		SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
		return 0;
	}
	if (check_readable(complaint, "tls_client_ca", path))
		return -1;
	names = SSL_load_client_CA_file(path);
	if (!names || SSL_CTX_load_verify_file(context, path) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return refuse_file(complaint, "tls_client_ca", path,
		                   "no PEM certificate can be read");
	}
	SSL_CTX_set_client_CA_list(context, names);
	if (!config->daemon.allow_unauthenticated_tls)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(context, mode, verify);
	return use_revocations(context, config, complaint);
}

int tls_check_exposure(const struct config *config, char *error, size_t error_len)
{
	struct complaint complaint = {error, error_len};
	struct sockaddr_storage address;
	socklen_t address_len;

	if (*config->daemon.tls_client_ca || config->daemon.allow_unauthenticated_tls)
		return 0;
	if (config_resolve(config->daemon.bind, &address, &address_len) &&
	    config_address_is_local(&address))
		return 0;
	return refuse(
		&complaint,
		"[daemon].bind: %s can be reached from other machines, and tls_client_ca is not "
		"set: everybody could connect; set tls_client_ca, or "
		"allow_unauthenticated_tls = true",
		config->daemon.bind);
}

/* ---- the rest ---- */

static int select_protocol(SSL *tls, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned int offered_len, void *context)
{
	static const unsigned char wanted[] = {2, 'h', '2'};

	(void)tls;
	(void)context;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)chosen, chosen_len, wanted,
	                          sizeof(wanted), offered, offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

/* No resumption: every connection shows its certificate, and is held against the revocations of the
 * day. */
static int set_protocol(SSL_CTX *context, const struct config *config, struct complaint *complaint)
{
	int oldest =
		config->daemon.tls_min_version == CONFIG_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;

	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
	                                     SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT |
	                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
	                                  SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
	if (SSL_CTX_set_num_tickets(context, 0) && SSL_CTX_set_min_proto_version(context, oldest) &&
	    SSL_CTX_set_cipher_list(context, SUITES_1_2))
		return 0;
	return refuse(complaint, "TLS cannot be set up: OpenSSL lacks the protocol or its suites");
}

int tls_context_new(SSL_CTX **out, const struct config *config, char *error, size_t error_len)
{
	struct complaint complaint = {error, error_len};
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	*out = NULL;
	ERR_clear_error();
	if (!context)
		return refuse(&complaint, "out of memory");
	if (tls_check_exposure(config, error, error_len) ||
	    set_protocol(context, config, &complaint) ||
	    use_certificate(context, config, &complaint) || use_key(context, config, &complaint) ||
	    use_authorities(context, config, &complaint)) {
		SSL_CTX_free(context);
		return -1;
	}
	*out = context;
	return 0;
}

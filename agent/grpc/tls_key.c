/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's private key: a PEM file, or a key in a token, our own for instance, by
 * pkcs11-provider. With the latter each handshake asks the token for one signature, through
 * libcraton_hsm.so, and waits for it (errand.h).
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "grpc/tls.h"
#include "log.h"

#define MODULE CRATON_LIBDIR "/libcraton_hsm.so"

/* There is nobody to ask. */
static int no_passphrase(char *text, int text_len, int writing, void *context)
{
	(void)text;
	(void)text_len;
	(void)writing;
	(void)context;
	return 0;
}

static void warn_of_mode(const char *path, FILE *file)
{
	struct stat status;

	if (!fstat(fileno(file), &status) && (status.st_mode & (S_IRWXO | S_IWGRP)))
		log_warning("[daemon].tls_key: %s may be read or written by others (mode %04o); do "
		            "chmod 0600",
		            path, (unsigned int)(status.st_mode & 07777));
}

static EVP_PKEY *load_file(const char *path, char *error, size_t error_len)
{
	FILE *file = fopen(path, "re");
	char reason[128];
	EVP_PKEY *key;

	if (!file) {
		snprintf(error, error_len, "[daemon].tls_key: %s: %s", path, strerror(errno));
		return NULL;
	}
	warn_of_mode(path, file);
	key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
	fclose(file);
	if (!key) {
		tls_error_text(reason, sizeof(reason));
		snprintf(error, error_len,
		         "[daemon].tls_key: %s: no PEM private key without a passphrase can be "
		         "read: "
		         "%s",
		         path, reason);
	}
	return key;
}

void tls_key_use_module(const struct config *config)
{
	setenv("PKCS11_PROVIDER_MODULE", MODULE, 0);
	setenv("CRATON_HSM_SOCKET", config->agent.socket, 0);
}

/* Both stay loaded as long as the process: keys refer to them. */
static bool load_providers(void)
{
	return OSSL_PROVIDER_load(NULL, "pkcs11") && OSSL_PROVIDER_load(NULL, "default");
}

static EVP_PKEY *first_key(OSSL_STORE_CTX *store)
{
	EVP_PKEY *key = NULL;

	while (!key && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (!info)
			break;
		if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
			key = OSSL_STORE_INFO_get1_PKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	return key;
}

static EVP_PKEY *load_uri(const char *uri, char *error, size_t error_len)
{
	OSSL_STORE_CTX *store = NULL;
	EVP_PKEY *key = NULL;
	char reason[128];

	if (load_providers())
		store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
	if (store)
		key = first_key(store);
	OSSL_STORE_close(store);
	if (key)
		return key;
	/* The URI may hold a PIN. */
	tls_error_text(reason, sizeof(reason));
	snprintf(error, error_len,
	         "[daemon].tls_key: the pkcs11: URI leads to no private key: %s; it needs the "
	         "package "
	         "pkcs11-provider, the agent running, and the PIN by pin-source=file:...",
	         reason);
	return NULL;
}

bool tls_key_is_in_token(const char *location)
{
	return strncmp(location, "pkcs11:", strlen("pkcs11:")) == 0;
}

EVP_PKEY *tls_key_load(const char *location, char *error, size_t error_len)
{
	if (tls_key_is_in_token(location))
		return load_uri(location, error, error_len);
	return load_file(location, error, error_len);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin key import: what a PEM, DER or PKCS#12 file holds, or the octets of a symmetric
 * key. All of it comes in or nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_move.h"

#define FILE_MAX (1024u * 1024u)
#define ID_LEN   20u

/* ---- the file ---- */

/* The octets of a file, out of reach of swap, wiped when they are given back. */
struct content {
	uint8_t *octets;
	size_t len;
};

static void content_free(struct content *content)
{
	if (content->octets)
		wire_wipe(content->octets, FILE_MAX);
	if (content->octets)
		munmap(content->octets, FILE_MAX);
	content->octets = NULL;
}

static bool read_all(int fd, struct content *content)
{
	ssize_t got = 1;

	while (got > 0 && content->len < FILE_MAX) {
		got = read(fd, content->octets + content->len, FILE_MAX - content->len);
		content->len += got > 0 ? (size_t)got : 0;
	}
	if (content->len == FILE_MAX)
		errno = EFBIG;
	return got >= 0 && content->len < FILE_MAX;
}

static bool content_read(const char *path, struct content *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = false;

	content->octets =
		mmap(NULL, FILE_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (content->octets == MAP_FAILED)
		content->octets = NULL;
	if (content->octets)
		mlock(content->octets, FILE_MAX); /* not everybody may; the wiping is for all */
	if (fd >= 0 && content->octets)
		done = read_all(fd, content);
	if (!done)
		admin_fail("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

/* ---- templates ---- */

struct import {
	const struct admin_options *options;
	struct key_names names; /* that were given */
	struct key_names item;  /* of the object that is being made */
	struct key_move move;
	struct admin_pin password;
	bool password_read, password_refused;
	char label[128]; /* when none was given: the file's name */
	size_t privates, publics, certificates, secrets;
};

/* What every object has; the names of this one are kept until it is made, as the template borrows
 * them. Dates are for keys. */
static void begin_template(struct import *import, const CK_OBJECT_CLASS *object_class,
                           const uint8_t id[ID_LEN], struct cryptoki_template *template)
{
	struct key_names *names = &import->item;

	*names = import->names;
	if (!names->label)
		names->label = import->label;
	if (!names->id_len && id) {
		memcpy(names->id, id, ID_LEN);
		names->id_len = ID_LEN;
	}
	if (*object_class == CKO_CERTIFICATE)
		names->has_start = names->has_end = false;
	cryptoki_add(template, CKA_CLASS, object_class, sizeof(*object_class));
	cryptoki_add_flag(template, CKA_TOKEN, true);
	key_names_add(names, template);
}

/* ---- what is found ---- */

static CK_RV import_public(struct import *import, EVP_PKEY *pkey, const uint8_t *id)
{
	static const CK_OBJECT_CLASS public = CKO_PUBLIC_KEY;
	CK_KEY_TYPE key_type = key_move_type(pkey);
	struct cryptoki_template template = {0};
	CK_RV rv;

	begin_template(import, &public, id, &template);
	cryptoki_add(&template, CKA_KEY_TYPE, &key_type, sizeof(key_type));
	key_usages_add(&import->names, CKO_PUBLIC_KEY, key_type, &template);
	rv = key_move_public(&import->move, pkey, &template);
	import->publics += !rv;
	return rv;
}

static CK_RV import_private(struct import *import, EVP_PKEY *pkey, const uint8_t *id)
{
	static const CK_OBJECT_CLASS private = CKO_PRIVATE_KEY;
	CK_KEY_TYPE key_type = key_move_type(pkey);
	struct cryptoki_template template = {0};
	CK_RV rv;

	begin_template(import, &private, id, &template);
	cryptoki_add(&template, CKA_KEY_TYPE, &key_type, sizeof(key_type));
	key_protect(import->options, &template);
	key_usages_add(&import->names, CKO_PRIVATE_KEY, key_type, &template);
	rv = key_move_private(&import->move, pkey, &template);
	import->privates += !rv;
	return rv ? rv : import_public(import, pkey, id);
}

static CK_RV import_certificate(struct import *import, X509 *certificate)
{
	static const CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	EVP_PKEY *pkey = X509_get0_pubkey(certificate);
	struct cryptoki_template template = {0};
	uint8_t id[ID_LEN];
	CK_RV rv;

	begin_template(import, &class, pkey && key_move_id(pkey, id) ? id : NULL, &template);
	rv = key_move_certificate(&import->move, certificate, &template);
	import->certificates += !rv;
	return rv;
}

static CK_RV import_item(struct import *import, OSSL_STORE_INFO *item)
{
	int kind = OSSL_STORE_INFO_get_type(item);
	EVP_PKEY *pkey = NULL;
	uint8_t id[ID_LEN];

	if (kind == OSSL_STORE_INFO_PKEY)
		pkey = OSSL_STORE_INFO_get0_PKEY(item);
	else if (kind == OSSL_STORE_INFO_PUBKEY)
		pkey = OSSL_STORE_INFO_get0_PUBKEY(item);
	if (pkey && (key_move_type(pkey) == CK_UNAVAILABLE_INFORMATION || !key_move_id(pkey, id)))
		return CKR_KEY_TYPE_INCONSISTENT;
	switch (kind) {
	case OSSL_STORE_INFO_PKEY:
		return import_private(import, pkey, id);
	case OSSL_STORE_INFO_PUBKEY:
		return import_public(import, pkey, id);
	case OSSL_STORE_INFO_CERT:
		return import_certificate(import, OSSL_STORE_INFO_get0_CERT(item));
	default:
		return CKR_OK; /* parameters and lists of revoked certificates are not for a token
		                */
	}
}

/* Asked for when OpenSSL finds that it needs one. */
static int give_password(char *buffer, int size, int writing, void *context)
{
	struct import *import = context;

	(void)writing;
	if (!import->password_read &&
	    !admin_pin_read(&import->options->password, "password of the file", false,
	                    &import->password)) {
		import->password_refused = true;
		return -1;
	}
	import->password_read = true;
	if (import->password.len > (size_t)size)
		return -1;
	memcpy(buffer, import->password.octets, import->password.len);
	return (int)import->password.len;
}

static CK_RV import_items(struct import *import, OSSL_STORE_CTX *store, bool *broken)
{
	CK_RV rv = CKR_OK;

	while (!rv && !OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *item = OSSL_STORE_load(store);

		if (item)
			rv = import_item(import, item);
		else if (!OSSL_STORE_eof(store))
			*broken = true;
		OSSL_STORE_INFO_free(item);
		if (*broken)
			break;
	}
	return rv;
}

static bool import_file(struct import *import, const struct content *content, const char *path)
{
	UI_METHOD *prompt = UI_UTIL_wrap_read_pem_callback(give_password, 0);
	BIO *bio = BIO_new_mem_buf(content->octets, (int)content->len);
	OSSL_STORE_CTX *store = NULL;
	bool broken = false;
	CK_RV rv = CKR_OK;

	if (bio && prompt)
		store = OSSL_STORE_attach(bio, "file", NULL, NULL, prompt, import, NULL, NULL,
		                          NULL);
	if (store)
		rv = import_items(import, store, &broken);
	OSSL_STORE_close(store);
	BIO_free(bio);
	UI_destroy_method(prompt);
	ERR_clear_error();
	if (rv)
		admin_fail_rv("key import: nothing was imported", rv);
	else if (import->password_refused)
		return false;
	else if (!store || broken || !import->move.made_count)
		admin_fail("%s: %s", path,
		           import->password_read ? "the password is wrong, or the file is damaged"
		                                 : "no key or certificate of a kind that is known");
	return !rv && store && !broken && import->move.made_count;
}

/* ---- symmetric keys ---- */

static bool import_secret(struct import *import, const struct content *content)
{
	static const CK_OBJECT_CLASS secret = CKO_SECRET_KEY;
	const char *type = import->options->key.type;
	bool hmac = !strcmp(type, "hmac"); /* not secret: a word of the command line */
	CK_KEY_TYPE key_type = hmac ? CKK_GENERIC_SECRET : CKK_AES;
	struct cryptoki_template template = {0};
	CK_RV rv;

	begin_template(import, &secret, NULL, &template);
	cryptoki_add(&template, CKA_KEY_TYPE, &key_type, sizeof(key_type));
	cryptoki_add(&template, CKA_VALUE, content->octets, content->len);
	key_protect(import->options, &template);
	key_usages_add(&import->names, CKO_SECRET_KEY, key_type, &template);
	rv = key_move_create(&import->move, &template);
	import->secrets += !rv;
	if (rv)
		admin_fail_rv("key import: nothing was imported", rv);
	return !rv;
}

/* ---- the verb ---- */

static int report(const struct import *import)
{
	if (import->options->json)
		return admin_print_json(json_pack("{s:s, s:I, s:I, s:I, s:I}", "done", "imported",
		                                  "private_keys", (json_int_t)import->privates,
		                                  "public_keys", (json_int_t)import->publics,
		                                  "certificates", (json_int_t)import->certificates,
		                                  "secret_keys", (json_int_t)import->secrets));
	printf("imported: %zu private keys, %zu public keys, %zu certificates, %zu secret keys\n",
	       import->privates, import->publics, import->certificates, import->secrets);
	return ADMIN_DONE;
}

static bool check_type(const struct admin_options *options)
{
	const char *type = options->key.type, *format = options->key.format;

	bool hmac = type && !strcmp(type, "hmac"); /* not secret: a word of the command line */

	if (type && !hmac && strcmp(type, "aes") != 0) {
		admin_fail("--type %s: aes or hmac; other files say themselves what they hold",
		           type);
		return false;
	}
	if (format && strcmp(format, type ? "raw" : "pem") != 0 &&
	    (type || strcmp(format, "der") != 0)) {
		admin_fail("--format %s: %s", format,
		           type ? "a symmetric key is raw"
		                : "pem or der, which is found out anyway");
		return false;
	}
	return true;
}

static bool run(struct import *import, const struct cryptoki *token, const char *path)
{
	struct content content = {0};
	bool done = content_read(path, &content) && key_move_begin(&import->move, token);

	if (done)
		done = import->options->key.type ? import_secret(import, &content)
		                                 : import_file(import, &content, path);
	if (import->move.token)
		key_move_end(&import->move, done);
	content_free(&content);
	admin_pin_wipe(&import->password);
	return done;
}

int admin_key_import(const struct admin_options *options)
{
	struct import import = {.options = options};
	const char *path = options->arguments[0];
	cryptoki_auto token = {0};

	if (!path)
		admin_fail("key import: name the file");
	if (!path || !check_type(options) || !key_names_read(options, &import.names))
		return ADMIN_USAGE;
	snprintf(import.label, sizeof(import.label), "%s", basename(path));
	if (access(path, R_OK))
		return admin_fail("%s: %s", path, strerror(errno));
	if (!cryptoki_begin(options, true, &token) || !run(&import, &token, path))
		return ADMIN_FAILED;
	return report(&import);
}

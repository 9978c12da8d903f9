/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin key export-public: public keys as SubjectPublicKeyInfo, certificates as they
 * are, in PEM or DER.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_type.h"

struct export
{
	const struct cryptoki *token;
	bool der;
	BIO *out;     /* text, or the octets of one object */
	json_t *list; /* of JSON, or NULL */
	size_t count;
};

static bool is_certificate(const struct cryptoki *token, CK_OBJECT_HANDLE object)
{
	return cryptoki_number(token, object, CKA_CLASS, CK_UNAVAILABLE_INFORMATION) ==
	       CKO_CERTIFICATE;
}

static void put_json(struct export *export, CK_OBJECT_HANDLE object, const char *pem, long pem_len)
{
	size_t label_len, id_len;
	uint8_t *label = cryptoki_octets(export->token, object, CKA_LABEL, &label_len);
	uint8_t *id = cryptoki_octets(export->token, object, CKA_ID, &id_len);
	char *digits = key_to_hex(id, id_len);
	json_t *name = label ? json_stringn((const char *)label, label_len) : NULL;

	json_array_append_new(export->list,
	                      json_pack("{s:o, s:s, s:s%}", "label", name ? name : json_string(""),
	                                "id", digits ? digits : "", "pem", pem, (size_t)pem_len));
	free(digits);
	free(label);
	free(id);
}

static bool put(struct export *export, CK_OBJECT_HANDLE object, const uint8_t *der, size_t len)
{
	const char *name =
		is_certificate(export->token, object) ? PEM_STRING_X509 : PEM_STRING_PUBLIC;
	BIO *text = BIO_new(BIO_s_mem());
	char *pem;
	long pem_len;
	bool done;

	if (export->der) {
		BIO_free(text);
		return BIO_write(export->out, der, (int)len) == (int)len;
	}
	done = text && PEM_write_bio(text, name, "", der, (long)len) > 0;
	pem_len = done ? BIO_get_mem_data(text, &pem) : 0;
	if (done && export->list)
		put_json(export, object, pem, pem_len);
	else if (done)
		done = BIO_write(export->out, pem, (int)pem_len) == (int)pem_len;
	BIO_free(text);
	return done;
}

static bool export_object(void *context, CK_OBJECT_HANDLE object)
{
	struct export *export = context;
	CK_ATTRIBUTE_TYPE type =
		is_certificate(export->token, object) ? CKA_VALUE : CKA_PUBLIC_KEY_INFO;
	size_t len;
	uint8_t *der = cryptoki_octets(export->token, object, type, &len);
	bool done = der && len && put(export, object, der, len);

	free(der);
	export->count += done;
	if (!done)
		admin_fail("an object has no public key");
	return done;
}

/* ---- output ---- */

static bool write_all(int fd, const char *octets, size_t len)
{
	while (len) {
		ssize_t written = write(fd, octets, len);

		if (written < 0 && errno != EINTR)
			return false;
		octets += written > 0 ? written : 0;
		len -= written > 0 ? (size_t)written : 0;
	}
	return true;
}

/* What is there is not overwritten. */
static int give(const struct admin_options *options, const struct export *export)
{
	int fd = STDOUT_FILENO;
	char *octets;
	long len = BIO_get_mem_data(export->out, &octets);
	bool done;

	if (options->output)
		fd = open(options->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return admin_fail("%s: %s", options->output, strerror(errno));
	done = write_all(fd, octets, (size_t)len);
	if (options->output && close(fd))
		done = false;
	return done ? ADMIN_DONE
	            : admin_fail("%s: %s", options->output ? options->output : "standard output",
	                         strerror(errno));
}

static int run(const struct admin_options *options, struct export *export)
{
	if (!key_select(options, export->token, "public", export_object, export))
		return ADMIN_FAILED;
	if (!export->count)
		return admin_fail("key export-public: no such key");
	if (export->der && export->count > 1)
		return admin_fail("key export-public: %zu objects, and a DER file holds one",
		                  export->count);
	if (export->list)
		return admin_print_json(json_pack("{s:O}", "objects", export->list));
	return give(options, export);
}

int admin_key_export(const struct admin_options *options)
{
	const char *format = options->key.format, *class = options->key.class;
	cryptoki_auto token = {0};
	struct export export = {.token = &token, .der = format && !strcmp(format, "der")};
	int status;

	if (format && !export.der && strcmp(format, "pem") != 0) {
		admin_fail("--format %s: pem or der", format);
		return ADMIN_USAGE;
	}
	if (class && strcmp(class, "public") != 0 && strcmp(class, "private") != 0 &&
	    strcmp(class, "certificate") != 0) {
		admin_fail("--class %s: public, private (its public half) or certificate", class);
		return ADMIN_USAGE;
	}
	if (options->json && export.der) {
		admin_fail("--json gives PEM");
		return ADMIN_USAGE;
	}
	if (!cryptoki_begin(options, false, &token))
		return ADMIN_FAILED;
	export.out = BIO_new(BIO_s_mem());
	export.list = options->json ? json_array() : NULL;
	status = export.out ? run(options, &export) : admin_fail("out of memory");
	BIO_free(export.out);
	json_decref(export.list);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers about the audit log: for root and the agent's own user, but for the public key, which is
 * everybody's.
 */
#include "handle.h"

#include <errno.h>
#include <limits.h>
#include <openssl/pem.h>

enum err handle_audit_rotate(struct call *call, const struct wire_audit_rotate_request *request,
                             struct wire_audit_rotate_reply *reply)
{
	enum err err = handle_operator(call);
	char name[PATH_MAX];
	int failed;

	(void)request;
	if (err)
		return err;
	failed = audit_rotate(call->agent->audit, name, sizeof(name));
	if (failed)
		return failed == -ENODATA || failed == -ENOENT ? ERROR_AUDIT_EMPTY
		                                               : ERROR_AUDIT_ROTATE;
	wire_put_raw(&call->output, name, strlen(name));
	if (call->output.failed)
		return ERROR_MEMORY;
	reply->segment = (struct wire_bytes){call->output.data, call->output.len};
	return ERROR_NONE;
}

enum err handle_audit_public_key(struct call *call,
                                 const struct wire_audit_public_key_request *request,
                                 struct wire_audit_public_key_reply *reply)
{
	BIO *bio = BIO_new(BIO_s_mem());
	EVP_PKEY *key = call->agent->audit_key;
	char *pem;
	long len = 0;

	(void)request;
	if (bio && key && PEM_write_bio_PUBKEY(bio, key) == 1)
		len = BIO_get_mem_data(bio, &pem);
	if (len > 0)
		wire_put_raw(&call->output, pem, (size_t)len);
	BIO_free(bio);
	if (len <= 0 || call->output.failed)
		return key ? ERROR_MEMORY : ERROR_AUDIT_EMPTY;
	reply->pem = (struct wire_bytes){call->output.data, call->output.len};
	return ERROR_NONE;
}

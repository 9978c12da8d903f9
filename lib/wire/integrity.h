/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integrity sidecar: FILE.hmac holds the HMAC-SHA-256 of FILE as 64 hex digits and a newline,
 * under a fixed public key (it detects damage and careless patching, not an attacker with root;
 * FIPS 140-3 asks for the technique).
 */
#ifndef WIRE_INTEGRITY_H
#define WIRE_INTEGRITY_H

enum integrity_result {
	INTEGRITY_OK,
	INTEGRITY_MISSING,    /* there is no sidecar */
	INTEGRITY_MISMATCH,   /* the file or the sidecar was changed */
	INTEGRITY_UNREADABLE, /* one of them cannot be read, or the sidecar is not of the form */
};

enum integrity_result integrity_check_file(const char *path);
/* Writes PATH.hmac (atomically, 0644). 0 or -1 with errno. */
int integrity_write_sidecar(const char *path);
/* "ok", "sidecar missing" ... Static. */
const char *integrity_result_name(enum integrity_result result);

#endif

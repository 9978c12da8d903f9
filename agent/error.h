/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's error codes (ERROR_, since OpenSSL owns ERR_). Every function that can fail for a
 * reason a client may see returns one; error.def says what Cryptoki and the audit log call it.
 */
#ifndef AGENT_ERROR_H
#define AGENT_ERROR_H

#include "wire/cryptoki.h"

enum err {
#define ERROR(code, ckr, text) code,
#include "error.def"
#undef ERROR
	ERROR_COUNT,
};

/* The CKR_* of a code. */
CK_RV err_ckr(enum err code);
/* "CKR_PIN_INCORRECT". Static. */
const char *err_ckr_name(enum err code);
/* "PIN is wrong". Static. */
const char *err_text(enum err code);

#define MUST_CHECK __attribute__((warn_unused_result))

#endif

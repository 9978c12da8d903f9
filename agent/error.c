/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks error codes up in the one table. No policy: which error a situation deserves is decided
 * where it happens.
 */
#include "error.h"

static const struct {
	CK_RV ckr;
	const char *name;
	const char *text;
} table[ERROR_COUNT] = {
#define ERROR(code, ckr, text) [code] = {ckr, #ckr, text},
#include "error.def"
#undef ERROR
};

static enum err bounded(enum err code)
{
	return (unsigned int)code < ERROR_COUNT ? code : ERROR_INTERNAL;
}

CK_RV err_ckr(enum err code)
{
	return table[bounded(code)].ckr;
}

const char *err_ckr_name(enum err code)
{
	return table[bounded(code)].name;
}

const char *err_text(enum err code)
{
	return table[bounded(code)].text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return values as gRPC tells them. The table is status.def; here are the look-ups and the encoding
 * of the details.
 */
#include "grpc/status.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "wire/cryptoki.h"

#include "craton_hsm.pb-c.h"
#include "status.pb-c.h"

#define DETAIL_TYPE "type.googleapis.com/craton_hsm.ErrorDetail"
#define PACKED_LEN  320u

struct row {
	uint64_t ckr;
	enum grpc_status status;
	const char *name, *text;
};

static const struct row rows[] = {
#define STATUS(ckr, grpc, text) {ckr, GRPC_##grpc, #ckr, text},
#include "grpc/status.def"
#undef STATUS
};

static const char *const names[GRPC_STATUS_COUNT] = {
	"OK",
	"CANCELLED",
	"UNKNOWN",
	"INVALID_ARGUMENT",
	"DEADLINE_EXCEEDED",
	"NOT_FOUND",
	"ALREADY_EXISTS",
	"PERMISSION_DENIED",
	"RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION",
	"ABORTED",
	"OUT_OF_RANGE",
	"UNIMPLEMENTED",
	"INTERNAL",
	"UNAVAILABLE",
	"DATA_LOSS",
	"UNAUTHENTICATED",
};

static const struct row *find(uint64_t ckr)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].ckr == ckr)
			return &rows[i];
	return NULL;
}

enum grpc_status status_of_ckr(uint64_t ckr)
{
	const struct row *row = find(ckr);

	return row ? row->status : GRPC_UNKNOWN;
}

const char *status_name(enum grpc_status status)
{
	return (unsigned int)status < GRPC_STATUS_COUNT ? names[status] : "UNKNOWN";
}

void status_message(uint64_t ckr, char message[STATUS_MESSAGE_LEN])
{
	const struct row *row = find(ckr);

	if (row)
		snprintf(message, STATUS_MESSAGE_LEN, "%s: %s", row->name, row->text);
	else
		snprintf(message, STATUS_MESSAGE_LEN, "CKR 0x%llx", (unsigned long long)ckr);
}

static size_t pack(uint64_t ckr, uint8_t packed[PACKED_LEN])
{
	CratonHsm__Status__Status status = CRATON_HSM__STATUS__STATUS__INIT;
	CratonHsm__Status__Any any = CRATON_HSM__STATUS__ANY__INIT, *list[] = {&any};
	CratonHsm__ErrorDetail detail = CRATON_HSM__ERROR_DETAIL__INIT;
	const struct row *row = find(ckr);
	char message[STATUS_MESSAGE_LEN];
	uint8_t octets[96];

	detail.ckr = ckr;
	detail.name = (char *)(uintptr_t)(row ? row->name : "");
	if (craton_hsm__error_detail__get_packed_size(&detail) > sizeof(octets))
		return 0;
	any.type_url = (char *)(uintptr_t)DETAIL_TYPE;
	any.value.data = octets;
	any.value.len = craton_hsm__error_detail__pack(&detail, octets);
	status_message(ckr, message);
	status.code = (int32_t)status_of_ckr(ckr);
	status.message = message;
	status.n_details = 1;
	status.details = list;
	if (craton_hsm__status__status__get_packed_size(&status) > PACKED_LEN)
		return 0;
	return craton_hsm__status__status__pack(&status, packed);
}

size_t status_details(uint64_t ckr, char details[STATUS_DETAILS_LEN])
{
	uint8_t packed[PACKED_LEN];
	size_t len = pack(ckr, packed);

	_Static_assert((PACKED_LEN + 2) / 3 * 4 < STATUS_DETAILS_LEN, "base64 fits");
	len = len ? (size_t)EVP_EncodeBlock((unsigned char *)details, packed, (int)len) : 0;
	while (len && details[len - 1] == '=')
		details[--len] = '\0';
	return len;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's status codes, and which one a PKCS#11 return value becomes (status.def).
 */
#ifndef GRPC_STATUS_H
#define GRPC_STATUS_H

#include <stddef.h>
#include <stdint.h>

/* Numbers and names are gRPC's own. */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
	GRPC_STATUS_COUNT,
};

#define STATUS_MESSAGE_LEN 160u
#define STATUS_DETAILS_LEN 512u

/* What a CKR_* other than CKR_OK becomes. */
enum grpc_status status_of_ckr(uint64_t ckr);
/* "CKR_PIN_INCORRECT: PIN is wrong", or the number of a value that is not listed. */
void status_message(uint64_t ckr, char message[STATUS_MESSAGE_LEN]);
/* "INVALID_ARGUMENT". Static. */
const char *status_name(enum grpc_status status);
/* The value of grpc-status-details-bin (base64 without padding, with its end) for a return value.
 * Its length; 0 when it cannot be made. */
size_t status_details(uint64_t ckr, char details[STATUS_DETAILS_LEN]);

#endif

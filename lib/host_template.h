/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CK_ATTRIBUTE arrays of the host, to and from templates of the wire. No rule about attributes
 * lives here but their shape, which is wire/attribute.def's.
 */
#ifndef LIB_HOST_TEMPLATE_H
#define LIB_HOST_TEMPLATE_H

#include "wire/attribute.h"
#include "wire/cryptoki.h"

/*
 * Appends the caller's attributes to an empty `buffer` and gives a view of them. A value whose
 * length does not fit its type, or that is NULL where its length is not 0, is sent as malformed and
 * is the agent's to refuse. CKR_ARGUMENTS_BAD: no array, or more than a frame can hold;
 * CKR_HOST_MEMORY.
 */
CK_RV host_template_encode(const CK_ATTRIBUTE *attributes, CK_ULONG count,
                           struct wire_buffer *buffer, struct wire_template *out);

/* Appends the types, for C_GetAttributeValue. */
CK_RV host_template_types(const CK_ATTRIBUTE *attributes, CK_ULONG count,
                          struct wire_buffer *buffer, struct wire_u64_list *out);

/*
 * Fills in the caller's array from the reply to those types, by the rules of C_GetAttributeValue
 * (PKCS#11 v2.40 4.7.5): every attribute is processed, and the first failure is returned in *rv:
 * CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID or CKR_BUFFER_TOO_SMALL. False when the reply
 * is not an answer to those types.
 */
bool host_template_decode(const struct wire_template *reply, CK_ATTRIBUTE *attributes,
                          CK_ULONG count, CK_RV *rv);

/* A number of the wire as CK_ULONG; what does not fit a 32-bit host is CK_UNAVAILABLE_INFORMATION.
 */
CK_ULONG host_ulong(uint64_t value);

#endif

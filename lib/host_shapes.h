/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One function per shape of parameter: from the caller's structure of `len` octets, which may be
 * unaligned, to the record of wire/parameter.def. False when the length is wrong or a NULL is where
 * octets must be. Private to host_parameter*.c.
 */
#ifndef LIB_HOST_SHAPES_H
#define LIB_HOST_SHAPES_H

#include "wire/codec.h"

#define RECORD(shape)                                                                              \
	bool host_put_##shape(struct wire_buffer *buffer, const void *parameter, size_t len);
#define RECORD_FIELD(kind, name, text)
#define END_RECORD
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD

/* True when the octets are there. */
bool host_take_bytes(struct wire_bytes *out, const void *data, CK_ULONG len);
/* Copies the caller's structure when it has just this length. */
bool host_take_structure(void *out, size_t out_len, const void *parameter, size_t len);

#endif

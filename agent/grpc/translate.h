/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mechanisms and attributes between protobuf and the wire protocol. What is wrong in them is not
 * judged here: it is passed on as malformed, for which the agent has the right return value.
 */
#ifndef GRPC_TRANSLATE_H
#define GRPC_TRANSLATE_H

#include <stdbool.h>

/* First: Cryptoki's header gives some names of fields a second meaning, for all alike. */
#include "wire/codec.h"

#include "craton_hsm.pb-c.h"
#include "grpc/arena.h"

/* A view of a field of type bytes. */
struct wire_bytes translate_bytes(ProtobufCBinaryData data);
/* The mechanism (NULL: type 0); its parameter is in the arena. False: out of memory. */
bool translate_mechanism(struct arena *arena, const CratonHsm__Mechanism *from,
                         struct wire_mechanism *to) __attribute__((warn_unused_result));
/* A template in the arena. False: out of memory, or more than WIRE_ATTRIBUTE_MAX. */
bool translate_template(struct arena *arena, CratonHsm__Attribute *const *from, size_t count,
                        struct wire_template *to) __attribute__((warn_unused_result));
/* A list of numbers in the arena. False: out of memory. */
bool translate_numbers(struct arena *arena, const uint64_t *from, size_t count,
                       struct wire_u64_list *to) __attribute__((warn_unused_result));
/* The attributes of a reply, in the arena; octets stay where they are. False: out of memory. */
bool translate_reply_template(struct arena *arena, const struct wire_template *from,
                              CratonHsm__Attribute ***to, size_t *count)
	__attribute__((warn_unused_result));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and parameter shapes of mechanisms and names of calls, looked up by number. Switches, so
 * that the compiler finds the search and refuses a number that is listed twice. What a mechanism
 * may do is in agent/mechanism.c.
 */
#include "wire/codec.h"

bool wire_mechanism_shape(uint64_t type, enum wire_shape *shape)
{
	switch (type) {
#define MECHANISM(number, parameter)                                                               \
	case number:                                                                               \
		*shape = WIRE_SHAPE_##parameter;                                                   \
		return true;
#include "wire/mechanism.def"
#undef MECHANISM
	default:
		return false;
	}
}

bool wire_shape_fits(enum wire_shape wanted, uint8_t given)
{
	if (given == wanted)
		return true;
	return given == WIRE_SHAPE_none &&
	       (wanted == WIRE_SHAPE_eddsa || wanted == WIRE_SHAPE_signature_context);
}

const char *wire_mechanism_name(uint64_t type)
{
	switch (type) {
#define MECHANISM(number, parameter)                                                               \
	case number:                                                                               \
		return #number;
#include "wire/mechanism.def"
#undef MECHANISM
	default:
		return NULL;
	}
}

const char *wire_function_name(uint16_t opcode)
{
	switch (opcode) {
#define MESSAGE(number, name, function, limit)                                                     \
	case number:                                                                               \
		return function;
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
	default:
		return NULL;
	}
}

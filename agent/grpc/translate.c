/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends have the same shapes: the messages of craton_hsm.proto that stand for a mechanism's
 * parameter have the fields of the record of that name in wire/parameter.def, so the preprocessor
 * writes the copying. By hand are only the parts of SP 800-108, which the wire nests.
 */
#include "grpc/translate.h"

#include <string.h>

/* On the wire the parts are one run of octets. */
struct parts_view {
	uint64_t prf;
	ProtobufCBinaryData iv, parts;
};

/* What stands for each record; one that is missing here does not compile. */
typedef CratonHsm__InitializationVector message_initialization_vector;
typedef CratonHsm__Number message_number;
typedef CratonHsm__Pss message_pss;
typedef CratonHsm__Oaep message_oaep;
typedef CratonHsm__Counter message_counter;
typedef CratonHsm__Gcm message_gcm;
typedef CratonHsm__Ccm message_ccm;
typedef CratonHsm__Poly1305 message_poly1305;
typedef CratonHsm__Ecdh1 message_ecdh1;
typedef CratonHsm__Eddsa message_eddsa;
typedef CratonHsm__SignatureContext message_signature_context;
typedef CratonHsm__HashContext message_hash_context;
typedef CratonHsm__DerivationData message_derivation_data;
typedef CratonHsm__EncryptData message_encrypt_data;
typedef CratonHsm__Hkdf message_hkdf;
typedef CratonHsm__Pbkdf2 message_pbkdf2;
typedef CratonHsm__Sp800108Part message_sp800_108_part;
typedef struct parts_view message_sp800_108;
typedef CratonHsm__RsaAes message_rsa_aes;

/* Those that are an alternative of Mechanism.parameter. */
#define ALTERNATIVES(ROW)                                                                          \
	ROW(initialization_vector, INITIALIZATION_VECTOR)                                          \
	ROW(number, NUMBER)                                                                        \
	ROW(pss, PSS)                                                                              \
	ROW(oaep, OAEP)                                                                            \
	ROW(counter, COUNTER)                                                                      \
	ROW(gcm, GCM)                                                                              \
	ROW(ccm, CCM)                                                                              \
	ROW(poly1305, POLY1305)                                                                    \
	ROW(ecdh1, ECDH1)                                                                          \
	ROW(eddsa, EDDSA)                                                                          \
	ROW(signature_context, SIGNATURE_CONTEXT)                                                  \
	ROW(hash_context, HASH_CONTEXT)                                                            \
	ROW(derivation_data, DERIVATION_DATA)                                                      \
	ROW(encrypt_data, ENCRYPT_DATA)                                                            \
	ROW(hkdf, HKDF)                                                                            \
	ROW(pbkdf2, PBKDF2)                                                                        \
	ROW(rsa_aes, RSA_AES)

struct wire_bytes translate_bytes(ProtobufCBinaryData data)
{
	return (struct wire_bytes){data.data, data.len};
}

/* What was written, moved into the arena. */
static bool keep(struct arena *arena, struct wire_buffer *buffer, struct wire_bytes *kept)
{
	uint8_t *copy = buffer->failed ? NULL : arena_allocate(arena, buffer->len + 1);

	if (copy) {
		if (buffer->len)
			memcpy(copy, buffer->data, buffer->len);
		*kept = (struct wire_bytes){copy, buffer->len};
	}
	wire_buffer_free(buffer);
	return copy != NULL;
}

/* ---- mechanisms ---- */

#define FROM_u64(value)   (value)
#define FROM_flag(value)  ((value) != 0)
#define FROM_bytes(value) translate_bytes(value)

/* clang-format off */
#define RECORD(shape)                                                                              \
	static void fill_##shape(struct wire_##shape##_parameter *to, const message_##shape *from) \
	{
#define RECORD_FIELD(kind, name, text) to->name = FROM_##kind(from->name);
#define END_RECORD }
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
/* clang-format on */

static void put_parts(struct wire_buffer *buffer, const CratonHsm__Sp800108 *from)
{
	for (size_t i = 0; i < from->n_parts; i++) {
		struct wire_sp800_108_part_parameter part;
		struct wire_buffer one;

		fill_sp800_108_part(&part, from->parts[i]);
		wire_buffer_init(&one, WIRE_CONTROL_LIMIT, NULL);
		wire_encode_sp800_108_part_parameter(&one, &part);
		buffer->failed |= one.failed;
		wire_put_bytes(buffer, (struct wire_bytes){one.data, one.len});
		wire_buffer_free(&one);
	}
}

static void put_sp800_108(struct wire_buffer *buffer, const CratonHsm__Sp800108 *from)
{
	struct parts_view view = {.prf = from->prf, .iv = from->iv};
	struct wire_sp800_108_parameter to;
	struct wire_buffer parts;

	wire_buffer_init(&parts, WIRE_CONTROL_LIMIT, NULL);
	put_parts(&parts, from);
	view.parts = (ProtobufCBinaryData){parts.len, parts.data};
	fill_sp800_108(&to, &view);
	wire_encode_sp800_108_parameter(buffer, &to);
	buffer->failed |= parts.failed;
	wire_buffer_free(&parts);
}

/* The shape that was written; malformed when there is no such alternative. */
static enum wire_shape put_parameter(struct wire_buffer *buffer, const CratonHsm__Mechanism *from)
{
	switch (from->parameter_case) {
#define ROW(shape, constant)                                                                       \
	case CRATON_HSM__MECHANISM__PARAMETER_##constant: {                                        \
		struct wire_##shape##_parameter to;                                                \
                                                                                                   \
		fill_##shape(&to, from->shape);                                                    \
		wire_encode_##shape##_parameter(buffer, &to);                                      \
		return WIRE_SHAPE_##shape;                                                         \
	}
		ALTERNATIVES(ROW)
#undef ROW
	case CRATON_HSM__MECHANISM__PARAMETER_SP800_108:
		put_sp800_108(buffer, from->sp800_108);
		return WIRE_SHAPE_sp800_108;
	case CRATON_HSM__MECHANISM__PARAMETER__NOT_SET:
		return WIRE_SHAPE_none;
	default:
		return WIRE_SHAPE_malformed;
	}
}

/* A parameter that does not fit the mechanism is the caller's wrong structure; the agent says so.
 */
bool translate_mechanism(struct arena *arena, const CratonHsm__Mechanism *from,
                         struct wire_mechanism *to)
{
	enum wire_shape wanted, given;
	struct wire_buffer buffer;

	*to = (struct wire_mechanism){.type = from ? from->type : 0, .shape = WIRE_SHAPE_none};
	if (!from || !wire_mechanism_shape(from->type, &wanted))
		return true;
	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
	given = put_parameter(&buffer, from);
	/* As the library does it: no parameter is an empty vector, which key wrapping takes. */
	if (given == WIRE_SHAPE_none && wanted == WIRE_SHAPE_initialization_vector) {
		wire_encode_initialization_vector_parameter(
			&buffer, &(struct wire_initialization_vector_parameter){0});
		given = wanted;
	}
	if (!wire_shape_fits(wanted, (uint8_t)given)) {
		to->shape = WIRE_SHAPE_malformed;
		wire_buffer_free(&buffer);
		return true;
	}
	to->shape = (uint8_t)given;
	return keep(arena, &buffer, &to->parameter);
}

/* ---- attributes ---- */

static bool put_attributes(struct wire_buffer *buffer, CratonHsm__Attribute *const *from,
                           size_t count, unsigned int depth);

static enum wire_attribute_kind given_kind(const CratonHsm__Attribute *from)
{
	switch (from->value_case) {
	case CRATON_HSM__ATTRIBUTE__VALUE__NOT_SET:
	case CRATON_HSM__ATTRIBUTE__VALUE_OCTETS:
		return WIRE_ATTRIBUTE_BYTES;
	case CRATON_HSM__ATTRIBUTE__VALUE_NUMBER:
		return WIRE_ATTRIBUTE_NUMBER;
	case CRATON_HSM__ATTRIBUTE__VALUE_FLAG:
		return WIRE_ATTRIBUTE_FLAG;
	case CRATON_HSM__ATTRIBUTE__VALUE_DATE:
		return WIRE_ATTRIBUTE_DATE;
	case CRATON_HSM__ATTRIBUTE__VALUE_MECHANISMS:
		return WIRE_ATTRIBUTE_MECHANISMS;
	case CRATON_HSM__ATTRIBUTE__VALUE_ATTRIBUTES:
		return WIRE_ATTRIBUTE_ATTRIBUTES;
	default:
		return WIRE_ATTRIBUTE_MALFORMED;
	}
}

static bool put_list(struct wire_buffer *buffer, const CratonHsm__MechanismTypes *from)
{
	for (size_t i = 0; i < from->n_types; i++)
		wire_put_u64(buffer, from->types[i]);
	return !buffer->failed;
}

/* The value of the kinds that have octets; those of lists and templates are written to `buffer`. */
static bool take_value(struct wire_attribute *to, struct wire_buffer *buffer,
                       const CratonHsm__Attribute *from, unsigned int depth)
{
	bool done = true;

	switch (to->kind) {
	case WIRE_ATTRIBUTE_BYTES:
		if (from->value_case == CRATON_HSM__ATTRIBUTE__VALUE_OCTETS)
			to->value = translate_bytes(from->octets);
		return true;
	case WIRE_ATTRIBUTE_NUMBER:
		to->number = from->number;
		return true;
	case WIRE_ATTRIBUTE_FLAG:
		to->number = from->flag != 0;
		return true;
	case WIRE_ATTRIBUTE_DATE:
		to->value = wire_text(from->date);
		if (to->value.len && to->value.len != 8)
			*to = (struct wire_attribute){.type = to->type,
			                              .kind = WIRE_ATTRIBUTE_MALFORMED};
		return true;
	case WIRE_ATTRIBUTE_MECHANISMS:
		done = put_list(buffer, from->mechanisms);
		break;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		wire_put_u32(buffer, (uint32_t)from->attributes->n_attributes);
		wire_put_u32(buffer, 0);
		done = put_attributes(buffer, from->attributes->attributes,
		                      from->attributes->n_attributes, depth + 1);
		for (unsigned int i = 0; done && i < 4; i++)
			buffer->data[4 + i] = (uint8_t)((buffer->len - 8) >> (8 * i));
		break;
	default:
		return true;
	}
	to->value = (struct wire_bytes){buffer->data, buffer->len};
	return done;
}

/* Dates and lists may be empty, and templates only one level deep; the rest must be of the type's
 * kind. */
static enum wire_attribute_kind sent_kind(const CratonHsm__Attribute *from, unsigned int depth)
{
	enum wire_attribute_kind wanted = wire_attribute_kind_of(from->type);
	enum wire_attribute_kind given = given_kind(from);

	if (from->value_case == CRATON_HSM__ATTRIBUTE__VALUE__NOT_SET &&
	    wanted != WIRE_ATTRIBUTE_BYTES)
		return WIRE_ATTRIBUTE_MALFORMED;
	if (given != wanted || (given == WIRE_ATTRIBUTE_ATTRIBUTES && depth))
		return WIRE_ATTRIBUTE_MALFORMED;
	return given;
}

static bool put_attribute(struct wire_buffer *buffer, const CratonHsm__Attribute *from,
                          unsigned int depth)
{
	struct wire_attribute to = {.type = from->type, .kind = (uint8_t)sent_kind(from, depth)};
	struct wire_buffer value;
	bool done;

	wire_buffer_init(&value, WIRE_CONTROL_LIMIT, NULL);
	done = take_value(&to, &value, from, depth);
	if (done)
		wire_put_attribute(buffer, &to);
	wire_buffer_free(&value);
	return done && !buffer->failed;
}

static bool put_attributes(struct wire_buffer *buffer, CratonHsm__Attribute *const *from,
                           size_t count, unsigned int depth)
{
	if (count > WIRE_ATTRIBUTE_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!put_attribute(buffer, from[i], depth))
			return false;
	return true;
}

bool translate_template(struct arena *arena, CratonHsm__Attribute *const *from, size_t count,
                        struct wire_template *to)
{
	struct wire_buffer buffer;

	wire_buffer_init(&buffer, WIRE_CONTROL_LIMIT, NULL);
	if (!put_attributes(&buffer, from, count, 0)) {
		wire_buffer_free(&buffer);
		return false;
	}
	to->count = (uint32_t)count;
	return keep(arena, &buffer, &to->attributes);
}

bool translate_numbers(struct arena *arena, const uint64_t *from, size_t count,
                       struct wire_u64_list *to)
{
	uint8_t *octets = count <= WIRE_ATTRIBUTE_MAX ? arena_allocate(arena, count * 8 + 1) : NULL;

	if (!octets)
		return false;
	for (size_t i = 0; i < count; i++)
		wire_store_u64(octets + 8 * i, from[i]);
	*to = (struct wire_u64_list){(uint32_t)count, octets};
	return true;
}

/* ---- replies ---- */

static CratonHsm__MechanismTypes *reply_mechanisms(struct arena *arena, struct wire_bytes value)
{
	CratonHsm__MechanismTypes *list = arena_allocate(arena, sizeof(*list));

	if (!list)
		return NULL;
	craton_hsm__mechanism_types__init(list);
	list->n_types = value.len / 8;
	list->types = arena_allocate(arena, value.len + 1);
	for (size_t i = 0; list->types && i < list->n_types; i++)
		list->types[i] = wire_load_u64(value.data + 8 * i);
	return list->types ? list : NULL;
}

static CratonHsm__Attributes *reply_attributes(struct arena *arena, struct wire_bytes value)
{
	CratonHsm__Attributes *list = arena_allocate(arena, sizeof(*list));
	struct wire_template nested;
	struct wire_reader reader;

	if (!list)
		return NULL;
	wire_reader_init(&reader, value);
	nested = wire_get_template(&reader);
	craton_hsm__attributes__init(list);
	return translate_reply_template(arena, &nested, &list->attributes, &list->n_attributes)
	               ? list
	               : NULL;
}

static char *reply_date(struct arena *arena, struct wire_bytes value)
{
	char *date = arena_allocate(arena, value.len + 1);

	if (!date)
		return NULL;
	if (value.len)
		memcpy(date, value.data, value.len);
	date[value.len] = '\0';
	return date;
}

static bool reply_value(struct arena *arena, const struct wire_attribute *from,
                        CratonHsm__Attribute *to)
{
	switch (from->kind) {
	case WIRE_ATTRIBUTE_NUMBER:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_NUMBER;
		to->number = from->number;
		return true;
	case WIRE_ATTRIBUTE_FLAG:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_FLAG;
		to->flag = from->number != 0;
		return true;
	case WIRE_ATTRIBUTE_UNAVAILABLE:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_UNAVAILABLE;
		to->unavailable = from->number;
		return true;
	case WIRE_ATTRIBUTE_DATE:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_DATE;
		to->date = reply_date(arena, from->value);
		return to->date != NULL;
	case WIRE_ATTRIBUTE_MECHANISMS:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_MECHANISMS;
		to->mechanisms = reply_mechanisms(arena, from->value);
		return to->mechanisms != NULL;
	case WIRE_ATTRIBUTE_ATTRIBUTES:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_ATTRIBUTES;
		to->attributes = reply_attributes(arena, from->value);
		return to->attributes != NULL;
	default:
		to->value_case = CRATON_HSM__ATTRIBUTE__VALUE_OCTETS;
		to->octets = (ProtobufCBinaryData){from->value.len,
		                                   (uint8_t *)(uintptr_t)from->value.data};
		return true;
	}
}

bool translate_reply_template(struct arena *arena, const struct wire_template *from,
                              CratonHsm__Attribute ***to, size_t *count)
{
	struct wire_attribute attribute;
	size_t cursor = 0;

	*count = 0;
	*to = arena_allocate(arena, from->count * sizeof(**to) + 1);
	while (*to && wire_template_next(from, &cursor, &attribute)) {
		CratonHsm__Attribute *one = arena_allocate(arena, sizeof(*one));

		if (!one)
			return false;
		craton_hsm__attribute__init(one);
		one->type = attribute.type;
		if (!reply_value(arena, &attribute, one))
			return false;
		(*to)[(*count)++] = one;
	}
	return *to != NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mechanisms and attributes between protobuf and the wire: every alternative of the parameter fits
 * the shape of its name, what does not fit is malformed and never encodes to something else; and
 * cratond's table of sessions.
 */
#include "harness.h"

#include "grpc/rpc.h"
#include "grpc/sessions.h"
#include "grpc/translate.h"

static struct arena arena;

static struct wire_mechanism translate(const CratonHsm__Mechanism *from)
{
	struct wire_mechanism to;

	arena_init(&arena, 1 << 20, NULL);
	ASSERT_TRUE(translate_mechanism(&arena, from, &to));
	return to;
}

TEST(parameters)
{
	CratonHsm__Mechanism from = CRATON_HSM__MECHANISM__INIT;
	CratonHsm__Gcm gcm = CRATON_HSM__GCM__INIT;
	struct wire_gcm_parameter decoded;
	uint8_t iv[12] = {1, 2, 3};
	struct wire_mechanism to;

	from.type = CKM_AES_GCM;
	from.parameter_case = CRATON_HSM__MECHANISM__PARAMETER_GCM;
	from.gcm = &gcm;
	gcm.iv = (ProtobufCBinaryData){sizeof(iv), iv};
	gcm.tag_bits = 128;
	to = translate(&from);
	ASSERT_EQ(to.shape, WIRE_SHAPE_gcm);
	ASSERT_TRUE(wire_decode_gcm_parameter(to.parameter, &decoded));
	ASSERT_EQ(decoded.iv.len, sizeof(iv));
	ASSERT_EQ(decoded.tag_bits, 128u);
	/* The same parameter with a mechanism that takes another, or none. */
	from.type = CKM_AES_CBC;
	ASSERT_EQ(translate(&from).shape, WIRE_SHAPE_malformed);
	from.type = CKM_SHA256;
	ASSERT_EQ(translate(&from).shape, WIRE_SHAPE_malformed);
	/* One that is not known travels without it, and the agent refuses it. */
	from.type = 0x7fffffff;
	to = translate(&from);
	ASSERT_EQ(to.shape, WIRE_SHAPE_none);
	ASSERT_EQ(to.parameter.len, 0u);
	ASSERT_EQ(translate(NULL).type, 0u);
	from.parameter_case = CRATON_HSM__MECHANISM__PARAMETER__NOT_SET;
	from.type = CKM_AES_GCM;
	ASSERT_EQ(translate(&from).shape, WIRE_SHAPE_malformed);
	from.type = CKM_AES_KEY_WRAP;
	ASSERT_EQ(translate(&from).shape, WIRE_SHAPE_initialization_vector);
	arena_reset(&arena);
}

static struct wire_attribute translate_one(CratonHsm__Attribute *from)
{
	struct wire_template template;
	struct wire_attribute to;
	size_t cursor = 0;

	arena_init(&arena, 1 << 20, NULL);
	ASSERT_TRUE(translate_template(&arena, &from, 1, &template));
	ASSERT_EQ(template.count, 1u);
	ASSERT_TRUE(wire_template_next(&template, &cursor, &to));
	return to;
}

TEST(attributes)
{
	CratonHsm__Attribute from = CRATON_HSM__ATTRIBUTE__INIT,
			     inner = CRATON_HSM__ATTRIBUTE__INIT;
	CratonHsm__Attributes list = CRATON_HSM__ATTRIBUTES__INIT;
	CratonHsm__Attribute *pointers[] = {&inner};

	from.type = CKA_TOKEN;
	from.value_case = CRATON_HSM__ATTRIBUTE__VALUE_FLAG;
	from.flag = 1;
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_FLAG);
	from.type = CKA_LABEL;
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_MALFORMED);
	from.type = CKA_START_DATE;
	from.value_case = CRATON_HSM__ATTRIBUTE__VALUE_DATE;
	from.date = (char *)"2026";
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_MALFORMED);
	from.date = (char *)"20260101";
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_DATE);
	/* Without a value: empty octets, and malformed where there must be one. */
	from.value_case = CRATON_HSM__ATTRIBUTE__VALUE__NOT_SET;
	from.type = CKA_LABEL;
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_BYTES);
	from.type = CKA_CLASS;
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_MALFORMED);
	/* A template in a template is one too many. */
	from.type = inner.type = CKA_WRAP_TEMPLATE;
	from.value_case = inner.value_case = CRATON_HSM__ATTRIBUTE__VALUE_ATTRIBUTES;
	list.n_attributes = 1;
	list.attributes = pointers;
	from.attributes = inner.attributes = &list;
	ASSERT_EQ(translate_one(&from).kind, WIRE_ATTRIBUTE_ATTRIBUTES);
	arena_reset(&arena);
}

TEST(too_many_attributes)
{
	CratonHsm__Attribute one = CRATON_HSM__ATTRIBUTE__INIT, *many[WIRE_ATTRIBUTE_MAX + 1];
	struct wire_template template;

	for (size_t i = 0; i < WIRE_ATTRIBUTE_MAX + 1; i++)
		many[i] = &one;
	arena_init(&arena, 1 << 20, NULL);
	EXPECT_TRUE(translate_template(&arena, many, WIRE_ATTRIBUTE_MAX, &template));
	EXPECT_FALSE(translate_template(&arena, many, WIRE_ATTRIBUTE_MAX + 1, &template));
	arena_reset(&arena);
}

TEST(sessions_and_their_queues)
{
	struct sessions sessions = {.now_ns = 100};
	struct rpc first = {0}, second = {0}, third = {0};
	struct client_session *own, *pool;
	bool may_open;

	own = sessions_add(&sessions, 7, 0, false);
	ASSERT_NOT_NULL(own);
	ASSERT_TRUE(sessions_find(&sessions, 7) == own);
	ASSERT_NULL(sessions_find(&sessions, 0));
	sessions_use(own, &first, true);
	sessions_wait(own, &second);
	sessions_wait(own, &third);
	sessions_forget(&sessions, &third);
	ASSERT_TRUE(sessions_release(&sessions, own, &first) == &second);
	ASSERT_NULL(own->waiting);
	/* Closed while a call has it: it goes with the call. */
	sessions_use(own, &second, true);
	ASSERT_NULL(sessions_remove(&sessions, own));
	ASSERT_NULL(sessions_find(&sessions, 7));
	ASSERT_NULL(sessions_release(&sessions, own, &second));
	/* The pool: one that is being opened is none yet. */
	pool = sessions_add(&sessions, 0, 3, true);
	ASSERT_NULL(sessions_from_pool(&sessions, 3, true, &may_open));
	ASSERT_TRUE(may_open);
	pool->handle = 9;
	ASSERT_NULL(sessions_find(&sessions, 9));
	ASSERT_NULL(sessions_from_pool(&sessions, 4, true, &may_open));
	ASSERT_TRUE(sessions_from_pool(&sessions, 3, true, &may_open) == pool);
	sessions_use(pool, &first, true);
	ASSERT_NULL(sessions_from_pool(&sessions, 3, true, &may_open));
	ASSERT_TRUE(sessions_from_pool(&sessions, 3, false, &may_open) == pool);
	ASSERT_FALSE(may_open);
	ASSERT_NULL(sessions_idle_pool(&sessions, 3));
	ASSERT_NULL(sessions_release(&sessions, pool, &first));
	ASSERT_TRUE(sessions_idle_pool(&sessions, 3) == pool);
	ASSERT_NULL(sessions_stale_pool(&sessions, 50));
	sessions.now_ns = 200;
	ASSERT_TRUE(sessions_stale_pool(&sessions, 50) == pool);
	/* After a refusal the pool does not grow for a while, unless it is empty. */
	sessions_use(pool, &first, true);
	sessions.no_growth_ns = 1000;
	ASSERT_NULL(sessions_from_pool(&sessions, 3, true, &may_open));
	ASSERT_FALSE(may_open);
	ASSERT_NULL(sessions_release(&sessions, pool, &first));
	ASSERT_NULL(sessions_remove(&sessions, pool));
	ASSERT_NULL(sessions_from_pool(&sessions, 3, true, &may_open));
	ASSERT_TRUE(may_open);
	ASSERT_EQ(sessions.count, 0u);
}

HARNESS_MAIN

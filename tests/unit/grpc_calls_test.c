/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls in states that a client with a real socket is seldom in, on the fixture of the fuzz
 * targets: the agent answers when the test says so.
 */
#include "harness.h"

#include "fuzz/grpc_fixture.h"

#include "craton_hsm.pb-c.h"
#include "grpc/method.h"

#define SESSION 1u
#define STREAM  1 /* of every call: nothing is sent */

static const struct method *method(const char *name)
{
	for (unsigned int i = 0; i < method_count; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	abort();
}

/* A client with one session of its own. */
static struct client *open_client(void)
{
	struct client *client = &fixture.client;

	fixture_open();
	if (!sessions_add(&client->sessions, SESSION, 0, false))
		abort();
	return client;
}

/* The session's last user goes with the link. */
static void close_client(void)
{
	fixture_close();
	ASSERT_NULL(fixture.client.sessions.first);
}

/* A call whose whole request has come: the message behind its prefix. */
static struct rpc *call(const char *name, const ProtobufCMessage *request)
{
	struct rpc *rpc = rpc_new(&fixture.client, STREAM);
	size_t len = protobuf_c_message_get_packed_size(request);
	uint8_t *octets = calloc(1, MESSAGE_PREFIX_LEN + len);

	rpc->method = method(name);
	message_put_prefix(octets, len);
	protobuf_c_message_pack(request, octets + MESSAGE_PREFIX_LEN);
	rpc_receive(rpc, (struct wire_bytes){octets, MESSAGE_PREFIX_LEN + len});
	rpc_input_end(rpc);
	free(octets);
	return rpc;
}

static struct rpc *digest(size_t data_len)
{
	CratonHsm__DigestRequest request = CRATON_HSM__DIGEST_REQUEST__INIT;
	CratonHsm__Mechanism mechanism = CRATON_HSM__MECHANISM__INIT;
	uint8_t *data = calloc(1, data_len + 1);
	struct rpc *rpc;

	mechanism.type = CKM_SHA256;
	request.session = SESSION;
	request.mechanism = &mechanism;
	request.data = (ProtobufCBinaryData){data_len, data};
	rpc = call("Digest", &request.base);
	free(data);
	return rpc;
}

/* Two requests of a call that nobody reads any more are in the agent when that goes away. */
TEST(abandoned_call_and_lost_link)
{
	struct client *client = open_client();
	struct rpc *rpc = digest(3);

	client_run_waiting(client);
	ASSERT_EQ(rpc->state, RPC_RUNNING);
	ASSERT_EQ(rpc->frames, 2u);
	rpc_abandon(rpc);
	ASSERT_EQ(client->rpc_count, 1u);
	link_close(&client->link);
	ASSERT_EQ(client->rpc_count, 0u);
	close_client();
}

/* A session's next owner is cancelled before it takes the session: it is the turn of the next but
 * one. */
TEST(next_owner_is_cancelled)
{
	struct client *client = open_client();
	struct rpc *first = digest(3), *second = digest(3), *third = digest(3);

	client_run_waiting(client);
	ASSERT_EQ(first->state, RPC_RUNNING);
	ASSERT_TRUE(client->sessions.first->waiting == second);
	fixture_serve();
	ASSERT_TRUE(client->link.waiting == second);
	rpc_abandon(second);
	client_run_waiting(client);
	ASSERT_EQ(third->state, RPC_RUNNING);
	close_client();
}

/* Whole messages that wait for the session count, too: those beyond the budget are refused, and the
 * others are served. */
TEST(whole_messages_are_held)
{
	struct client *client = open_client();
	struct rpc *calls[20];

	for (unsigned int i = 0; i < 20; i++)
		calls[i] = digest(60000);
	ASSERT_EQ(calls[19]->status, GRPC_RESOURCE_EXHAUSTED);
	for (unsigned int i = 17; i < 20; i++)
		rpc_abandon(calls[i]);
	for (unsigned int i = 0; i < 17; i++) {
		client_run_waiting(client);
		ASSERT_EQ(calls[i]->state, RPC_RUNNING);
		fixture_serve();
		ASSERT_EQ(calls[i]->state, RPC_ENDED);
	}
	close_client();
}

/* Small messages of which much is made count with what is made of them. */
TEST(decoded_messages_are_held)
{
	enum { CALLS = 20, ATTRIBUTES = 2000 };
	struct client *client = open_client();
	CratonHsm__GenerateKeyRequest request = CRATON_HSM__GENERATE_KEY_REQUEST__INIT;
	static CratonHsm__Attribute empty = CRATON_HSM__ATTRIBUTE__INIT;
	static CratonHsm__Attribute *attributes[ATTRIBUTES];
	const size_t limit = fixture.settings.config->daemon.max_connection_memory;
	unsigned int refused = 0;

	for (unsigned int i = 0; i < ATTRIBUTES; i++)
		attributes[i] = &empty;
	request.session = SESSION;
	request.attributes = attributes;
	request.n_attributes = ATTRIBUTES;
	ASSERT_LT(CALLS * protobuf_c_message_get_packed_size(&request.base), limit / 4);
	for (unsigned int i = 0; i < CALLS; i++)
		refused += call("GenerateKey", &request.base)->status == GRPC_RESOURCE_EXHAUSTED;
	ASSERT_GT(refused, 0u);
	ASSERT_LT(refused, (unsigned int)CALLS);
	/* Those that were taken are served although there is more than the budget. */
	fixture_run();
	for (struct rpc *rpc = client->rpcs; rpc; rpc = rpc->next)
		ASSERT_EQ(rpc->state, RPC_ENDED);
	ASSERT_LT(client->held_len, limit / 4);
	close_client();
}

/* Octets that there is no memory for are not held. */
TEST(backlog_without_memory)
{
	static const uint8_t part[] = {0, 0, 0, 0, 0}, more[100];
	struct client *client = open_client();
	struct rpc *rpc = rpc_new(client, STREAM);
	size_t limit = rpc->backlog.limit;

	rpc->method = method("DigestStream");
	rpc_receive(rpc, (struct wire_bytes){part, sizeof(part)});
	ASSERT_EQ(rpc->state, RPC_QUEUED);
	rpc->backlog.limit = 10;
	rpc_receive(rpc, (struct wire_bytes){more, sizeof(more)});
	ASSERT_EQ(rpc->status, GRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(client->held_len, 0u);
	rpc->backlog.limit = limit;
	close_client();
}

/* A PIN that no frame of a login may have costs the one call, not the link. */
TEST(request_beyond_its_frame)
{
	struct client *client = open_client();
	CratonHsm__LoginRequest request = CRATON_HSM__LOGIN_REQUEST__INIT;
	uint8_t *pin = calloc(1, 2 * WIRE_CONTROL_LIMIT);
	struct rpc *rpc;

	fixture.settings.config->daemon.max_message_size = 4 * WIRE_CONTROL_LIMIT;
	request.session = SESSION;
	request.pin = (ProtobufCBinaryData){2 * WIRE_CONTROL_LIMIT, pin};
	rpc = call("Login", &request.base);
	client_run_waiting(client);
	ASSERT_EQ(rpc->status, GRPC_RESOURCE_EXHAUSTED);
	ASSERT_EQ(client->link.out.len, 0u);
	ASSERT_EQ(client->link.frames, 0u);
	free(pin);
	close_client();
}

/* Large operations that follow a login count as such from the login on. */
TEST(bulk_behind_logins)
{
	struct client *client = open_client();
	CratonHsm__SignRequest request = CRATON_HSM__SIGN_REQUEST__INIT;
	CratonHsm__Mechanism mechanism = CRATON_HSM__MECHANISM__INIT;
	uint8_t *data = calloc(1, 60000);
	unsigned int running = 0;

	mechanism.type = CKM_SHA256_HMAC;
	request.mechanism = &mechanism;
	request.data = (ProtobufCBinaryData){60000, data};
	request.context_pin = (ProtobufCBinaryData){4, data};
	for (unsigned int i = 0; i < 5; i++) {
		request.session = 10 + i;
		sessions_add(&client->sessions, request.session, 0, false);
		call("Sign", &request.base);
	}
	client_run_waiting(client);
	for (const struct rpc *rpc = client->rpcs; rpc; rpc = rpc->next)
		running += rpc->state == RPC_RUNNING;
	ASSERT_EQ(running, LINK_BULK_FRAMES_MAX);
	ASSERT_EQ(client->link.bulk_frames, LINK_BULK_FRAMES_MAX);
	free(data);
	close_client();
}

/* The only request that is on its way to the agent. */
static uint16_t next_opcode(const struct client *client)
{
	struct wire_frame_header header = {0};

	if (client->link.out.len >= WIRE_FRAME_HEADER_LEN)
		wire_frame_parse(&header, client->link.out.data);
	return header.opcode;
}

/* The client's last session is closed while a call has one of the pool: the login ends all the
 * same, also if the client does not wait for the answer. */
TEST(last_session_logs_out)
{
	for (unsigned int abandoned = 0; abandoned < 2; abandoned++) {
		struct client *client = open_client();
		CratonHsm__GenerateRandomRequest random = CRATON_HSM__GENERATE_RANDOM_REQUEST__INIT;
		CratonHsm__CloseSessionRequest request = CRATON_HSM__CLOSE_SESSION_REQUEST__INIT;
		struct rpc *rpc;

		fixture.answer = 1;
		sessions_add(&client->sessions, SESSION + 1, 0, true);
		call("GenerateRandom", &random.base);
		client_run_waiting(client);
		client->link.out.len = 0; /* its answer is late */
		request.session = SESSION;
		rpc = call("CloseSession", &request.base);
		client_run_waiting(client);
		ASSERT_EQ(next_opcode(client), WIRE_OPCODE_logout);
		if (abandoned)
			rpc_abandon(rpc);
		fixture_serve();
		ASSERT_EQ(next_opcode(client), WIRE_OPCODE_close_session);
		close_client();
	}
}

/* However many calls name no session, there is a bound to those that are opened for them. */
TEST(sessions_of_the_pool)
{
	enum { CALLS = 3 * SESSIONS_POOL };
	struct client *client = open_client();
	CratonHsm__DigestRequest request = CRATON_HSM__DIGEST_REQUEST__INIT;
	CratonHsm__Mechanism mechanism = CRATON_HSM__MECHANISM__INIT;
	unsigned int running = 0, ended = 0;
	struct rpc *calls[CALLS];

	mechanism.type = CKM_SHA256;
	request.mechanism = &mechanism;
	for (unsigned int i = 0; i < CALLS; i++)
		calls[i] = call("Digest", &request.base);
	client_run_waiting(client);
	ASSERT_EQ(client->sessions.count, SESSIONS_POOL + 1);
	fixture.answer = 1;
	fixture_serve();
	client_run_waiting(client);
	for (unsigned int i = 0; i < CALLS; i++)
		running += calls[i]->state == RPC_RUNNING;
	ASSERT_EQ(running, SESSIONS_POOL);
	fixture_run();
	for (unsigned int i = 0; i < CALLS; i++)
		ended += calls[i]->state == RPC_ENDED;
	ASSERT_EQ(ended, CALLS);
	close_client();
}

HARNESS_MAIN

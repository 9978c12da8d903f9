/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lib/channel.c and lib/exchange.c against a fake agent: what a bad agent can send, that data sent
 * directly makes the same frame, one connection per concurrent thread, loss, closing and fork.
 */
#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fake_agent.h"
#include "harness.h"
#include "request.h"

#define THREADS 16
#define CALLS   200

static struct fake_agent agent;
static char path[64];

static struct channel *start(void)
{
	struct channel *channel = NULL;

	snprintf(path, sizeof(path), "/tmp/channel_test.%d", (int)getpid());
	fake_start(&agent, path);
	if (channel_open(&channel, path, CHANNEL_HELLO) != CKR_OK)
		abort();
	return channel;
}

static void stop(struct channel *channel)
{
	channel_close(channel);
	fake_stop(&agent);
}

static CK_RV get_random(struct channel *channel, uint8_t *out, size_t len)
{
	struct wire_generate_random_request request = {.session = 1, .random_len = len};
	struct wire_generate_random_reply reply;
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	if (!connection)
		return rv;
	rv = request_generate_random(connection, &request, &reply);
	if (!rv && reply.random.len == len)
		memcpy(out, reply.random.data, len);
	return rv;
}

static double seconds_since(int64_t start_ns)
{
	return (double)(exchange_clock() - start_ns) / 1e9;
}

TEST(opens_and_calls)
{
	struct channel *channel = start();
	uint8_t octets[16];

	ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
	ASSERT_EQ(octets[15], 15);
	ASSERT_EQ(atomic_load(&agent.applications), 1);
	ASSERT_EQ(atomic_load(&agent.count), 1);
	stop(channel);
}

TEST(agent_refusals_keep_the_channel)
{
	struct channel *channel = start();
	struct wire_logout_request request = {.session = 1};
	CK_RV rv;
	struct connection *connection = channel_borrow(channel, &rv);

	ASSERT_EQ(request_logout(connection, &request, NULL), CKR_FUNCTION_FAILED);
	channel_return(connection);
	ASSERT_FALSE(channel_is_lost(channel));
	stop(channel);
}

TEST(bad_replies_lose_the_channel)
{
	static const enum fake_mode modes[] = {
		FAKE_WRONG_ID,   FAKE_WRONG_OPCODE, FAKE_NO_REPLY_FLAG,
		FAKE_OVERSIZE,   FAKE_SURPLUS,      FAKE_SHORT_FIELDS,
		FAKE_CUT_HEADER, FAKE_CUT_BODY,     FAKE_EOF,
	};
	uint8_t octets[16];

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct channel *channel = start();

		ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
		atomic_store(&agent.mode, modes[i]);
		EXPECT_EQ(get_random(channel, octets, sizeof(octets)), CKR_DEVICE_REMOVED);
		EXPECT_TRUE(channel_is_lost(channel));
		atomic_store(&agent.mode, FAKE_GOOD);
		EXPECT_EQ(get_random(channel, octets, sizeof(octets)), CKR_DEVICE_REMOVED);
		stop(channel);
	}
}

TEST(replies_in_pieces)
{
	struct channel *channel = start();
	uint8_t octets[600];

	atomic_store(&agent.mode, FAKE_TRICKLE);
	ASSERT_EQ(get_random(channel, octets, 40), CKR_OK);
	ASSERT_EQ(octets[39], 39);
	atomic_store(&agent.mode, FAKE_SLOW);
	for (int i = 0; i < 6; i++)
		ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
	ASSERT_EQ(octets[599], 599 & 0xff);
	stop(channel);
}

/* Every reply length around the first read, and the largest. */
TEST(reply_lengths)
{
	struct channel *channel = start();
	uint8_t *octets = malloc(WIRE_DATA_LIMIT);

	for (size_t len = 480; len < 520; len++) {
		ASSERT_EQ(get_random(channel, octets, len), CKR_OK);
		ASSERT_EQ(octets[len - 1], (uint8_t)(len - 1));
	}
	ASSERT_EQ(get_random(channel, octets, WIRE_DATA_LIMIT), CKR_OK);
	ASSERT_EQ(octets[WIRE_DATA_LIMIT - 1], 0xff);
	free(octets);
	stop(channel);
}

static void check_encrypt(struct channel *channel, uint8_t *data, size_t len)
{
	struct wire_encrypt_request request = {.capacity = len, .data = {data, len}};
	struct wire_encrypt_reply reply;
	CK_RV rv;
	connection_auto connection = channel_borrow(channel, &rv);

	ASSERT_TRUE(connection != NULL);
	ASSERT_EQ(request_encrypt_bulk(connection, &request, &reply), CKR_OK);
	ASSERT_EQ(request.data.len, len);
	ASSERT_EQ(reply.output.len, len);
	for (size_t i = 0; i < len; i += 61)
		ASSERT_EQ(reply.output.data[i], data[i] ^ 0xff);
}

/* Around the length from which data is sent without being copied. */
TEST(data_sent_directly)
{
	struct channel *channel = start();
	uint8_t *data = malloc(WIRE_DATA_LIMIT);

	for (size_t i = 0; i < WIRE_DATA_LIMIT; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	for (size_t len = 4090; len < 4100; len++)
		check_encrypt(channel, data, len);
	check_encrypt(channel, data, 1000003);
	check_encrypt(channel, data, WIRE_DATA_LIMIT);
	free(data);
	stop(channel);
}

TEST(too_large_requests_are_not_sent)
{
	struct channel *channel = start();
	uint8_t *pin = calloc(1, WIRE_CONTROL_LIMIT), octets[4];
	struct wire_login_request request = {.pin = {pin, WIRE_CONTROL_LIMIT}};
	CK_RV rv;
	struct connection *connection = channel_borrow(channel, &rv);

	ASSERT_EQ(request_login(connection, &request, NULL), CKR_ARGUMENTS_BAD);
	channel_return(connection);
	ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
	free(pin);
	stop(channel);
}

/* What a call left behind is wiped before the next borrower sees the buffers. */
TEST(buffers_are_wiped)
{
	struct channel *channel = start();
	uint8_t pin[64] = "a PIN that must not stay in memory";
	struct wire_login_request request = {.pin = {pin, sizeof(pin)}};
	CK_RV rv;
	struct connection *connection = channel_borrow(channel, &rv);
	size_t capacity;

	request_login(connection, &request, NULL);
	channel_return(connection);
	capacity = connection->request.capacity;
	ASSERT_TRUE(capacity >= sizeof(pin));
	ASSERT_TRUE(memmem(connection->request.data, capacity, pin, sizeof(pin)) == NULL);
	stop(channel);
}

static void *call_often(void *argument)
{
	uint8_t octets[32];
	intptr_t failures = 0;

	for (int i = 0; i < CALLS; i++) {
		size_t len = 1 + (size_t)i % sizeof(octets);

		failures += get_random(argument, octets, len) != CKR_OK ||
		            octets[len - 1] != (uint8_t)(len - 1);
	}
	return (void *)failures;
}

static intptr_t run_threads(void *(*function)(void *), struct channel *channel)
{
	pthread_t threads[THREADS];
	intptr_t sum = 0;
	void *result;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, function, channel);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		sum += (intptr_t)result;
	}
	return sum;
}

TEST(threads_share_one_application)
{
	struct channel *channel = start();

	ASSERT_EQ(run_threads(call_often, channel), 0);
	ASSERT_EQ(atomic_load(&agent.applications), 1);
	ASSERT_TRUE(atomic_load(&agent.count) <= THREADS);
	ASSERT_EQ(atomic_load(&agent.joined), atomic_load(&agent.count) - 1);
	stop(channel);
}

static void *call_once(void *argument)
{
	uint8_t octet;

	return (void *)(intptr_t)get_random(argument, &octet, 1);
}

TEST(slow_calls_run_side_by_side)
{
	struct channel *channel = start();
	int64_t begin = exchange_clock();

	atomic_store(&agent.mode, FAKE_SLOW);
	ASSERT_EQ(run_threads(call_once, channel), 0);
	ASSERT_TRUE(seconds_since(begin) < 0.030 * THREADS);
	ASSERT_TRUE(atomic_load(&agent.most_at_once) > 2);
	stop(channel);
}

/* The connection returned last is the next one borrowed: one thread needs one connection. */
TEST(connections_are_reused)
{
	struct channel *channel = start();

	call_often(channel);
	ASSERT_EQ(atomic_load(&agent.count), 1);
	stop(channel);
}

TEST(refused_join_is_a_passing_matter)
{
	struct channel *channel = start();
	CK_RV rv;
	struct connection *first = channel_borrow(channel, &rv), *second;

	atomic_store(&agent.mode, FAKE_REFUSE_JOIN);
	second = channel_borrow(channel, &rv);
	ASSERT_TRUE(first && !second);
	ASSERT_EQ(rv, CKR_FUNCTION_FAILED);
	ASSERT_FALSE(channel_is_lost(channel));
	atomic_store(&agent.mode, FAKE_GOOD);
	second = channel_borrow(channel, &rv);
	ASSERT_TRUE(second != NULL);
	channel_return(second);
	channel_return(first);
	stop(channel);
}

TEST(join_after_the_agent_went_loses)
{
	struct channel *channel = start();
	CK_RV rv;
	struct connection *first = channel_borrow(channel, &rv);

	fake_stop(&agent);
	ASSERT_TRUE(channel_borrow(channel, &rv) == NULL);
	ASSERT_EQ(rv, CKR_DEVICE_REMOVED);
	ASSERT_TRUE(channel_is_lost(channel));
	channel_return(first);
	channel_close(channel);
}

TEST(no_descriptors_left)
{
	struct channel *channel = start();
	struct rlimit old, few;
	CK_RV rv;
	struct connection *first = channel_borrow(channel, &rv);

	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 1;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	ASSERT_TRUE(channel_borrow(channel, &rv) == NULL);
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	ASSERT_EQ(rv, CKR_HOST_MEMORY);
	ASSERT_FALSE(channel_is_lost(channel));
	channel_return(first);
	stop(channel);
}

TEST(nobody_listens)
{
	struct channel *channel;
	char long_path[200];
	int64_t begin = exchange_clock();

	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	EXPECT_EQ(channel_open(&channel, "/nonexistent/socket", CHANNEL_HELLO), CKR_DEVICE_REMOVED);
	EXPECT_EQ(errno, ENOENT);
	EXPECT_EQ(channel_open(&channel, long_path, CHANNEL_HELLO), CKR_DEVICE_REMOVED);
	EXPECT_EQ(errno, ENAMETOOLONG);
	EXPECT_TRUE(seconds_since(begin) < 1.0);
}

static int listen_only(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(path, sizeof(path), "/tmp/channel_test.%d", (int)getpid());
	memcpy(address.sun_path, path, sizeof(path));
	unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, backlog))
		abort();
	return fd;
}

static double seconds_until_timeout(void)
{
	struct channel *channel;
	int64_t begin = exchange_clock();

	EXPECT_EQ(channel_open(&channel, path, CHANNEL_HELLO), CKR_DEVICE_REMOVED);
	EXPECT_EQ(errno, ETIMEDOUT);
	return seconds_since(begin);
}

/* An agent that is stopped: the kernel accepts, nobody answers; then the queue is full. */
TEST(agent_that_never_answers)
{
	int fd = listen_only(0);

	EXPECT_TRUE(seconds_until_timeout() < 5.5);
	EXPECT_TRUE(seconds_until_timeout() < 1.1);
	close(fd);
	unlink(path);
}

/* On a busy machine the agent lives, but not at once. */
TEST(agent_that_answers_late)
{
	struct channel *channel;

	snprintf(path, sizeof(path), "/tmp/channel_test.%d", (int)getpid());
	fake_start(&agent, path);
	atomic_store(&agent.mode, FAKE_SLOW_HELLO);
	ASSERT_EQ(channel_open(&channel, path, CHANNEL_HELLO), CKR_OK);
	stop(channel);
}

TEST(no_hello_when_not_wanted)
{
	struct channel *channel;
	uint8_t octet;

	snprintf(path, sizeof(path), "/tmp/channel_test.%d", (int)getpid());
	fake_start(&agent, path);
	ASSERT_EQ(channel_open(&channel, path, CHANNEL_NO_HELLO), CKR_OK);
	ASSERT_EQ(get_random(channel, &octet, 1), CKR_OK);
	ASSERT_EQ(atomic_load(&agent.applications), 0);
	stop(channel);
}

TEST(closing_wakes_waiting_threads)
{
	struct channel *channel = start();
	pthread_t threads[THREADS];
	int64_t begin;
	void *result;

	atomic_store(&agent.mode, FAKE_SILENT);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, call_once, channel_get(channel));
	fake_sleep_ms(100);
	begin = exchange_clock();
	channel_close(channel);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		EXPECT_EQ((CK_RV)(intptr_t)result, CKR_CRYPTOKI_NOT_INITIALIZED);
		if (i < THREADS - 1)
			channel_put(channel);
	}
	EXPECT_TRUE(seconds_since(begin) < 1.0);
	channel_put(channel);
	fake_stop(&agent);
}

TEST(one_loss_wakes_all)
{
	struct channel *channel = start();
	pthread_t threads[4];
	CK_RV rv;
	void *result;
	struct connection *connection;

	atomic_store(&agent.mode, FAKE_SILENT);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, call_once, channel);
	fake_sleep_ms(50);
	connection = channel_borrow(channel, &rv);
	ASSERT_EQ(channel_bad_reply(connection), CKR_DEVICE_REMOVED);
	channel_return(connection);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		EXPECT_EQ((CK_RV)(intptr_t)result, CKR_DEVICE_REMOVED);
	}
	stop(channel);
}

/* The child lets go of the descriptors; the parent's connection goes on. */
TEST(fork_does_not_disturb_the_parent)
{
	struct channel *channel = start();
	uint8_t octets[8];
	int status;
	CK_RV rv;
	struct connection *busy = channel_borrow(channel, &rv);
	int fd = busy->fd;
	pid_t child;

	ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
	child = fork();
	if (child == 0) {
		bool open_before = fcntl(fd, F_GETFD) >= 0;

		channel_abandon(channel);
		_exit(open_before && fcntl(fd, F_GETFD) < 0 ? 0 : 1);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	ASSERT_EQ(status, 0);
	channel_return(busy);
	ASSERT_EQ(get_random(channel, octets, sizeof(octets)), CKR_OK);
	ASSERT_EQ(atomic_load(&agent.ended), 0);
	stop(channel);
}

HARNESS_MAIN

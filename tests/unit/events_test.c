/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening to the real kernel, without our module: what it says of other things is no event, and a
 * socket that overran makes the generators reseed. Root can make the kernel say things; it says
 * them to everybody, so this test runs alone.
 *
 * # SERIAL
 */
#include <fcntl.h>
#include <poll.h>

#include "agent.h"
#include "audit.h"
#include "base_fixture.h"
#include "drbg.h"
#include "event_source.h"
#include "events.h"

#define UEVENT_FILE "/sys/class/mem/null/uevent"
#define FLOOD       20000 /* uevents, more than a socket's buffer holds */

/* Makes the kernel multicast a uevent. */
static void make_uevent(void)
{
	static const char action[] = "change";
	int file = open(UEVENT_FILE, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		SKIP("only root can make uevents");
	ASSERT_EQ(write(file, action, sizeof(action) - 1), (ssize_t)sizeof(action) - 1);
	close(file);
}

static bool readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

struct tally {
	unsigned int count[EVENT_TYPES];
	unsigned int sum;
};

static void count(void *context, const struct event *event)
{
	struct tally *tally = context;

	tally->count[event->type]++;
	tally->sum++;
}

static struct tally read_all(struct event_source *source)
{
	struct tally tally = {.sum = 0};

	while (readable(event_source_fd(source)))
		event_source_read(source, count, &tally);
	return tally;
}

static struct event_source *open_source(void)
{
	struct event_source *source;
	char problem[256];

	ASSERT_EQ(event_source_open(&source, problem, sizeof(problem)), 0);
	EXPECT_STREQ(problem, "");
	EXPECT_TRUE(event_source_hears_uevents(source));
	return source;
}

TEST(nothing_to_hear)
{
	struct event_source *source = open_source();
	struct tally tally;

	tally = read_all(source);
	if (event_source_hears_module(source))
		SKIP("the module is loaded here");
	EXPECT_EQ(tally.sum, 0);
	make_uevent();
	ASSERT_TRUE(readable(event_source_fd(source)));
	EXPECT_EQ(read_all(source).sum, 0);
	event_source_close(source);
}

/* Root may write to the kernel's log, but not as the kernel. */
TEST(a_forged_line)
{
	static const char line[] = "<5>random: crng reseeded due to virtual machine fork\n";
	int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	struct event_source *source = open_source();

	if (log < 0 || !event_source_hears_log(source))
		SKIP("the kernel's log is closed here");
	read_all(source);
	ASSERT_EQ(write(log, line, sizeof(line) - 1), (ssize_t)sizeof(line) - 1);
	close(log);
	/* The log wakes its readers a little later. */
	ASSERT_EQ(poll(&(struct pollfd){.fd = event_source_fd(source), .events = POLLIN}, 1, 5000),
	          1);
	EXPECT_EQ(read_all(source).sum, 0);
	event_source_close(source);
}

TEST(an_overrun_is_told_once)
{
	struct event_source *source = open_source();
	struct tally tally;

	for (int i = 0; i < FLOOD; i++)
		make_uevent();
	tally = read_all(source);
	EXPECT_EQ(tally.count[EVENT_LOST], 1);
	/* And the socket serves on. */
	make_uevent();
	ASSERT_TRUE(readable(event_source_fd(source)));
	EXPECT_EQ(read_all(source).sum, 0);
	event_source_close(source);
}

static uint64_t reseeds(void)
{
	struct drbg_statistics now;

	drbg_statistics(base_crypto->drbg, &now);
	return now.reseeds;
}

static void draw(void)
{
	uint8_t octets[32];

	ASSERT_EQ(crypto_random(base_crypto, octets, sizeof(octets)), ERROR_NONE);
}

TEST(an_overrun_reseeds)
{
	struct agent agent = {.config = config_defaults()};
	struct events_statistics statistics;
	uint64_t before;

	base_open_crypto();
	agent.crypto = base_crypto;
	agent.config->audit.enabled = false;
	ASSERT_EQ(audit_open(&agent.audit, agent.config, base_crypto, NULL, base_error,
	                     sizeof(base_error)),
	          0);
	draw();
	before = reseeds();
	events_open(&agent.events, &agent);
	ASSERT_NOT_NULL(agent.events);
	/* Since the generators were seeded a copy may have been made unheard. */
	draw();
	EXPECT_EQ(reseeds(), before + 1);
	for (int i = 0; i < FLOOD; i++)
		make_uevent();
	while (readable(events_fd(agent.events)))
		EXPECT_EQ(events_read(agent.events), 0); /* the audit log is off */
	draw();
	EXPECT_EQ(reseeds(), before + 2);
	events_statistics(agent.events, &statistics);
	EXPECT_TRUE(statistics.uevents);
	EXPECT_EQ(statistics.lost, 1);
	EXPECT_EQ(statistics.received, 1);
	EXPECT_EQ(statistics.vm_generations, 0);
	events_close(agent.events);
	audit_close(agent.audit);
	config_free(agent.config);
}

HARNESS_MAIN

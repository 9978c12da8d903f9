/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin events: follows what the kernel tells, one line each, until SIGINT, SIGTERM or
 * as many as --count says (0: no end). It asks the kernel itself and needs no agent.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "admin.h"
#include "event_source.h"

struct follower {
	const struct admin_options *options;
	struct event_source *source;
	uint64_t left; /* events to be printed */
	bool limited, failed;
};

static bool done(const struct follower *follower)
{
	return follower->failed || (follower->limited && !follower->left);
}

/* 2025-11-23T21:14:03.120Z */
static void print_time(const struct timespec *now)
{
	char text[24];
	struct tm utc;

	gmtime_r(&now->tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	printf("%s.%03ldZ", text, now->tv_nsec / 1000000);
}

static void print_json(const struct event *event, const struct timespec *now)
{
	json_t *line = json_pack("{s:f, s:s, s:s}", "timestamp",
	                         (double)now->tv_sec + (double)now->tv_nsec / 1e9, "event",
	                         event_operation(event->type), "source", event_source_text(event));
	struct event_field field;

	if (event->type == EVENT_UNKNOWN)
		json_object_set_new(line, "command", json_integer(event->command));
	for (unsigned int i = 0; i <= EVENT_ATTRIBUTE_MAX; i++) {
		if (event_field(event, i, &field))
			json_object_set_new(line, field.name,
			                    *field.word ? json_string(field.word)
			                                : json_integer((json_int_t)field.number));
	}
	json_dumpf(line, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(line);
}

static void print_event(void *context, const struct event *event)
{
	struct follower *follower = context;
	struct timespec now;
	char text[EVENT_TEXT_LEN];

	/* More may have come at once than were asked for. */
	if (done(follower))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (follower->options->json) {
		print_json(event, &now);
	} else {
		event_text(event, text);
		print_time(&now);
		printf(" %s %s", event_operation(event->type), text);
	}
	if (putchar('\n') == EOF || fflush(stdout))
		follower->failed = true;
	follower->left--;
}

/* A descriptor that is readable when the terminal or somebody wants an end. -1 with errno. */
static int open_signals(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &ends, NULL))
		return -1;
	return signalfd(-1, &ends, SFD_CLOEXEC);
}

/* Until a signal, the last event that was asked for, or a failure. False with errno. */
static bool follow(struct follower *follower, int signals)
{
	struct pollfd fds[] = {
		{.fd = signals, .events = POLLIN},
		{.fd = event_source_fd(follower->source), .events = POLLIN},
	};

	while (!done(follower)) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			return true;
		if (fds[1].revents)
			event_source_read(follower->source, print_event, follower);
	}
	return !follower->failed;
}

int admin_events(const struct admin_options *options)
{
	struct follower follower = {.options = options};
	char problem[256];
	int signals, status = ADMIN_DONE;

	if (!admin_number("--count", options->count, 0, &follower.left))
		return ADMIN_USAGE;
	follower.limited = follower.left > 0;
	signals = open_signals();
	if (signals < 0)
		return admin_fail("signals cannot be read: %s", strerror(errno));
	if (event_source_open(&follower.source, problem, sizeof(problem)))
		status = admin_fail("%s", problem);
	else if (*problem)
		admin_fail("%s", problem);
	if (follower.source && !follow(&follower, signals))
		status = admin_fail("events: %s", strerror(errno));
	event_source_close(follower.source);
	close(signals);
	return status;
}

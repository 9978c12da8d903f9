/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent listens to the module: as its own user and without a capability it hears each event,
 * audits it, notices when the module comes and goes, and says when it could not follow.
 *
 * # TIMEOUT 200
 */
#include <signal.h>

#include "device.h"
#include "shell.h"

#define SECONDS 20 /* for anything, emulated */
#define FOLDER  "/tmp/agent"
#define ADMIN   "/craton/build/craton-hsm-admin --socket " FOLDER "/sock "
/* With the user's ids, no group but his and no capability. By its path, or the shell takes its own.
 */
#define AS(user)                                                                                   \
	"/usr/bin/setpriv --reuid " user " --regid " user " --clear-groups --inh-caps=-all "

static pid_t agent;

/* Does the command succeed by then? It may take longer than a pause. */
static bool soon(const char *command)
{
	time_t deadline = time(NULL) + SECONDS;

	while (shell("%s", command)) {
		if (time(NULL) > deadline)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

/* Is there a record of this operation with this detail (an extended regular expression) by now? */
static __attribute__((format(printf, 2, 3))) bool audited(const char *operation, const char *detail,
                                                          ...)
{
	char expression[256], command[512];
	va_list arguments;

	va_start(arguments, detail);
	vsnprintf(expression, sizeof(expression), detail, arguments);
	va_end(arguments);
	snprintf(command, sizeof(command), "grep -qE '\"operation\":\"%s\".*%s' " FOLDER "/audit",
	         operation, expression);
	if (soon(command))
		return true;
	shell("tail -n 5 " FOLDER "/audit");
	shell_show();
	return false;
}

/* Its memory is not the module's here, so that the module can go. */
static void start_agent(void)
{
	SHELL("rm -rf " FOLDER " && mkdir -m 0700 " FOLDER " && "
	      "printf '[token]\nstorage_path = \"" FOLDER "/store\"\n[security]\nlocked_memory = "
	      "\"mlock\"\n[agent]\nsocket = \"" FOLDER "/sock\"\n[audit]\nlog_path = \"" FOLDER
	      "/audit\"\n' >" FOLDER "/config && chmod 0600 " FOLDER "/config && "
	      "chown -R craton-hsm:craton-hsm " FOLDER);
	SHELL(AS("craton-hsm") "/craton/build/craton-hsm-daemon " FOLDER "/config >" FOLDER
	                       "/log 2>&1 </dev/null & echo $!");
	agent = atoi(shell_output);
	if (soon(ADMIN "--json status | grep -q OPERATIONAL"))
		return;
	shell("cat " FOLDER "/log");
	shell_show();
	ASSERT_TRUE(!"the agent does not answer");
}

static bool agent_says(const char *filter, const char *wanted)
{
	char command[256];

	snprintf(command, sizeof(command), "test \"$(" ADMIN "--json status | jq '%s')\" = %s",
	         filter, wanted);
	return soon(command);
}

static void ask(void *argument)
{
	int *device = argument;

	EXPECT_EQ(slot_find(*device, 1), EPERM);
}

TEST_TIMEOUT(each_event_is_audited, 90)
{
	int device = device_open();
	uint32_t slot;

	start_agent();
	ASSERT_TRUE(agent_says(".events.module", "true"));
	EXPECT_TRUE(audited("kernel_module_found", "source=module"));
	slot = slot_kek(device, NULL);
	EXPECT_TRUE(audited("kernel_slot_created",
	                    "\"uid\":0,\"pid\":%d,.* slot=%u purpose=key-encryption flags=sealed "
	                    "uid=0 pid=%d",
	                    getpid(), slot, getpid()));
	ASSERT_EQ(slot_destroy(device, slot), 0);
	EXPECT_TRUE(audited("kernel_slot_destroyed", " slot=%u uid=0 reason=request", slot));
	in_child(ask, &device);
	EXPECT_TRUE(audited("kernel_access_denied",
	                    "\"result\":\"Failure\".* uid=0 pid=[0-9]+ call=slot-describe"));
	slot = slot_generic(device, 0);
	close(device);
	EXPECT_TRUE(audited("kernel_slot_destroyed", " slot=%u uid=0 reason=closed", slot));
	EXPECT_TRUE(agent_says(".events.lost", "0"));
	SHELL(ADMIN "audit verify-chain " FOLDER "/audit");
}

TEST_TIMEOUT(the_module_comes_and_goes, 90)
{
	int device;
	uint32_t slot;

	SHELL("rmmod craton_hsm");
	start_agent();
	EXPECT_TRUE(agent_says(".events.module", "false"));
	for (int i = 0; i < 2; i++) {
		SHELL("modprobe craton_hsm");
		ASSERT_TRUE(agent_says(".events.module", "true"));
		device = device_open();
		slot = slot_generic(device, 0);
		EXPECT_TRUE(audited("kernel_slot_created", " slot=%u .* pid=%d", slot, getpid()));
		close(device);
		SHELL("rmmod craton_hsm");
		EXPECT_TRUE(agent_says(".events.module", "false"));
	}
	SHELL("test $(grep -c '\"kernel_module_found\"' " FOLDER "/audit) = 2");
	SHELL("test $(grep -c '\"kernel_module_gone\"' " FOLDER "/audit) = 2");
	SHELL("modprobe craton_hsm");
}

TEST_TIMEOUT(what_was_lost_is_known, 90)
{
	int device = device_open();

	start_agent();
	ASSERT_TRUE(agent_says(".events.module", "true"));
	ASSERT_EQ(kill(agent, SIGSTOP), 0);
	for (int i = 0; i < 2000; i++)
		ASSERT_EQ(slot_destroy(device, slot_generic(device, 0)), 0);
	ASSERT_EQ(kill(agent, SIGCONT), 0);
	EXPECT_TRUE(audited("kernel_events_lost", "source=module"));
	EXPECT_TRUE(agent_says(".events.lost", "1"));
	close(device);
}

TEST_TIMEOUT(anybody_follows_them, 60)
{
	time_t deadline = time(NULL) + SECONDS;
	int device = device_open();

	SHELL("rm -f /tmp/ended; { " AS(
		"user") "/craton/build/craton-hsm-admin --json events --count 3 "
	                ">/tmp/followed; echo $? >/tmp/ended; } >/dev/null 2>&1 </dev/null & echo "
	                "$!");
	/* When it listens is not seen from here, so slots come until it has heard enough. */
	while (access("/tmp/ended", R_OK) && time(NULL) < deadline)
		slot_destroy(device, slot_generic(device, 0));
	SHELL("grep -qx 0 /tmp/ended");
	SHELL("cat /tmp/followed; test $(jq -r .event /tmp/followed | wc -l) = 3");
	EXPECT_TRUE(shell_said("\"event\":\"kernel_slot_destroyed\""));
	EXPECT_TRUE(shell_said("\"reason\":\"request\""));
	close(device);
}

/* The agent's metadata beside the module's own keyring, in the user keyring of its user. */
TEST_TIMEOUT(its_tokens_show, 60)
{
	start_agent();
	SHELL(AS("craton-hsm") "keyctl show @u");
	EXPECT_TRUE(shell_said("keyring: craton_hsm:" FOLDER "/sock"));
	EXPECT_TRUE(shell_said("user: craton-hsm: slot 0, not initialized"));
	ASSERT_EQ(kill(agent, SIGTERM), 0);
	EXPECT_TRUE(soon("! " AS("craton-hsm") "keyctl show @u | grep craton_hsm:"));
}

HARNESS_MAIN

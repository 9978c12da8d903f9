/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files are tested, and with what.
 */
#include "self_test.h"

#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"

/* The library beside the daemon, as in the build folder, or else where it is installed. */
static void find_library(const char *daemon_path, char *path, size_t path_len)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", daemon_path);
	snprintf(path, path_len, "%s/libcraton_hsm.so", dirname(folder));
	if (access(path, R_OK))
		snprintf(path, path_len, "%s/libcraton_hsm.so", CRATON_LIBDIR);
	if (access(path, R_OK))
		path[0] = '\0';
}

void self_test_locate(struct agent *agent)
{
	ssize_t len =
		readlink("/proc/self/exe", agent->daemon_path, sizeof(agent->daemon_path) - 1);

	agent->daemon_path[len > 0 ? len : 0] = '\0';
	find_library(agent->daemon_path, agent->library_path, sizeof(agent->library_path));
}

void self_test_run(struct agent *agent, struct post_report *report)
{
	post_run(agent->crypto, agent->daemon_path, agent->library_path,
	         agent->config->security.require_integrity, report);
}

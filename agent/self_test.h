/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-tests of this agent: at start, and whenever an administrator asks (FIPS 140-3 calls them
 * on demand). post.h has the tests.
 */
#ifndef AGENT_SELF_TEST_H
#define AGENT_SELF_TEST_H

#include "agent.h"

/* Finds this daemon's file and the library's. At start only: an upgrade may take the files' place
 * later, which then belong together, too. */
void self_test_locate(struct agent *agent);
/* [slow] Runs all; a failure puts the agent into its error state. */
void self_test_run(struct agent *agent, struct post_report *report);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP: the configuration file read again. Keys marked RELOAD in config.def take effect at once,
 * for the others the log says that they wait for a restart. A file that is not good changes
 * nothing.
 */
#ifndef AGENT_RELOAD_H
#define AGENT_RELOAD_H

struct agent;

/* On one thread only. What it did stands in the log and, for the keys taken over, in the audit log.
 */
void reload_configuration(struct agent *agent);
/* Frees the configurations that were replaced. When no other thread runs any more. */
void reload_free(struct agent *agent);

#endif

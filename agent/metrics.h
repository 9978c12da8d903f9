/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting what is served, and telling it over HTTP (Prometheus' text format, and health). Each
 * thread counts in memory of its own, without a lock and without a cache line that it shares with
 * another; whoever asks adds up.
 */
#ifndef AGENT_METRICS_H
#define AGENT_METRICS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

struct agent;
struct metrics_server;

/* `function` is the message's place in wire/message.def, `mechanism` CKM_* or
 * CK_UNAVAILABLE_INFORMATION. Any thread. */
void metrics_count(unsigned int function, uint64_t mechanism, enum err err, uint64_t duration_ns);

/* Everything in Prometheus' text format 0.0.4. */
void metrics_write(struct agent *agent, FILE *out);

/* Listens as [metrics].listen says; *server is NULL when that is empty. 0, or -1 with one line in
 * `error`. */
int metrics_open(struct metrics_server **server, struct agent *agent, char *error,
                 size_t error_len);
/* NULL is allowed. */
void metrics_close(struct metrics_server *server);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /metrics and /healthz over HTTP for any program of ours: where to listen, and what to say, are
 * the program's.
 */
#ifndef AGENT_METRICS_HTTP_H
#define AGENT_METRICS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct metrics_server;

/* Both are called from the server's thread. */
struct metrics_source {
	void *context; /* outlives the server */
	/* Prometheus' text format 0.0.4. */
	void (*write)(void *context, FILE *out);
	/* Does it serve? If not, `text` says why, with its newline. */
	bool (*healthy)(void *context, char *text, size_t text_len);
};

/* Listens at `where`, a loopback address or the path of a Unix socket, which is the value of the
 * configuration's `key` (static); *server is NULL when it is empty. 0, or -1 with one line in
 * `error`. */
int metrics_http_open(struct metrics_server **server, const char *key, const char *where,
                      const struct metrics_source *source, char *error, size_t error_len);
/* NULL is allowed. */
void metrics_http_close(struct metrics_server *server);

#endif

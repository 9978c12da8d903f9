/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening Unix sockets of the agent.
 */
#ifndef AGENT_LISTENER_H
#define AGENT_LISTENER_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Binds and listens. A stale socket that nobody answers is replaced; one that answers, or a file
 * that is no socket, is refused. Returns the descriptor (close-on-exec), or -1 with one line in
 * `error`.
 */
int listener_open(const char *path, char *error, size_t error_len);
/* The same for the socket of another key of the configuration, "[table].key", with the mode that
 * its file is to have. */
int listener_open_for(const char *key, const char *path, mode_t mode, char *error,
                      size_t error_len);
/* Closes it and removes the file. */
void listener_close(int fd, const char *path);

#endif

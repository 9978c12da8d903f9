/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that hold the token: walked component by component, so that no symbolic link is followed
 * and each refusal can name its reason (BEHAVIOUR B8, B14).
 */
#ifndef AGENT_PATH_H
#define AGENT_PATH_H

#include <stddef.h>

/*
 * Opens the directory that holds the last component of `path` and points *name at that component
 * (inside `path`). Refuses relative paths, `.` and `..`, symbolic links and missing directories.
 * The descriptor, or -1 with one line in `error`. It is an O_PATH one: good for the *at calls and
 * path_sync, not for reading or fsync.
 */
int path_open_parent(const char *path, const char **name, char *error, size_t error_len);
/*
 * Opens `path` as a directory of our own with mode 0700, making it (only the last component) if it
 * is missing. The descriptor, or -1 with one line in `error`.
 */
int path_open_private_directory(const char *path, char *error, size_t error_len);
/* Makes durable what was made, linked or removed in a directory. 0, or -1 with errno. */
int path_sync(int directory) __attribute__((warn_unused_result));
/* One line for an errno that opening or making `path` gave: path, reason, what to do. Returns -1.
 */
int path_refuse_errno(const char *path, int number, char *error, size_t error_len);

#endif

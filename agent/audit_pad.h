/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pad: a small file beside the audit log, mapped into memory, in which records stand from the
 * moment they are chained until they are in the log itself. What is in it belongs to the kernel's
 * page cache like anything that was written, so it survives the death of the process, and putting a
 * record there takes no system call. The next start moves what it finds there into the log.
 *
 * It has two halves; one is filled while the other is written to the log.
 */
#ifndef AGENT_AUDIT_PAD_H
#define AGENT_AUDIT_PAD_H

#include <stdbool.h>
#include <stddef.h>

#define AUDIT_PAD_HALF (1024u * 1024u) /* octets */

struct audit_pad;

/*
 * Opens or creates (0600) `.NAME.pending` in the folder of the log, NAME being the log's, with its
 * disk space reserved. The log's lock guards it, too. NULL with one line in `error`.
 */
struct audit_pad *audit_pad_open(const char *log_path, char *error, size_t error_len);
/* Unmaps it; the file stays. NULL is allowed. */
void audit_pad_close(struct audit_pad *pad);

/* The memory of one half (0 or 1), AUDIT_PAD_HALF octets. */
char *audit_pad_half(struct audit_pad *pad, unsigned int half);
/* From now on the half holds this many octets, complete lines. */
void audit_pad_publish(struct audit_pad *pad, unsigned int half, size_t len);
/* Its records are in the log, or never were. */
void audit_pad_empty(struct audit_pad *pad);
/* Which half this memory is. */
unsigned int audit_pad_index(const struct audit_pad *pad, const char *memory);

/*
 * The lines that an agent which died left there, without their newlines, oldest first, until
 * `take` returns false. True when all were taken.
 */
bool audit_pad_each(struct audit_pad *pad,
                    bool (*take)(void *context, const char *line, size_t len), void *context);
/* Keeps what it holds, which does not fit the log, in a file of another name: .damaged, and a
 * number when there is one. False with errno. */
bool audit_pad_set_aside(struct audit_pad *pad);

#endif

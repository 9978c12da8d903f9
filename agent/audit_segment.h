/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of one audit log: the one that is written, and the segments that were moved aside, by
 * us, by logrotate or by hand. A segment is any file in the log's folder whose name begins with the
 * log's and a '.' or '-'. Its place in the chain is told by what is in it, not by its name.
 */
#ifndef AGENT_AUDIT_SEGMENT_H
#define AGENT_AUDIT_SEGMENT_H

#include "audit_fold.h"
#include "audit_format.h"

#define AUDIT_SEGMENTS_MAX 4096u

/* Where a chain ends. */
struct audit_end {
	uint64_t sequence; /* 0: there is no record */
	uint8_t hash[AUDIT_HASH_LEN];
};

/* The end of the newest segment, for a log that is empty or new. Segments that cannot be read are
 * passed over, and logged. */
void audit_segment_end(const char *log_path, const EVP_MD *sha256, struct audit_end *end);
/* Folds all segments and the log itself, in order. False when the chain does not begin with its
 * first record: then the account is not complete. */
bool audit_segment_fold(const char *log_path, struct audit_fold *fold);

/*
 * Moves the log aside and begins a new one in its place (0600, locked like audit_file_open's):
 * `name` gets the segment's path. The new file's descriptor, or -1 with errno and the log as it
 * was.
 */
int audit_segment_rotate(const char *log_path, uint64_t first, uint64_t last, char *name,
                         size_t name_len);

#endif

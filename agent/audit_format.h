/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One audit record as text, without printf: it stands in the path of every signature.
 */
#ifndef AGENT_AUDIT_FORMAT_H
#define AGENT_AUDIT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "audit.h"

#define AUDIT_HASH_LEN   32u
#define AUDIT_DETAIL_MAX 1200u /* octets of `detail` that are written */
#define AUDIT_LINE_MAX   2560u /* longest line that audit_format makes, newline included */

/* Where a record stands in the log. */
struct audit_place {
	uint64_t sequence;
	uint64_t anchor;              /* extension of the register (audit_fold.h); 0: not told */
	const uint8_t *previous_hash; /* AUDIT_HASH_LEN octets */
};

/*
 * Writes the record as one line of JSON with its newline into `line` (AUDIT_LINE_MAX octets) and
 * returns its length. `timestamp_ns` is Unix time.
 */
size_t audit_format(char *line, const struct audit_record *record, const struct audit_place *place,
                    int64_t timestamp_ns);

#endif

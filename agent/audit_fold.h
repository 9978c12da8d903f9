/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an audit log tells of its register in the kernel module. The register is extended once per
 * batch, by the hash of the batch's last record; the first record of the next batch carries the
 * number of that extension ("anchor") and, as every record, that hash (previous_hash). So whoever
 * reads the log can compute the register up to its last batch, whose own extension nothing in the
 * log tells of: that one is tried.
 *
 * A register begins anew, at zeros and number 1, when the module was loaded again.
 */
#ifndef AGENT_AUDIT_FOLD_H
#define AGENT_AUDIT_FOLD_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel.h"

struct audit_fold {
	const EVP_MD *sha256;
	struct kernel_register told; /* after the last extension that the log tells of */
	uint64_t restarts;           /* times that the register began anew, but for the first */
	/* Since an extension that does not follow the one before it `told` is unknown. */
	bool broken;
	uint64_t broken_sequence, broken_from, broken_to;
};

/* The register of the log at this path: of its real path, so that it is the same for all. */
bool audit_log_id(const EVP_MD *sha256, const char *path, uint8_t log_id[KERNEL_LOG_ID_LEN]);

void audit_fold_begin(struct audit_fold *fold, const EVP_MD *sha256);
/* How a broken fold broke, in words. */
void audit_fold_describe(const struct audit_fold *fold, char *problem, size_t problem_len);
bool audit_register_equal(const struct kernel_register *a, const struct kernel_register *b);
/* The next record. `anchor` 0: it tells of no extension. */
void audit_fold_record(struct audit_fold *fold, uint64_t sequence, uint64_t anchor,
                       const uint8_t previous_hash[KERNEL_REGISTER_LEN]);
/* Was this register's last extension by the record with this hash, after all that was told? */
bool audit_fold_fits(const struct audit_fold *fold, const struct kernel_register *now,
                     const uint8_t hash[KERNEL_REGISTER_LEN]);

#endif

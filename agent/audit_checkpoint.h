/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed checkpoints of the audit log. A checkpoint is a record that signs its own number and the
 * hash of the record before it, and with that all records before it: who has the public key needs
 * nothing else of this machine to know that they are as they were written.
 *
 * What is signed (ECDSA P-256 with SHA-256) is text, so that openssl(1) can verify it:
 *
 *   craton-hsm audit checkpoint\n NUMBER \n PREVIOUS_HASH \n      (without the blanks)
 */
#ifndef AGENT_AUDIT_CHECKPOINT_H
#define AGENT_AUDIT_CHECKPOINT_H

#include "audit_format.h"
#include "crypto.h"
#include "store.h"

#define AUDIT_CHECKPOINT_OPERATION "audit-checkpoint"
#define AUDIT_CHECKPOINT_LEN       160u /* more than "p256-sha256:" and a signature in hex */

/* The agent's key for it, made at the first start and kept in the store under the device key. */
enum err audit_checkpoint_key(struct crypto *crypto, struct store *store, const uint8_t *device_key,
                              EVP_PKEY **pkey) MUST_CHECK;
/* Writes the signature as the record's detail. */
bool audit_checkpoint_sign(struct crypto *crypto, EVP_PKEY *pkey, uint64_t sequence,
                           const uint8_t previous_hash[AUDIT_HASH_LEN],
                           char detail[AUDIT_CHECKPOINT_LEN]) MUST_CHECK;
bool audit_checkpoint_verify(EVP_PKEY *pkey, uint64_t sequence,
                             const uint8_t previous_hash[AUDIT_HASH_LEN], const char *detail,
                             size_t detail_len) MUST_CHECK;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's state, for audit.c, which appends and writes, and audit_open.c, which finds the
 * end of the chain, takes over what an agent that was killed left, and closes.
 */
#ifndef AGENT_AUDIT_PRIVATE_H
#define AGENT_AUDIT_PRIVATE_H

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "audit.h"
#include "audit_anchor.h"
#include "audit_format.h"
#include "audit_pad.h"

#define BUFFER_LEN  AUDIT_PAD_HALF /* more than this unwritten is a disk that does not keep up */
#define LOSSES_KEPT 64u

struct loss {
	uint64_t first, last; /* tickets */
};

struct audit {
	pthread_mutex_t lock;
	const struct config *_Atomic config;
	const EVP_MD *sha256;
	EVP_MD_CTX *hashing;
	int fd;
	dev_t device; /* the file's, to see when its name is another's */
	ino_t inode;
	struct audit_watch *watch; /* sees it at once; NULL: nobody does */
	uint64_t looked_ns;        /* when that was seen to last */
	uint64_t segment_first;    /* number of the first record in the file */
	pthread_cond_t landed;     /* no batch is in flight any more */
	bool rotating;             /* somebody waits for that */
	uint64_t rotate_again_ns;  /* not before then */
	EVP_PKEY *signer;          /* of checkpoints; NULL: none are made */
	struct crypto *crypto;
	uint64_t checkpoint; /* number of the last one */
	uint64_t checkpoint_ns;
	uint64_t ticket;              /* last one given out */
	_Atomic uint64_t written;     /* last one settled: safe, or lost */
	uint64_t file_ticket;         /* last one in the file, or lost */
	uint64_t sequence;            /* of the last record appended */
	uint8_t hash[AUDIT_HASH_LEN]; /* of the last record appended, once it is chained */
	const char *unchained;        /* that record, while its hash is still to be made */
	_Atomic size_t unchained_len; /* without its newline; 0: the hash is there */
	uint64_t file_sequence;       /* the same of the last record in the file */
	uint8_t file_hash[AUDIT_HASH_LEN];
	off_t file_len;        /* octets of complete records */
	struct audit_pad *pad; /* NULL: there is none */
	char *pending, *flight;
	_Atomic size_t pending_len;
	size_t flight_len, flight_written;
	_Atomic uint64_t pending_ns; /* when the first of it came */
	bool in_flight, flight_failed;
	_Atomic bool stalled;                    /* what is in flight is to be written again */
	_Atomic uint64_t tried_ns;               /* when a batch was last begun */
	uint64_t flight_ticket, flight_sequence; /* last ones of the batch */
	uint8_t flight_hash[AUDIT_HASH_LEN];
	bool unsynced;
	uint64_t synced_ns;
	_Atomic uint64_t failures, lost;
	struct loss losses[LOSSES_KEPT];
	struct audit_anchor anchor;
};

/* SHA-256 of a line without its newline. Under the lock. */
void audit_hash_line(struct audit *audit, const char *line, size_t len,
                     uint8_t hash[AUDIT_HASH_LEN]);
/* From now on this is the file. Under the lock, with no batch in flight. */
void audit_adopt(struct audit *audit, int fd, off_t len);
/* A record of the log's own. Under the lock. */
void audit_append_note(struct audit *audit, const char *operation, enum err result,
                       const char *detail);

#endif

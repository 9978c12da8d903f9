/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's state: chain, buffers, file. Records are chained as they are appended and wait in
 * `pending`; a batch moves them to `flight` while a loop writes it.
 *
 * Where both are halves of the pad (audit_pad.h) and nothing more is promised than to survive the
 * process, a record is settled as soon as it stands there. If a write fails then, the log stalls:
 * what is in the pad stays for the next try, and until one succeeds nothing more is appended.
 *
 * Otherwise a record is settled when its batch is written. If that fails, everything that is not in
 * the file is lost: the chain falls back to the last record in the file, and the replies that
 * waited are answered by an error.
 *
 * A record's number in the file (`sequence`) and the number its caller waits for (`ticket`) differ
 * after such a loss: sequence numbers have no gaps, tickets are never used twice.
 */
#include "audit_private.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_anchor.h"
#include "audit_checkpoint.h"
#include "audit_file.h"
#include "audit_format.h"
#include "audit_pad.h"
#include "audit_scan.h"
#include "audit_segment.h"
#include "audit_watch.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "log.h"

#define DUE_LEN    (32u * 1024u) /* settled octets that are written without waiting for more */
#define DUE_NS     1000000u      /* and the age at which they are */
#define SECOND_NS  1000000000ull
#define STALL_NS   (SECOND_NS / 10) /* between two tries of a log that cannot be written */
#define LOOK_NS    (SECOND_NS / 10) /* between two looks at the file's name */
#define RETRY_NS   (10 * SECOND_NS) /* after a rotation that failed */
#define SIGN_NS    (60 * SECOND_NS) /* a checkpoint when there was none for so long, */
#define SIGN_COUNT 4096u            /* or for so many records */

void audit_hash_line(struct audit *audit, const char *line, size_t len,
                     uint8_t hash[AUDIT_HASH_LEN])
{
	unsigned int hash_len = AUDIT_HASH_LEN;

	/* SHA-256 of memory cannot fail once it was fetched; if it did, the verifier would find the
	 * zeros. */
	if (!EVP_DigestInit_ex2(audit->hashing, audit->sha256, NULL) ||
	    !EVP_DigestUpdate(audit->hashing, line, len) ||
	    !EVP_DigestFinal_ex(audit->hashing, hash, &hash_len))
		memset(hash, 0, AUDIT_HASH_LEN);
}

/* The hash of the last record, which nobody has needed so far. Under the lock. */
static void chain(struct audit *audit)
{
	if (!audit->unchained_len)
		return;
	audit_hash_line(audit, audit->unchained, audit->unchained_len, audit->hash);
	audit->unchained_len = 0;
}

static bool wanted(const struct audit *audit, enum audit_class class)
{
	static const enum audit_class least[] = {
		[CONFIG_AUDIT_ALL] = AUDIT_SESSION,
		[CONFIG_AUDIT_CRYPTO] = AUDIT_CRYPTO,
		[CONFIG_AUDIT_AUTH] = AUDIT_AUTH,
		[CONFIG_AUDIT_ADMIN] = AUDIT_ADMIN,
	};

	if (!audit->config->audit.enabled || audit->config->audit.log_level == CONFIG_AUDIT_NONE)
		return false;
	return class >= least[audit->config->audit.log_level];
}

/* Is a record safe once it stands in the pad? Under the lock. */
static bool settles_in_pad(const struct audit *audit)
{
	return audit->pad && !audit->anchor.methods &&
	       audit->config->audit.sync != CONFIG_SYNC_ALWAYS;
}

/* Under the lock. False when the buffer is full. */
static bool append_one(struct audit *audit, const struct audit_record *record)
{
	char *line = audit->pending + audit->pending_len;
	struct audit_place place = {.sequence = audit->sequence + 1, .previous_hash = audit->hash};
	size_t len;

	if (BUFFER_LEN - audit->pending_len < AUDIT_LINE_MAX)
		return false;
	chain(audit);
	if (!audit->pending_len) {
		place.anchor = audit_anchor_number(&audit->anchor, audit->in_flight);
		audit->pending_ns = clock_monotonic_ns();
	}
	len = audit_format(line, record, &place, clock_wall_ns());
	audit->unchained = line;
	audit->unchained_len = len - 1;
	audit->sequence++;
	audit->pending_len += len;
	/* With a register nothing is promised before the batch is written, and what is in no batch
	 * must not come back: it tells a number that the register never reached. */
	if (audit->pad && !audit->anchor.methods)
		audit_pad_publish(audit->pad, audit_pad_index(audit->pad, audit->pending),
		                  audit->pending_len);
	return true;
}

/* The next number, for what was just appended. Under the lock. */
static uint64_t give_ticket(struct audit *audit)
{
	uint64_t ticket = ++audit->ticket;

	/* When the disk does not keep up, replies wait for it before the pad is full. */
	if (settles_in_pad(audit) && audit->pending_len < BUFFER_LEN / 2)
		atomic_store_explicit(&audit->written, ticket, memory_order_release);
	return ticket;
}

struct audit_record audit_own_record(const char *operation, enum err result, const char *detail)
{
	return (struct audit_record){
		.class = AUDIT_ADMIN,
		.operation = operation,
		.result = result,
		.mechanism = CK_UNAVAILABLE_INFORMATION,
		.fips_approved = true,
		.uid = getuid(),
		.pid = getpid(),
		.detail = detail,
	};
}

/* A record of the log's own. Under the lock. */
void audit_append_note(struct audit *audit, const char *operation, enum err result,
                       const char *detail)
{
	struct audit_record record = audit_own_record(operation, result, detail);

	if (append_one(audit, &record))
		give_ticket(audit);
}

/* Under the lock. The signature is of the record before, whose hash is at hand. */
static void append_checkpoint(struct audit *audit)
{
	char detail[AUDIT_CHECKPOINT_LEN];

	if (!audit->signer || audit->checkpoint == audit->sequence)
		return;
	chain(audit);
	if (!audit_checkpoint_sign(audit->crypto, audit->signer, audit->sequence + 1, audit->hash,
	                           detail)) {
		log_error("audit log: a checkpoint cannot be signed; there will be no more");
		audit->signer = NULL;
		return;
	}
	audit_append_note(audit, AUDIT_CHECKPOINT_OPERATION, ERROR_NONE, detail);
	audit->checkpoint = audit->sequence;
	audit->checkpoint_ns = clock_monotonic_ns();
}

static bool append(struct audit *audit, const struct audit_record *record)
{
	if (!append_one(audit, record))
		return false;
	if (audit->signer && audit->sequence - audit->checkpoint >= SIGN_COUNT)
		append_checkpoint(audit);
	return true;
}

uint64_t audit_append(struct audit *audit, const struct audit_record *record, enum err *result)
{
	uint64_t ticket = 0;

	if (!wanted(audit, record->class))
		return 0;
	pthread_mutex_lock(&audit->lock);
	if (!audit->stalled && append(audit, record))
		ticket = give_ticket(audit);
	else
		*result = ERROR_AUDIT;
	pthread_mutex_unlock(&audit->lock);
	return ticket;
}

uint64_t audit_append_own(struct audit *audit, const struct audit_record *record)
{
	enum err err = ERROR_NONE;
	uint64_t ticket = audit_append(audit, record, &err);

	if (err)
		log_error("%s is not in the audit log: %s", record->operation, err_text(err));
	return ticket;
}

void audit_catch_up(struct audit *audit)
{
	if (!audit || !atomic_load_explicit(&audit->unchained_len, memory_order_relaxed))
		return;
	pthread_mutex_lock(&audit->lock);
	chain(audit);
	pthread_mutex_unlock(&audit->lock);
}

uint64_t audit_written(const struct audit *audit)
{
	return audit ? atomic_load_explicit(&audit->written, memory_order_acquire) : 0;
}

bool audit_is_pending(const struct audit *audit)
{
	if (!audit)
		return false;
	if (atomic_load_explicit(&audit->stalled, memory_order_acquire))
		return clock_monotonic_ns() - audit->tried_ns >= STALL_NS;
	return atomic_load_explicit(&audit->pending_len, memory_order_acquire);
}

bool audit_is_due(const struct audit *audit, uint64_t now_ns)
{
	size_t len;

	if (!audit || atomic_load_explicit(&audit->stalled, memory_order_relaxed))
		return false;
	len = atomic_load_explicit(&audit->pending_len, memory_order_relaxed);
	return len >= DUE_LEN ||
	       (len && now_ns - audit->pending_ns >= DUE_NS && now_ns > audit->pending_ns);
}

bool audit_lost(struct audit *audit, uint64_t ticket)
{
	bool lost = false;

	if (!audit || !atomic_load_explicit(&audit->lost, memory_order_acquire))
		return false;
	pthread_mutex_lock(&audit->lock);
	for (unsigned int i = 0; i < LOSSES_KEPT && !lost; i++)
		lost = ticket >= audit->losses[i].first && ticket <= audit->losses[i].last;
	pthread_mutex_unlock(&audit->lock);
	return ticket && lost;
}

/* ---- the file and its name ---- */

/* From now on this is the file. Under the lock, with no batch in flight. */
void audit_adopt(struct audit *audit, int fd, off_t len)
{
	struct stat status;

	if (audit->fd >= 0)
		close(audit->fd);
	audit->fd = fd;
	audit->file_len = len;
	audit->segment_first = audit->file_sequence + 1;
	if (!fstat(fd, &status)) {
		audit->device = status.st_dev;
		audit->inode = status.st_ino;
	}
	audit_watch_file(audit->watch, audit->config->audit.log_path);
}

/* The name is another file's, or nobody's: whoever moved the log away wants a new one. */
static void follow_name(struct audit *audit)
{
	const char *path = audit->config->audit.log_path;
	struct audit_tail tail;
	char error[512];
	int fd = audit_file_open(path, &tail, error, sizeof(error));

	if (fd < 0) {
		log_error("audit log: %s; records go to the file that was moved away", error);
		return;
	}
	if (tail.sequence) {
		log_error("audit log: %s holds records of another log; records go to the file that "
		          "was moved away",
		          path);
		close(fd);
		return;
	}
	audit_adopt(audit, fd, 0);
	audit_append_note(audit, "audit-reopened", ERROR_NONE, "the file was moved away");
	append_checkpoint(audit);
	log_notice("audit log: %s was moved away; it goes on in a new file", path);
}

/* What was cut off is in somebody's copy (copytruncate), or lost, which the verifier finds. */
static void follow_truncation(struct audit *audit, off_t len)
{
	log_warning("audit log: %s was truncated from %lld to %lld octets",
	            audit->config->audit.log_path, (long long)audit->file_len, (long long)len);
	audit->file_len = len;
	if (!len)
		audit->segment_first = audit->file_sequence + 1;
	audit_append_note(audit, "audit-reopened", ERROR_NONE, "the file was truncated");
	append_checkpoint(audit);
}

/* Under the lock, with no batch in flight: so what is written next goes to the right place. */
static void look_at_file(struct audit *audit, uint64_t now)
{
	struct stat status;

	audit->looked_ns = now;
	if (stat(audit->config->audit.log_path, &status) || status.st_ino != audit->inode ||
	    status.st_dev != audit->device)
		follow_name(audit);
	else if (status.st_size < audit->file_len)
		follow_truncation(audit, status.st_size);
}

/* Under the lock, with no batch in flight. 0 or -errno, and then the log goes on in its file. */
static int rotate(struct audit *audit, char *name, size_t name_len)
{
	int fd;

	if (audit->file_sequence < audit->segment_first)
		return -ENODATA;
	fd = audit_segment_rotate(audit->config->audit.log_path, audit->segment_first,
	                          audit->file_sequence, name, name_len);
	if (fd < 0) {
		int failed = -errno;

		log_error("audit log: %s cannot be rotated: %s", audit->config->audit.log_path,
		          strerror(-failed));
		return failed;
	}
	audit_adopt(audit, fd, 0);
	audit_append_note(audit, "audit-rotated", ERROR_NONE, name);
	append_checkpoint(audit);
	log_notice("audit log: rotated to %s", name);
	return 0;
}

/* Before each batch. Under the lock. */
static void tend_file(struct audit *audit)
{
	uint64_t now = clock_monotonic_ns(), max_size = audit->config->audit.max_size;
	char name[PATH_MAX];

	if (audit_watch_moved(audit->watch) || now - audit->looked_ns >= LOOK_NS)
		look_at_file(audit, now);
	if (max_size && (uint64_t)audit->file_len >= max_size && now >= audit->rotate_again_ns &&
	    rotate(audit, name, sizeof(name)))
		audit->rotate_again_ns = now + RETRY_NS;
	if (audit->signer && now - audit->checkpoint_ns >= SIGN_NS)
		append_checkpoint(audit);
}

int audit_rotate(struct audit *audit, char *name, size_t name_len)
{
	int result = -ENOENT;

	pthread_mutex_lock(&audit->lock);
	audit->rotating = true;
	while (audit->in_flight)
		pthread_cond_wait(&audit->landed, &audit->lock);
	if (audit->fd >= 0)
		result = rotate(audit, name, name_len);
	audit->rotating = false;
	pthread_mutex_unlock(&audit->lock);
	return result;
}

void audit_sign(struct audit *audit, EVP_PKEY *signer)
{
	pthread_mutex_lock(&audit->lock);
	audit->signer = audit->fd >= 0 ? signer : NULL;
	append_checkpoint(audit);
	pthread_mutex_unlock(&audit->lock);
}

/* ---- batches ---- */

/* What was appended becomes what is written. Under the lock. */
static void begin_flight(struct audit *audit)
{
	char *empty = audit->flight;

	chain(audit);
	audit->flight = audit->pending;
	audit->flight_len = audit->pending_len;
	audit->pending = empty;
	audit->pending_len = 0;
	audit->flight_ticket = audit->ticket;
	audit->flight_sequence = audit->sequence;
	memcpy(audit->flight_hash, audit->hash, AUDIT_HASH_LEN);
}

bool audit_batch_take(struct audit *audit, int *fd, struct wire_bytes *batch, bool *sync)
{
	bool taken;

	pthread_mutex_lock(&audit->lock);
	taken = !audit->in_flight && !audit->rotating && (audit->pending_len || audit->stalled);
	if (taken) {
		tend_file(audit);
		if (!audit->stalled)
			begin_flight(audit);
		audit->flight_written = 0;
		audit->tried_ns = clock_monotonic_ns();
		audit->in_flight = true;
		audit->flight_failed = false;
		*fd = audit->fd;
		*batch = (struct wire_bytes){(const uint8_t *)audit->flight, audit->flight_len};
		*sync = audit->config->audit.sync == CONFIG_SYNC_ALWAYS;
	}
	pthread_mutex_unlock(&audit->lock);
	return taken;
}

bool audit_batch_written(struct audit *audit, ssize_t result, struct wire_bytes *batch)
{
	/* The batch is the caller's alone until audit_batch_done, so no lock. A write of nothing
	 * would go round for ever. */
	if (result <= 0) {
		if (!audit->stalled)
			log_error("audit log: write failed: %s; operations fail until it can be "
			          "written",
			          strerror(result ? (int)-result : ENOSPC));
		audit->flight_failed = true;
		return false;
	}
	audit->flight_written += (size_t)result;
	*batch = (struct wire_bytes){(const uint8_t *)audit->flight + audit->flight_written,
	                             audit->flight_len - audit->flight_written};
	return batch->len > 0;
}

/* Takes back what a batch left in the file; never makes a file longer that somebody has truncated.
 */
static int cut_back(struct audit *audit)
{
	struct stat status;

	if (fstat(audit->fd, &status))
		return -1;
	return status.st_size > audit->file_len ? ftruncate(audit->fd, audit->file_len) : 0;
}

/* Under the lock: who waits for a record that is not settled is told that it failed. */
static void lose_unsettled(struct audit *audit)
{
	uint64_t settled = atomic_load(&audit->written);
	uint64_t lost = atomic_load(&audit->lost);

	if (settled == audit->ticket)
		return;
	audit->losses[lost % LOSSES_KEPT] = (struct loss){settled + 1, audit->ticket};
	atomic_store_explicit(&audit->lost, lost + 1, memory_order_release);
	atomic_store_explicit(&audit->written, audit->ticket, memory_order_release);
}

/* Under the lock: what is not in the file never was. */
static void fall_back(struct audit *audit)
{
	lose_unsettled(audit);
	audit->pending_len = 0;
	if (audit->pad)
		audit_pad_empty(audit->pad);
	audit->sequence = audit->file_sequence;
	if (audit->checkpoint > audit->sequence)
		audit->checkpoint = 0;
	memcpy(audit->hash, audit->file_hash, AUDIT_HASH_LEN);
	audit->unchained_len = 0;
	audit->file_ticket = audit->ticket;
}

/* Under the lock. What has been answered for is never given up. */
static void fail_batch(struct audit *audit)
{
	if (audit->flight_written && cut_back(audit))
		log_error("audit log: a torn record cannot be cut off: %s", strerror(errno));
	if (!audit->stalled)
		atomic_fetch_add(&audit->failures, 1);
	if (atomic_load(&audit->written) > audit->file_ticket) {
		lose_unsettled(audit);
		audit->stalled = true;
	} else {
		fall_back(audit);
	}
}

/* Under the lock. */
static void settle(struct audit *audit)
{
	if (audit->stalled)
		log_notice("audit log: it can be written again");
	audit->stalled = false;
	if (audit->pad)
		audit_pad_publish(audit->pad, audit_pad_index(audit->pad, audit->flight), 0);
	audit->file_len += (off_t)audit->flight_len;
	audit->file_sequence = audit->flight_sequence;
	audit->file_ticket = audit->flight_ticket;
	memcpy(audit->file_hash, audit->flight_hash, AUDIT_HASH_LEN);
	audit->unsynced = true;
	if (atomic_load(&audit->written) < audit->flight_ticket)
		atomic_store_explicit(&audit->written, audit->flight_ticket, memory_order_release);
}

bool audit_batch_done(struct audit *audit, int sync_result)
{
	struct kernel_register now;
	bool more, extended;

	if (sync_result) {
		log_error("audit log: fdatasync failed: %s", strerror(-sync_result));
		audit->flight_failed = true;
	}
	extended = !audit->flight_failed &&
	           audit_anchor_extend(&audit->anchor, audit->flight_hash, &now);
	pthread_mutex_lock(&audit->lock);
	if (audit->flight_failed) {
		fail_batch(audit);
	} else {
		settle(audit);
		audit_anchor_settle(&audit->anchor, extended, &now);
	}
	audit->in_flight = false;
	more = audit->pending_len > 0 && !audit->stalled;
	pthread_cond_broadcast(&audit->landed);
	pthread_mutex_unlock(&audit->lock);
	return more;
}

bool audit_sync_due(struct audit *audit, int *fd)
{
	uint64_t now = clock_monotonic_ns();
	bool due;

	pthread_mutex_lock(&audit->lock);
	due = audit->unsynced && audit->config->audit.sync == CONFIG_SYNC_BATCH &&
	      now - audit->synced_ns >= SECOND_NS;
	if (due) {
		audit->unsynced = false;
		audit->synced_ns = now;
		*fd = audit->fd;
	}
	pthread_mutex_unlock(&audit->lock);
	return due;
}

void audit_statistics(struct audit *audit, struct audit_statistics *statistics)
{
	pthread_mutex_lock(&audit->lock);
	statistics->path = audit->config->audit.log_path;
	statistics->sequence = audit->sequence;
	statistics->written = audit->file_sequence;
	statistics->failures = atomic_load(&audit->failures);
	statistics->anchored = audit->anchor.methods != NULL;
	statistics->anchor = audit->anchor.counter;
	pthread_mutex_unlock(&audit->lock);
}

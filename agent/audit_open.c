/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the log: finding where its chain ends, in the file or in a segment, taking over what an
 * agent that was killed left in the pad, and saying that an agent begins. And closing it.
 */
#include "audit_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit_file.h"
#include "audit_scan.h"
#include "audit_segment.h"
#include "audit_watch.h"
#include "config.h"
#include "crypto.h"
#include "log.h"

/* Start-up and shut-down only: no loop runs, so a plain write is right. */
static int flush(struct audit *audit)
{
	struct wire_bytes batch;
	bool sync, more = true;
	int fd;

	if (!audit_batch_take(audit, &fd, &batch, &sync))
		return 0;
	while (more) {
		ssize_t written = write(fd, batch.data, batch.len);

		more = audit_batch_written(audit, written < 0 ? -errno : written, &batch);
	}
	audit_batch_done(audit, fdatasync(fd) ? -errno : 0);
	return audit->flight_failed ? -1 : 0;
}

static void note(struct audit *audit, const char *operation, enum err result, const char *detail)
{
	pthread_mutex_lock(&audit->lock);
	audit_append_note(audit, operation, result, detail);
	pthread_mutex_unlock(&audit->lock);
}

static struct audit *audit_new(const struct config *config, struct crypto *crypto)
{
	struct audit *audit = calloc(1, sizeof(*audit));

	if (!audit)
		return NULL;
	pthread_mutex_init(&audit->lock, NULL);
	pthread_cond_init(&audit->landed, NULL);
	audit->crypto = crypto;
	audit->config = config;
	audit->fd = -1;
	audit->sha256 = crypto_md(crypto, DIGEST_SHA256);
	audit->hashing = EVP_MD_CTX_new();
	return audit;
}

void audit_configure(struct audit *audit, const struct config *config)
{
	audit->config = config;
}

static void audit_free(struct audit *audit)
{
	audit_watch_close(audit->watch);
	if (audit->fd >= 0)
		close(audit->fd);
	EVP_MD_CTX_free(audit->hashing);
	if (!audit->pad) {
		free(audit->pending);
		free(audit->flight);
	}
	audit_pad_close(audit->pad);
	pthread_cond_destroy(&audit->landed);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

/* What the register says against the log stands in the log too; then the service goes on. */
static void resume_anchor(struct audit *audit, const struct kernel_anchor *anchor, bool has_records)
{
	const char *path = audit->config->audit.log_path;
	char problem[160];

	audit_anchor_open(&audit->anchor, anchor, audit->sha256, path);
	if (audit_anchor_resume(&audit->anchor, path, has_records ? audit->hash : NULL, problem,
	                        sizeof(problem)))
		return;
	log_error("audit log: %s does not fit its register in the kernel module: %s", path,
	          problem);
	note(audit, "anchor-mismatch", ERROR_ANCHOR, problem);
}

/* Where the chain ends: in the file, or when that is empty in the newest segment. */
static void find_end(struct audit *audit, const struct audit_tail *tail)
{
	struct audit_end end = {.sequence = tail->sequence};

	if (tail->last_line_len)
		audit_hash_line(audit, tail->last_line, tail->last_line_len, end.hash);
	else
		audit_segment_end(audit->config->audit.log_path, audit->sha256, &end);
	audit->sequence = audit->file_sequence = end.sequence;
	memcpy(audit->hash, end.hash, AUDIT_HASH_LEN);
	memcpy(audit->file_hash, end.hash, AUDIT_HASH_LEN);
	audit->segment_first = tail->first_sequence ? tail->first_sequence : end.sequence + 1;
}

/* ---- the pad ---- */

/* Records out of the pad, on their way into the log. */
struct leftovers {
	struct audit *audit;
	struct wire_buffer lines;
	uint64_t count;
};

static bool continues(const struct audit *audit, const struct audit_line *line)
{
	return wire_bytes_equal((struct wire_bytes){line->previous_hash, AUDIT_HASH_LEN},
	                        (struct wire_bytes){audit->hash, AUDIT_HASH_LEN});
}

/* Those that the log has already are passed over; the next must be the next. */
static bool take_leftover(void *context, const char *text, size_t len)
{
	struct leftovers *left = context;
	struct audit *audit = left->audit;
	struct audit_line line;

	if (!audit_scan(text, len, &line))
		return false;
	if (line.sequence <= audit->sequence)
		return true;
	if (line.sequence != audit->sequence + 1 || !continues(audit, &line))
		return false;
	wire_put_raw(&left->lines, text, len);
	wire_put_raw(&left->lines, "\n", 1);
	if (left->lines.failed)
		return false;
	audit_hash_line(audit, text, len, audit->hash);
	audit->sequence++;
	left->count++;
	return true;
}

static bool write_all(int fd, const uint8_t *octets, size_t len)
{
	while (len) {
		ssize_t written = write(fd, octets, len);

		if (written <= 0)
			return false;
		octets += written;
		len -= (size_t)written;
	}
	return fdatasync(fd) == 0;
}

/* What the agent that died before us had chained, but not yet written. False: the log cannot be
 * written. */
static bool recover_from_pad(struct audit *audit)
{
	struct leftovers left = {.audit = audit};
	bool fits, written;

	wire_buffer_init(&left.lines, 2 * BUFFER_LEN, NULL);
	fits = audit_pad_each(audit->pad, take_leftover, &left);
	written = write_all(audit->fd, left.lines.data, left.lines.len);
	audit->file_len += (off_t)left.lines.len;
	audit->file_sequence = audit->sequence;
	memcpy(audit->file_hash, audit->hash, AUDIT_HASH_LEN);
	if (written && left.count)
		log_notice("audit log: %llu records of an agent that was killed are moved into it",
		           (unsigned long long)left.count);
	if (!fits) {
		log_error("audit log: pending records do not continue it; they are set aside");
		written = audit_pad_set_aside(audit->pad) && written;
	}
	wire_buffer_free(&left.lines);
	return written;
}

/* Without a pad each batch is waited for. False: out of memory. */
static bool get_buffers(struct audit *audit)
{
	char error[512];

	audit->pad = audit_pad_open(audit->config->audit.log_path, error, sizeof(error));
	if (audit->pad) {
		audit->pending = audit_pad_half(audit->pad, 0);
		audit->flight = audit_pad_half(audit->pad, 1);
		return true;
	}
	log_warning("audit log: %s; every reply waits for the log itself", error);
	audit->pending = malloc(BUFFER_LEN);
	audit->flight = malloc(BUFFER_LEN);
	return audit->pending && audit->flight;
}

static int refuse(const struct audit *audit, const char *why, char *error, size_t error_len)
{
	snprintf(error, error_len, "Failed to open audit log: %s: %s",
	         audit->config->audit.log_path, why);
	return -1;
}

/* Takes up the chain where it ends. */
static int resume(struct audit *audit, const struct kernel_anchor *anchor, char *error,
                  size_t error_len)
{
	struct audit_tail tail;

	int fd = audit_file_open(audit->config->audit.log_path, &tail, error, error_len);

	if (fd < 0)
		return -1;
	if (!get_buffers(audit)) {
		close(fd);
		return refuse(audit, "out of memory", error, error_len);
	}
	audit->watch = audit_watch_open();
	audit_adopt(audit, fd, tail.complete_len);
	find_end(audit, &tail);
	if (audit->pad && !recover_from_pad(audit))
		return refuse(audit, "cannot be written", error, error_len);
	if (audit->pad)
		audit_pad_empty(audit->pad);
	resume_anchor(audit, anchor, audit->sequence > 0);
	if (tail.torn_len) {
		log_warning("audit log: %s ended in a torn record of %zu octets; it is kept in an "
		            "audit-recovered record",
		            audit->config->audit.log_path, tail.torn_len);
		note(audit, "audit-recovered", ERROR_NONE, tail.torn_hex);
	}
	note(audit, "agent-start", ERROR_NONE, "craton-hsm-daemon " CRATON_VERSION);
	if (!flush(audit))
		return 0;
	return refuse(audit, "cannot be written", error, error_len);
}

int audit_open(struct audit **out, const struct config *config, struct crypto *crypto,
               const struct kernel_anchor *anchor, char *error, size_t error_len)
{
	struct audit *audit = audit_new(config, crypto);
	int failed;

	if (!audit || !audit->hashing) {
		snprintf(error, error_len, "Failed to open audit log: %s: out of memory",
		         config->audit.log_path);
		failed = -1;
	} else {
		failed = config->audit.enabled ? resume(audit, anchor, error, error_len) : 0;
	}
	if (failed) {
		if (audit)
			audit_free(audit);
		return -1;
	}
	*out = audit;
	return 0;
}

void audit_close(struct audit *audit)
{
	if (!audit)
		return;
	if (audit->fd >= 0) {
		note(audit, "agent-stop", ERROR_NONE, NULL);
		audit_sign(audit, audit->signer);
		/* Once more, when the first was one that had failed before. */
		if (flush(audit) || flush(audit))
			log_error("audit log: the last records could not be written");
	}
	audit_free(audit);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of sessions, found by their handle; for each kind of operation the Init that is known to
 * succeed, and the one that is kept. An entry has a lock, which only calls on the same session
 * contend for.
 */
#include "deferred.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "wire/codec.h"

#define SESSIONS     128u /* a power of 2; others that fall on the same place go without */
#define BODY_MAX     EXCHANGE_AHEAD_MAX /* of an encoded Init; longer ones are always sent */
#define MECHANISM_AT 8u                 /* the session comes first */
#define PARAMETER_AT (MECHANISM_AT + 8u + 1u + 4u) /* type, shape, length */

/* An Init that succeeded, with the contents of its parameter's octets blanked: IVs differ from one
 * message to the next, and only their lengths decide whether they are good. */
struct known {
	struct deferred_moment moment;
	size_t len; /* 0: none */
	uint8_t body[BODY_MAX];
};

struct kept {
	const struct exchange_message *message; /* NULL: none */
	size_t len;
	uint8_t body[BODY_MAX];
	CK_RV failed; /* it was sent by another call, in vain */
};

struct entry {
	pthread_mutex_t lock;
	CK_SESSION_HANDLE session;
	bool inactive[DEFERRED_KINDS]; /* no operation of the kind is active, as far as we know */
	struct known known[DEFERRED_KINDS];
	struct kept kept[DEFERRED_KINDS];
};

struct deferred {
	_Atomic uint64_t changes;
	_Atomic uint32_t kept_count;
	struct entry entries[SESSIONS];
};

struct deferred *deferred_new(void)
{
	struct deferred *deferred = calloc(1, sizeof(*deferred));

	for (size_t i = 0; deferred && i < SESSIONS; i++)
		pthread_mutex_init(&deferred->entries[i].lock, NULL);
	return deferred;
}

void deferred_free(struct deferred *deferred)
{
	if (!deferred)
		return;
	for (size_t i = 0; i < SESSIONS; i++)
		pthread_mutex_destroy(&deferred->entries[i].lock);
	wire_wipe(deferred, sizeof(*deferred)); /* IVs and labels of the last Inits */
	free(deferred);
}

/* ---- the shape of an Init ---- */

/* The fields of each parameter: b octets, n a number of 64 bits, f a flag; ? is too much for us. */
#define FIELD_bytes     "b"
#define FIELD_u64       "n"
#define FIELD_flag      "f"
#define FIELD_u32       "?"
#define FIELD_u64_list  "?"
#define FIELD_template  "?"
#define FIELD_mechanism "?"

static const char *const fields[] = {
	[WIRE_SHAPE_none] = "",
#define RECORD(shape)                  [WIRE_SHAPE_##shape] = ""
#define RECORD_FIELD(kind, name, text) FIELD_##kind
#define END_RECORD                     ,
#include "wire/parameter.def"
#undef RECORD
#undef RECORD_FIELD
#undef END_RECORD
};

/* Blanks the contents of all octets in the parameter of an Init that we encoded ourselves. False
 * for one whose form is not understood. */
static bool blank(uint8_t *body, size_t len)
{
	size_t at = PARAMETER_AT, shape, end;

	if (len < PARAMETER_AT)
		return false;
	shape = body[MECHANISM_AT + 8];
	end = at + wire_load_u32(body + PARAMETER_AT - 4);
	if (shape >= sizeof(fields) / sizeof(fields[0]) || !fields[shape] || end > len)
		return false;
	for (const char *field = fields[shape]; *field; field++) {
		size_t width = *field == 'f' ? 1 : *field == 'n' ? 8 : 4;

		if (*field == '?' || width > end - at)
			return false;
		if (*field == 'b') {
			size_t octets_len = wire_load_u32(body + at);

			if (octets_len > end - at - width)
				return false;
			memset(body + at + width, 0, octets_len);
			width += octets_len;
		}
		at += width;
	}
	return at == end;
}

/* ---- entries ---- */

/* The place of this session, locked, whoever has it now; NULL without a table. */
static struct entry *lock_entry(struct connection *connection, CK_SESSION_HANDLE session)
{
	struct deferred *deferred = connection->deferred;
	struct entry *entry;

	if (!deferred || !session)
		return NULL;
	entry = &deferred->entries[session % SESSIONS];
	pthread_mutex_lock(&entry->lock);
	return entry;
}

static void unlock_entry(struct entry *entry)
{
	pthread_mutex_unlock(&entry->lock);
}

static bool keeps_any(const struct entry *entry)
{
	for (int kind = 0; kind < DEFERRED_KINDS; kind++) {
		if (entry->kept[kind].message || entry->kept[kind].failed)
			return true;
	}
	return false;
}

/* Gives the place to this session, unless another still needs it. */
static bool claim(struct entry *entry, CK_SESSION_HANDLE session)
{
	if (entry->session == session)
		return true;
	if (keeps_any(entry))
		return false;
	for (int kind = 0; kind < DEFERRED_KINDS; kind++) {
		entry->inactive[kind] = false;
		entry->known[kind].len = 0;
	}
	entry->session = session;
	return true;
}

bool deferred_now(const struct connection *connection, struct deferred_moment *now)
{
	const struct wire_epoch *epoch = connection->ring.epoch;

	if (!epoch || !connection->deferred)
		return false;
	now->epoch = atomic_load_explicit(&epoch->value, memory_order_acquire);
	now->changes = atomic_load(&connection->deferred->changes);
	return true;
}

/* ---- Init ---- */

static bool is_known(const struct known *known, const struct deferred_moment *now,
                     const uint8_t *blanked, size_t len)
{
	return known->len == len && !memcmp(known->body, blanked, len) &&
	       known->moment.epoch == now->epoch && known->moment.changes == now->changes;
}

static bool keep(struct connection *connection, struct entry *entry, enum deferred_kind kind,
                 const struct exchange_message *message, struct wire_bytes body,
                 const uint8_t *blanked, const struct deferred_moment *now)
{
	struct kept *kept = &entry->kept[kind];

	if (!entry->inactive[kind] || kept->message || kept->failed ||
	    !is_known(&entry->known[kind], now, blanked, body.len))
		return false;
	memcpy(kept->body, body.data, body.len);
	kept->len = body.len;
	kept->message = message;
	entry->inactive[kind] = false;
	atomic_fetch_add(&connection->deferred->kept_count, 1);
	return true;
}

/* Of the Init that has just been answered by CKR_OK; the moment is before it was sent. */
static void learn(struct known *known, const uint8_t *blanked, size_t len,
                  const struct deferred_moment *moment)
{
	memcpy(known->body, blanked, len);
	known->len = len;
	known->moment = *moment;
}

static void send_kept(struct connection *connection, struct kept *kept)
{
	uint16_t opcode = kept->message->opcode;

	kept->message = NULL;
	atomic_fetch_sub(&connection->deferred->kept_count, 1);
	kept->failed =
		channel_call_body(connection, opcode, (struct wire_bytes){kept->body, kept->len});
}

static CK_RV send_init(struct connection *connection, const struct exchange_message *message,
                       const void *request)
{
	uint64_t unused[4]; /* an Init's reply has no fields */

	return channel_call(connection, message, request, NULL, unused);
}

/* Under the entry's lock: nobody else begins or ends an operation of this session meanwhile. */
static CK_RV init_in(struct connection *connection, struct entry *entry, enum deferred_kind kind,
                     const struct exchange_message *message, const void *request,
                     struct wire_bytes body)
{
	uint8_t blanked[BODY_MAX];
	struct deferred_moment now;
	bool plain = deferred_now(connection, &now) && body.len <= sizeof(blanked);
	CK_RV rv;

	if (plain) {
		memcpy(blanked, body.data, body.len);
		plain = blank(blanked, body.len);
	}
	if (plain && keep(connection, entry, kind, message, body, blanked, &now))
		return CKR_OK;
	if (entry->kept[kind].message)
		send_kept(connection, &entry->kept[kind]);
	entry->kept[kind].failed = CKR_OK;
	entry->inactive[kind] = false;
	rv = send_init(connection, message, request);
	if (!rv && plain)
		learn(&entry->known[kind], blanked, body.len, &now);
	return rv;
}

CK_RV deferred_init(struct connection *connection, enum deferred_kind kind,
                    const struct exchange_message *message, const void *request,
                    CK_SESSION_HANDLE session)
{
	struct wire_buffer *body = &connection->scratch[SCRATCH_SECOND_TEMPLATE];
	struct entry *entry;
	CK_RV rv;

	wire_buffer_reset(body, WIRE_CONTROL_LIMIT);
	message->encode(body, request);
	entry = body->failed ? NULL : lock_entry(connection, session);
	if (entry && !claim(entry, session)) {
		unlock_entry(entry);
		entry = NULL;
	}
	if (!entry) {
		deferred_flush(connection);
		return send_init(connection, message, request);
	}
	rv = init_in(connection, entry, kind, message, request,
	             (struct wire_bytes){body->data, body->len});
	unlock_entry(entry);
	return rv;
}

/* ---- the operation, and everything else ---- */

CK_RV deferred_prepare(struct connection *connection, enum deferred_kind kind,
                       CK_SESSION_HANDLE session)
{
	struct entry *entry = lock_entry(connection, session);
	struct kept *kept;
	CK_RV rv = CKR_OK;

	if (!entry)
		return CKR_OK;
	kept = &entry->kept[kind];
	if (entry->session == session && kept->failed) {
		rv = kept->failed;
		kept->failed = CKR_OK;
	} else if (entry->session == session && kept->message) {
		exchange_put_ahead(connection, kept->message->opcode,
		                   (struct wire_bytes){kept->body, kept->len});
		kept->message = NULL;
		atomic_fetch_sub(&connection->deferred->kept_count, 1);
	}
	unlock_entry(entry);
	return rv;
}

CK_RV deferred_failure(struct connection *connection, enum deferred_kind kind,
                       CK_SESSION_HANDLE session)
{
	struct entry *entry = kind < DEFERRED_KINDS ? lock_entry(connection, session) : NULL;
	CK_RV rv = CKR_OK;

	if (!entry)
		return CKR_OK;
	if (entry->session == session) {
		rv = entry->kept[kind].failed;
		entry->kept[kind].failed = CKR_OK;
	}
	unlock_entry(entry);
	return rv;
}

void deferred_ended(struct connection *connection, enum deferred_kind kind,
                    CK_SESSION_HANDLE session)
{
	struct entry *entry = lock_entry(connection, session);

	if (!entry)
		return;
	if (entry->session == session)
		entry->inactive[kind] = true;
	unlock_entry(entry);
}

static void flush_entry(struct connection *connection, struct entry *entry)
{
	pthread_mutex_lock(&entry->lock);
	for (int kind = 0; kind < DEFERRED_KINDS; kind++) {
		if (entry->kept[kind].message)
			send_kept(connection, &entry->kept[kind]);
	}
	pthread_mutex_unlock(&entry->lock);
}

void deferred_flush(struct connection *connection)
{
	struct deferred *deferred = connection->deferred;

	for (size_t i = 0; deferred && i < SESSIONS && atomic_load(&deferred->kept_count); i++)
		flush_entry(connection, &deferred->entries[i]);
}

void deferred_changed(struct connection *connection)
{
	if (connection->deferred)
		atomic_fetch_add(&connection->deferred->changes, 1);
}

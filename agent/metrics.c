/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters, and their text.
 */
#include "metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "application.h"
#include "audit.h"
#include "committer.h"
#include "drbg.h"
#include "events.h"
#include "slots.h"
#include "token.h"
#include "wire/codec.h"
#include "worker.h"

enum result { RESULT_OK, RESULT_REFUSED, RESULT_FAILED, RESULTS };

static const char *const result_names[RESULTS] = {"ok", "refused", "failed"};

enum function {
#define MESSAGE(opcode, name, function, limit) FUNCTION_##name,
#define REQUEST_FIELD(kind, name, text)
#define REPLY_FIELD(kind, name, text)
#define END_MESSAGE
#include "wire/message.def"
#undef MESSAGE
	FUNCTIONS,
};

static const char *const function_names[FUNCTIONS] = {
#define MESSAGE(opcode, name, function, limit) [FUNCTION_##name] = function,
#include "wire/message.def"
#undef MESSAGE
#undef REQUEST_FIELD
#undef REPLY_FIELD
#undef END_MESSAGE
};

/* Upper bounds 1, 4, 16 ... microseconds; the last is 4.2 s. */
#define BUCKETS         12u
#define FIRST_BOUND_NS  1000u
#define MECHANISM_SLOTS 1024u /* more than three times the mechanisms that have a name */

struct mechanism_count {
	_Atomic uint64_t type; /* + 1; 0: free */
	_Atomic uint64_t counts[RESULTS];
};

/* What one thread counts. Only it writes. */
struct counters {
	struct counters *next;
	_Atomic uint64_t functions[FUNCTIONS][RESULTS];
	_Atomic uint64_t buckets[FUNCTIONS][BUCKETS + 1]; /* the last: longer than all bounds */
	_Atomic uint64_t sums_ns[FUNCTIONS];
	struct mechanism_count mechanisms[MECHANISM_SLOTS];
};

/* The process's, since a thread that ended has counted, too. */
static _Atomic(struct counters *) all_counters;
static _Thread_local struct counters *own;

/* ---- counting ---- */

static struct counters *counters(void)
{
	if (own)
		return own;
	own = calloc(1, sizeof(*own));
	if (!own)
		return NULL;
	own->next = atomic_load(&all_counters);
	while (!atomic_compare_exchange_weak(&all_counters, &own->next, own))
		;
	return own;
}

/* One writer, so no locked instruction. */
static void add(_Atomic uint64_t *counter, uint64_t amount)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
	                      memory_order_relaxed);
}

static enum result result_of(enum err err)
{
	if (err == ERROR_NONE || err == ERROR_BUFFER_TOO_SMALL)
		return RESULT_OK;
	switch (err_ckr(err)) {
	case CKR_GENERAL_ERROR:
	case CKR_HOST_MEMORY:
	case CKR_DEVICE_ERROR:
	case CKR_DEVICE_MEMORY:
		return RESULT_FAILED;
	case CKR_FUNCTION_FAILED:
		return err == ERROR_PIN_RATE_LIMITED ? RESULT_REFUSED : RESULT_FAILED;
	default:
		return RESULT_REFUSED;
	}
}

/* The first whose bound is not below it. */
static unsigned int bucket_of(uint64_t duration_ns)
{
	uint64_t bound_ns = FIRST_BOUND_NS;
	unsigned int bucket = 0;

	while (duration_ns > bound_ns && bucket < BUCKETS) {
		bound_ns *= 4;
		bucket++;
	}
	return bucket;
}

/* Only mechanisms that have a name: what clients make up must not fill the table. */
static void count_mechanism(struct counters *counters, uint64_t type, enum result result)
{
	size_t at = (size_t)(type * 0x9e3779b97f4a7c15u >> 54);

	for (size_t i = 0; i < MECHANISM_SLOTS; i++, at = (at + 1) % MECHANISM_SLOTS) {
		struct mechanism_count *slot = &counters->mechanisms[at];
		uint64_t there = atomic_load_explicit(&slot->type, memory_order_relaxed);

		if (!there && !wire_mechanism_name(type))
			return;
		if (!there)
			atomic_store_explicit(&slot->type, type + 1, memory_order_release);
		if (!there || there == type + 1) {
			add(&slot->counts[result], 1);
			return;
		}
	}
}

void metrics_count(unsigned int function, uint64_t mechanism, enum err err, uint64_t duration_ns)
{
	struct counters *mine = counters();
	enum result result = result_of(err);

	if (!mine)
		return;
	add(&mine->functions[function][result], 1);
	add(&mine->buckets[function][bucket_of(duration_ns)], 1);
	add(&mine->sums_ns[function], duration_ns);
	if (mechanism != CK_UNAVAILABLE_INFORMATION)
		count_mechanism(mine, mechanism, result);
}

/* ---- adding up ---- */

struct sums {
	uint64_t functions[FUNCTIONS][RESULTS];
	uint64_t buckets[FUNCTIONS][BUCKETS + 1];
	uint64_t sums_ns[FUNCTIONS];
	struct {
		uint64_t type, counts[RESULTS];
	} mechanisms[MECHANISM_SLOTS];
	size_t mechanism_count;
};

static void add_mechanism(struct sums *sums, uint64_t type, const struct mechanism_count *count)
{
	size_t at = 0;

	while (at < sums->mechanism_count && sums->mechanisms[at].type != type)
		at++;
	if (at == MECHANISM_SLOTS)
		return;
	if (at == sums->mechanism_count)
		sums->mechanisms[sums->mechanism_count++].type = type;
	for (unsigned int i = 0; i < RESULTS; i++)
		sums->mechanisms[at].counts[i] +=
			atomic_load_explicit(&count->counts[i], memory_order_relaxed);
}

/* Several messages may be one function, "(backup)" for one: the first of that name stands for them,
 * since no sample may come twice. */
static unsigned int first_of_name(unsigned int function)
{
	unsigned int first = 0;

	while (strcmp(function_names[first], function_names[function]) != 0)
		first++;
	return first;
}

static void add_counters(struct sums *sums, struct counters *from)
{
	for (unsigned int f = 0; f < FUNCTIONS; f++) {
		unsigned int to = first_of_name(f);

		for (unsigned int i = 0; i < RESULTS; i++)
			sums->functions[to][i] +=
				atomic_load_explicit(&from->functions[f][i], memory_order_relaxed);
		for (unsigned int i = 0; i <= BUCKETS; i++)
			sums->buckets[to][i] +=
				atomic_load_explicit(&from->buckets[f][i], memory_order_relaxed);
		sums->sums_ns[to] += atomic_load_explicit(&from->sums_ns[f], memory_order_relaxed);
	}
	for (unsigned int i = 0; i < MECHANISM_SLOTS; i++) {
		uint64_t type =
			atomic_load_explicit(&from->mechanisms[i].type, memory_order_acquire);

		if (type)
			add_mechanism(sums, type - 1, &from->mechanisms[i]);
	}
}

/* ---- the text ---- */

enum metric {
#define METRIC(id, name, type, help) METRIC_##id,
#include "metrics.def"
	METRICS,
};

static const struct {
	const char *name, *type, *help;
} metrics[METRICS] = {
#define METRIC(id, name, type, help) [METRIC_##id] = {name, type, help},
#include "metrics.def"
};

static void begin(FILE *out, enum metric metric)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[metric].name, metrics[metric].help,
	        metrics[metric].name, metrics[metric].type);
}

static void put(FILE *out, enum metric metric, const char *labels, double value)
{
	fprintf(out, "%s%s %.17g\n", metrics[metric].name, labels, value);
}

static void put_one(FILE *out, enum metric metric, double value)
{
	begin(out, metric);
	put(out, metric, "", value);
}

static bool is_used(const struct sums *sums, unsigned int function)
{
	const uint64_t *counts = sums->functions[function];

	return counts[RESULT_OK] || counts[RESULT_REFUSED] || counts[RESULT_FAILED];
}

/* "(volume open)" as a label: quotes and backslashes there are none. */
static void put_functions(FILE *out, const struct sums *sums)
{
	begin(out, METRIC_OPERATIONS);
	for (unsigned int f = 0; f < FUNCTIONS; f++) {
		for (unsigned int i = 0; is_used(sums, f) && i < RESULTS; i++)
			fprintf(out, "%s{function=\"%s\",result=\"%s\"} %llu\n",
			        metrics[METRIC_OPERATIONS].name, function_names[f], result_names[i],
			        (unsigned long long)sums->functions[f][i]);
	}
}

static void put_mechanisms(FILE *out, const struct sums *sums)
{
	begin(out, METRIC_MECHANISMS);
	for (size_t m = 0; m < sums->mechanism_count; m++) {
		for (unsigned int i = 0; i < RESULTS; i++)
			fprintf(out, "%s{mechanism=\"%s\",result=\"%s\"} %llu\n",
			        metrics[METRIC_MECHANISMS].name,
			        wire_mechanism_name(sums->mechanisms[m].type), result_names[i],
			        (unsigned long long)sums->mechanisms[m].counts[i]);
	}
}

static void put_histogram(FILE *out, const struct sums *sums, unsigned int f)
{
	const char *name = metrics[METRIC_DURATION].name;
	uint64_t count = 0;
	double bound = FIRST_BOUND_NS / 1e9;

	for (unsigned int i = 0; i < BUCKETS; i++, bound *= 4) {
		count += sums->buckets[f][i];
		fprintf(out, "%s_bucket{function=\"%s\",le=\"%.9g\"} %llu\n", name,
		        function_names[f], bound, (unsigned long long)count);
	}
	count += sums->buckets[f][BUCKETS];
	fprintf(out, "%s_bucket{function=\"%s\",le=\"+Inf\"} %llu\n", name, function_names[f],
	        (unsigned long long)count);
	fprintf(out, "%s_sum{function=\"%s\"} %.9f\n", name, function_names[f],
	        (double)sums->sums_ns[f] / 1e9);
	fprintf(out, "%s_count{function=\"%s\"} %llu\n", name, function_names[f],
	        (unsigned long long)count);
}

static void put_counters(FILE *out)
{
	struct sums *sums = calloc(1, sizeof(*sums));

	if (!sums)
		return;
	for (struct counters *each = atomic_load(&all_counters); each; each = each->next)
		add_counters(sums, each);
	put_functions(out, sums);
	put_mechanisms(out, sums);
	begin(out, METRIC_DURATION);
	for (unsigned int f = 0; f < FUNCTIONS; f++) {
		if (is_used(sums, f))
			put_histogram(out, sums, f);
	}
	free(sums);
}

/* One metric of every token: `value` reads it by a number of its own. */
static void put_slots(FILE *out, struct agent *agent, enum metric metric, const char *label,
                      const char *const names[2],
                      double (*value)(const struct token_info *info, struct agent_slot *slot,
                                      unsigned int which))
{
	struct token_info info;
	char labels[80];

	begin(out, metric);
	for (uint32_t i = 0; agent->slots && i < agent->slot_count; i++) {
		token_info(agent->slots[i].token, &info);
		for (unsigned int which = 0; which < 2 && names[which]; which++) {
			if (label)
				snprintf(labels, sizeof(labels), "{slot=\"%u\",%s=\"%s\"}", i,
				         label, names[which]);
			else
				snprintf(labels, sizeof(labels), "{slot=\"%u\"}", i);
			put(out, metric, labels, value(&info, &agent->slots[i], which));
		}
	}
}

static double sessions_of(const struct token_info *info, struct agent_slot *slot,
                          unsigned int which)
{
	unsigned int all = atomic_load(&slot->session_count);
	unsigned int writing = atomic_load(&slot->rw_session_count);

	(void)info;
	return which ? writing : all > writing ? all - writing : 0;
}

static double objects_of(const struct token_info *info, struct agent_slot *slot, unsigned int which)
{
	(void)slot;
	(void)which;
	return info->object_count;
}

static double failures_of(const struct token_info *info, struct agent_slot *slot,
                          unsigned int which)
{
	(void)slot;
	return which ? info->so_failures : info->user_failures;
}

static double locked_of(const struct token_info *info, struct agent_slot *slot, unsigned int which)
{
	(void)slot;
	return (info->pin_flags & (which ? CKF_SO_PIN_LOCKED : CKF_USER_PIN_LOCKED)) != 0;
}

static void put_tokens(FILE *out, struct agent *agent)
{
	static const char *const access[2] = {"read", "write"}, *const users[2] = {"user", "so"},
				 *const none[2] = {"", NULL};

	put_slots(out, agent, METRIC_SESSIONS, "access", access, sessions_of);
	put_slots(out, agent, METRIC_TOKEN_OBJECTS, NULL, none, objects_of);
	put_slots(out, agent, METRIC_PIN_FAILURES, "user", users, failures_of);
	put_slots(out, agent, METRIC_PIN_LOCKED, "user", users, locked_of);
}

static void put_state(FILE *out, struct agent *agent)
{
	double uptime = (double)(clock_monotonic_ns() - agent->started_ns) / 1e9;

	begin(out, METRIC_BUILD_INFO);
	put(out, METRIC_BUILD_INFO, "{version=\"" CRATON_VERSION "\"}", 1);
	put_one(out, METRIC_UP, state_operational(&agent->state));
	put_one(out, METRIC_UPTIME, uptime);
	begin(out, METRIC_SELF_TESTS);
	put(out, METRIC_SELF_TESTS, "{result=\"passed\"}", agent->post.passed);
	put(out, METRIC_SELF_TESTS, "{result=\"failed\"}", agent->post.failed);
	put(out, METRIC_SELF_TESTS, "{result=\"unavailable\"}", agent->post.unavailable);
}

static void put_applications(FILE *out, struct agent *agent)
{
	uint32_t count;

	pthread_mutex_lock(&agent->applications->lock);
	count = agent->applications->count;
	pthread_mutex_unlock(&agent->applications->lock);
	put_one(out, METRIC_APPLICATIONS, count);
}

static void put_loops(FILE *out, struct agent *agent)
{
	static const char *const kinds[PLACEMENTS] = {
		[PLACE_FOLLOW] = "{kind=\"follow\"}",
		[PLACE_LOAD] = "{kind=\"load\"}",
	};

	begin(out, METRIC_LOOP_CLIENTS);
	for (unsigned int i = 0; i < agent->loop_count; i++) {
		char labels[32];

		snprintf(labels, sizeof(labels), "{loop=\"%u\"}", i);
		put(out, METRIC_LOOP_CLIENTS, labels, connection_place_clients(agent, i));
	}
	begin(out, METRIC_PLACEMENTS);
	for (int i = 0; i < PLACEMENTS; i++)
		put(out, METRIC_PLACEMENTS, kinds[i], (double)atomic_load(&agent->placements[i]));
}

static void put_drbg(FILE *out, struct agent *agent)
{
	struct drbg_statistics drbg = {0};

	if (agent->crypto)
		drbg_statistics(agent->crypto->drbg, &drbg);
	put_one(out, METRIC_DRBG_REQUESTS, (double)drbg.requests);
	put_one(out, METRIC_DRBG_RESEEDS, (double)drbg.reseeds);
	put_one(out, METRIC_DRBG_FAILURES, (double)drbg.failures);
}

static void put_audit(FILE *out, struct agent *agent)
{
	struct audit_statistics audit = {.path = ""};

	if (agent->audit)
		audit_statistics(agent->audit, &audit);
	put_one(out, METRIC_AUDIT_RECORDS, (double)audit.written);
	put_one(out, METRIC_AUDIT_LAG, (double)(audit.sequence - audit.written));
	put_one(out, METRIC_AUDIT_FAILURES, (double)audit.failures);
}

static void put_memory(FILE *out)
{
	struct slots_statistics memory;

	slots_statistics(&memory);
	begin(out, METRIC_MEMORY);
	put(out, METRIC_MEMORY, "{kind=\"locked\"}", (double)memory.locked_len);
	put(out, METRIC_MEMORY, "{kind=\"unlocked\"}", (double)memory.unlocked_len);
	put(out, METRIC_MEMORY, "{kind=\"used\"}", (double)memory.used_len);
}

static void put_store(FILE *out, struct agent *agent)
{
	struct committer_statistics store;

	committer_statistics(agent->committer, &store);
	put_one(out, METRIC_STORE_WAITING, committer_waiting(agent->committer));
	put_one(out, METRIC_STORE_CHANGES, (double)store.changes);
	put_one(out, METRIC_STORE_GROUPS, (double)store.groups);
}

void metrics_write(struct agent *agent, FILE *out)
{
	struct events_statistics events;

	put_state(out, agent);
	put_counters(out);
	put_applications(out, agent);
	put_loops(out, agent);
	put_tokens(out, agent);
	put_one(out, METRIC_JOBS_WAITING, workers_waiting(agent->workers));
	put_store(out, agent);
	put_drbg(out, agent);
	put_audit(out, agent);
	put_memory(out);
	put_one(out, METRIC_CLOCK_STEPS, (double)atomic_load(&agent->clock.steps));
	events_statistics(agent->events, &events);
	put_one(out, METRIC_VM_GENERATIONS, (double)events.vm_generations);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider "craton": CRATON-SEED over entropy.c, and CRATON-DRBG around OpenSSL's HMAC-DRBG.
 * OpenSSL's own per-thread private and public generators are instances of CRATON-DRBG, so every
 * random octet of the library context is counted and compared here. The mechanics of the DRBG are
 * OpenSSL's.
 */
#include "drbg.h"

#include <errno.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "entropy.h"
#include "log.h"
#include "wire/buffer.h"

#define STRENGTH            256u
#define REQUEST_MAX         65536u /* SP 800-90A table 2 allows 2^16 octets a request */
#define RESEED_REQUESTS     4096u  /* of the HMAC-DRBG: up to a thousand times as many small ones */
#define RESEED_SECONDS      3600
#define ADDITIONAL_LEN      256u
#define COMPARED_LEN        16u
#define SHARE_MAX           64u /* requests up to this are served from one larger output */
#define STASH_LEN           1024u
#define PROVIDER_NAME       "craton"
#define PROVIDER_PROPERTIES "provider=craton"

struct drbg {
	OSSL_LIB_CTX *library;
	struct state *state;
	pthread_mutex_t lock; /* source, additional input */
	struct entropy source;
	uint8_t additional[ADDITIONAL_LEN];
	size_t additional_len;
	_Atomic uint64_t additional_generation;
	_Atomic uint64_t generation; /* instances with another number reseed first */
	_Atomic uint64_t requests, reseeds, failures;
	_Atomic bool failed;
	volatile uint8_t
		*same_process; /* a page that a fork wipes: 1 in the process that made it */
};

/* The first failure is the one that counts: those after it follow from it. */
static void fail(struct drbg *drbg, const char *why)
{
	if (atomic_exchange(&drbg->failed, true))
		return;
	atomic_fetch_add(&drbg->failures, 1);
	log_error("drbg: health test failed: %s", why);
	state_fail(drbg->state, "drbg: health test failed: %s", why);
}

/* ---- CRATON-SEED ---- */

struct seed {
	struct drbg *drbg;
	int status;
};

static void *seed_new(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
	struct seed *seed = OPENSSL_zalloc(sizeof(*seed));

	(void)parent;
	(void)parent_calls;
	if (seed) {
		seed->drbg = provider;
		seed->status = EVP_RAND_STATE_UNINITIALISED;
	}
	return seed;
}

static void rand_free(void *context)
{
	OPENSSL_free(context);
}

static int seed_instantiate(void *context, unsigned int strength, int prediction_resistance,
                            const unsigned char *text, size_t text_len,
                            const OSSL_PARAM parameters[])
{
	struct seed *seed = context;

	(void)prediction_resistance;
	(void)text;
	(void)text_len;
	(void)parameters;
	if (strength > STRENGTH)
		return 0;
	seed->status = EVP_RAND_STATE_READY;
	return 1;
}

static int seed_uninstantiate(void *context)
{
	((struct seed *)context)->status = EVP_RAND_STATE_UNINITIALISED;
	return 1;
}

static int read_source(struct drbg *drbg, unsigned char *out, size_t len)
{
	const char *failure = NULL;

	pthread_mutex_lock(&drbg->lock);
	if (!entropy_check(&drbg->source) || !entropy_get(&drbg->source, out, len))
		failure = drbg->source.failure;
	pthread_mutex_unlock(&drbg->lock);
	if (failure)
		fail(drbg, failure);
	return !failure;
}

static int seed_generate(void *context, unsigned char *out, size_t len, unsigned int strength,
                         int prediction_resistance, const unsigned char *additional,
                         size_t additional_len)
{
	struct seed *seed = context;

	(void)prediction_resistance;
	(void)additional;
	(void)additional_len;
	return strength <= STRENGTH && read_source(seed->drbg, out, len);
}

static int seed_reseed(void *context, int prediction_resistance, const unsigned char *entropy,
                       size_t entropy_len, const unsigned char *additional, size_t additional_len)
{
	(void)prediction_resistance;
	(void)entropy;
	(void)entropy_len;
	(void)additional;
	(void)additional_len;
	return ((struct seed *)context)->status == EVP_RAND_STATE_READY;
}

/* The child DRBG asks for seed material here; the samples are of full entropy, so their number is
 * that of the octets wanted. */
static size_t seed_get(void *context, unsigned char **out, int entropy_bits, size_t min_len,
                       size_t max_len, int prediction_resistance, const unsigned char *additional,
                       size_t additional_len)
{
	struct seed *seed = context;
	size_t len = entropy_bits > 0 ? ((size_t)entropy_bits + 7) / 8 : min_len;

	(void)prediction_resistance;
	(void)additional;
	(void)additional_len;
	if (len < min_len)
		len = min_len;
	if (len > max_len)
		return 0;
	*out = OPENSSL_malloc(len);
	if (!*out)
		return 0;
	/* Counted here, since OpenSSL's DRBG reseeds by itself at its interval. */
	atomic_fetch_add(&seed->drbg->reseeds, 1);
	if (read_source(seed->drbg, *out, len))
		return len;
	OPENSSL_clear_free(*out, len);
	*out = NULL;
	return 0;
}

static void seed_clear(void *context, unsigned char *out, size_t len)
{
	(void)context;
	OPENSSL_clear_free(out, len);
}

static int no_locking(void *context)
{
	/* The source has its lock; CRATON-DRBG brings its own. */
	(void)context;
	return 1;
}

static int no_lock(void *context)
{
	(void)context;
	return 1;
}

static void no_unlock(void *context)
{
	(void)context;
}

static int set_parameters(OSSL_PARAM parameters[], int status, size_t max_request)
{
	OSSL_PARAM *parameter = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_STATE);

	if (parameter && !OSSL_PARAM_set_int(parameter, status))
		return 0;
	parameter = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_STRENGTH);
	if (parameter && !OSSL_PARAM_set_uint(parameter, STRENGTH))
		return 0;
	parameter = OSSL_PARAM_locate(parameters, OSSL_RAND_PARAM_MAX_REQUEST);
	return !parameter || OSSL_PARAM_set_size_t(parameter, max_request);
}

static int seed_get_parameters(void *context, OSSL_PARAM parameters[])
{
	return set_parameters(parameters, ((struct seed *)context)->status, REQUEST_MAX);
}

static const OSSL_PARAM *gettable(void *context, void *provider)
{
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
		OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
		OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
		OSSL_PARAM_END,
	};

	(void)context;
	(void)provider;
	return known;
}

/* ---- CRATON-DRBG ---- */

struct instance {
	struct drbg *drbg;
	EVP_RAND_CTX *seed, *inner;
	CRYPTO_RWLOCK *lock; /* made when OpenSSL says that threads share this instance */
	uint64_t generation, additional_generation;
	bool has_last;
	uint8_t last[COMPARED_LEN]; /* the beginning of the output before */
	size_t stash_left;          /* octets at the end of the stash that nobody has had */
	uint8_t stash[STASH_LEN];
};

static EVP_RAND_CTX *new_context(struct drbg *drbg, const char *name, const char *properties,
                                 EVP_RAND_CTX *parent)
{
	EVP_RAND *algorithm = EVP_RAND_fetch(drbg->library, name, properties);
	EVP_RAND_CTX *context = algorithm ? EVP_RAND_CTX_new(algorithm, parent) : NULL;

	EVP_RAND_free(algorithm);
	return context;
}

static void instance_free(void *context)
{
	struct instance *instance = context;

	if (!instance)
		return;
	EVP_RAND_CTX_free(instance->inner);
	EVP_RAND_CTX_free(instance->seed);
	CRYPTO_THREAD_lock_free(instance->lock);
	OPENSSL_clear_free(instance, sizeof(*instance));
}

/* Whatever parent OpenSSL offers, each instance is seeded from the source itself. */
static void *instance_new(void *provider, void *parent, const OSSL_DISPATCH *parent_calls)
{
	struct instance *instance = OPENSSL_zalloc(sizeof(*instance));

	(void)parent;
	(void)parent_calls;
	if (!instance)
		return NULL;
	instance->drbg = provider;
	instance->seed = new_context(provider, "CRATON-SEED", PROVIDER_PROPERTIES, NULL);
	if (instance->seed)
		instance->inner =
			new_context(provider, "HMAC-DRBG", "provider=default", instance->seed);
	if (instance->inner)
		return instance;
	instance_free(instance);
	return NULL;
}

/* What was made before a reseed is not given out after it. */
static void drop_stash(struct instance *instance)
{
	wire_wipe(instance->stash, sizeof(instance->stash));
	instance->stash_left = 0;
}

static int instance_instantiate(void *context, unsigned int strength, int prediction_resistance,
                                const unsigned char *text, size_t text_len,
                                const OSSL_PARAM parameters[])
{
	struct instance *instance = context;
	unsigned int reseed_requests = RESEED_REQUESTS;
	time_t reseed_seconds = RESEED_SECONDS;
	OSSL_PARAM inner[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_MAC, (char *)(uintptr_t) "HMAC",
	                                         0),
		OSSL_PARAM_construct_utf8_string(OSSL_DRBG_PARAM_DIGEST,
	                                         (char *)(uintptr_t) "SHA256", 0),
		OSSL_PARAM_construct_uint(OSSL_DRBG_PARAM_RESEED_REQUESTS, &reseed_requests),
		OSSL_PARAM_construct_time_t(OSSL_DRBG_PARAM_RESEED_TIME_INTERVAL, &reseed_seconds),
		OSSL_PARAM_construct_end(),
	};

	(void)parameters;
	drop_stash(instance);
	instance->generation = atomic_load(&instance->drbg->generation);
	instance->additional_generation = atomic_load(&instance->drbg->additional_generation);
	if (EVP_RAND_instantiate(instance->seed, STRENGTH, 0, NULL, 0, NULL) &&
	    EVP_RAND_instantiate(instance->inner, strength, prediction_resistance, text, text_len,
	                         inner))
		return 1;
	fail(instance->drbg, "instantiation");
	return 0;
}

static int instance_uninstantiate(void *context)
{
	struct instance *instance = context;

	drop_stash(instance);
	return EVP_RAND_uninstantiate(instance->inner);
}

/* Mixes what C_SeedRandom brought since the last time; it is not counted as entropy. */
static int reseed(struct instance *instance, int prediction_resistance)
{
	struct drbg *drbg = instance->drbg;
	uint8_t additional[ADDITIONAL_LEN];
	size_t len;
	int done;

	pthread_mutex_lock(&drbg->lock);
	len = drbg->additional_len;
	memcpy(additional, drbg->additional, len);
	pthread_mutex_unlock(&drbg->lock);
	done = EVP_RAND_reseed(instance->inner, prediction_resistance, NULL, 0, additional, len);
	wire_wipe(additional, sizeof(additional));
	if (!done)
		fail(drbg, "reseed");
	return done;
}

static int reseed_if_due(struct instance *instance)
{
	uint64_t generation =
		atomic_load_explicit(&instance->drbg->generation, memory_order_acquire);
	uint64_t additional =
		atomic_load_explicit(&instance->drbg->additional_generation, memory_order_acquire);

	if (instance->generation == generation && instance->additional_generation == additional)
		return 1;
	instance->generation = generation;
	instance->additional_generation = additional;
	drop_stash(instance);
	return reseed(instance, 0);
}

/* FIPS 140's continuous test: two consecutive outputs are never the same. Outputs shorter than the
 * comparison are too likely to be. */
static int differs_from_last(struct instance *instance, const unsigned char *out, size_t len)
{
	if (len < COMPARED_LEN)
		return 1;
	if (instance->has_last && !CRYPTO_memcmp(instance->last, out, COMPARED_LEN)) {
		fail(instance->drbg, "two consecutive outputs are the same");
		return 0;
	}
	memcpy(instance->last, out, COMPARED_LEN);
	instance->has_last = true;
	return 1;
}

static int may_generate(struct instance *instance)
{
	if (!*instance->drbg->same_process) {
		fail(instance->drbg, "the process was forked");
		return 0;
	}
	return !atomic_load(&instance->drbg->failed) &&
	       state_get(instance->drbg->state) != STATE_ERROR;
}

/*
 * A small request is a share of one larger output of the HMAC-DRBG, whose updates of its state,
 * before and after, are most of the work. Every octet is given out once and wiped then.
 */
static int share(struct instance *instance, unsigned char *out, size_t len, unsigned int strength)
{
	uint8_t *next;

	if (instance->stash_left < len) {
		instance->stash_left = 0;
		if (!EVP_RAND_generate(instance->inner, instance->stash, STASH_LEN, strength, 0,
		                       NULL, 0))
			return 0;
		if (!differs_from_last(instance, instance->stash, STASH_LEN)) {
			drop_stash(instance);
			return 0;
		}
		instance->stash_left = STASH_LEN;
	}
	next = instance->stash + STASH_LEN - instance->stash_left;
	memcpy(out, next, len);
	wire_wipe(next, len);
	instance->stash_left -= len;
	return 1;
}

static int instance_generate(void *context, unsigned char *out, size_t len, unsigned int strength,
                             int prediction_resistance, const unsigned char *additional,
                             size_t additional_len)
{
	struct instance *instance = context;
	bool plain = len <= SHARE_MAX && !prediction_resistance && !additional_len;

	atomic_fetch_add_explicit(&instance->drbg->requests, 1, memory_order_relaxed);
	if (!may_generate(instance) || !reseed_if_due(instance))
		return 0;
	if (plain ? !share(instance, out, len, strength)
	          : !EVP_RAND_generate(instance->inner, out, len, strength, prediction_resistance,
	                               additional, additional_len)) {
		fail(instance->drbg, "generate");
		return 0;
	}
	if (plain || differs_from_last(instance, out, len)) /* share has compared the whole */
		return 1;
	wire_wipe(out, len);
	return 0;
}

static int instance_reseed(void *context, int prediction_resistance, const unsigned char *entropy,
                           size_t entropy_len, const unsigned char *additional,
                           size_t additional_len)
{
	struct instance *instance = context;

	drop_stash(instance);
	return EVP_RAND_reseed(instance->inner, prediction_resistance, entropy, entropy_len,
	                       additional, additional_len);
}

static int instance_enable_locking(void *context)
{
	struct instance *instance = context;

	if (!instance->lock)
		instance->lock = CRYPTO_THREAD_lock_new();
	return instance->lock != NULL;
}

static int instance_lock(void *context)
{
	struct instance *instance = context;

	return !instance->lock || CRYPTO_THREAD_write_lock(instance->lock);
}

static void instance_unlock(void *context)
{
	struct instance *instance = context;

	if (instance->lock)
		CRYPTO_THREAD_unlock(instance->lock);
}

/* What OpenSSL asks before each output, and nothing else. */
static bool asks_for_limit(const OSSL_PARAM parameters[])
{
	const char *name = parameters[0].key;

	return name && !parameters[1].key && strcmp(name, OSSL_RAND_PARAM_MAX_REQUEST) == 0;
}

static int instance_get_parameters(void *context, OSSL_PARAM parameters[])
{
	struct instance *instance = context;

	if (asks_for_limit(parameters))
		return OSSL_PARAM_set_size_t(parameters, REQUEST_MAX);
	/* The inner generator knows its reseed counter and time, which OpenSSL asks of primaries.
	 */
	if (!EVP_RAND_CTX_get_params(instance->inner, parameters))
		return 0;
	return set_parameters(parameters, EVP_RAND_get_state(instance->inner), REQUEST_MAX);
}

static const OSSL_PARAM *instance_gettable(void *context, void *provider)
{
	static const OSSL_PARAM known[] = {
		OSSL_PARAM_int(OSSL_RAND_PARAM_STATE, NULL),
		OSSL_PARAM_uint(OSSL_RAND_PARAM_STRENGTH, NULL),
		OSSL_PARAM_size_t(OSSL_RAND_PARAM_MAX_REQUEST, NULL),
		OSSL_PARAM_uint(OSSL_DRBG_PARAM_RESEED_COUNTER, NULL),
		OSSL_PARAM_time_t(OSSL_DRBG_PARAM_RESEED_TIME, NULL),
		OSSL_PARAM_END,
	};

	(void)context;
	(void)provider;
	return known;
}

/* ---- the provider ---- */

#define CALL(id, function)                                                                         \
	{                                                                                          \
		(id), (void (*)(void))(function)                                                   \
	}

static const OSSL_DISPATCH seed_calls[] = {
	CALL(OSSL_FUNC_RAND_NEWCTX, seed_new),
	CALL(OSSL_FUNC_RAND_FREECTX, rand_free),
	CALL(OSSL_FUNC_RAND_INSTANTIATE, seed_instantiate),
	CALL(OSSL_FUNC_RAND_UNINSTANTIATE, seed_uninstantiate),
	CALL(OSSL_FUNC_RAND_GENERATE, seed_generate),
	CALL(OSSL_FUNC_RAND_RESEED, seed_reseed),
	CALL(OSSL_FUNC_RAND_ENABLE_LOCKING, no_locking),
	CALL(OSSL_FUNC_RAND_LOCK, no_lock),
	CALL(OSSL_FUNC_RAND_UNLOCK, no_unlock),
	CALL(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, gettable),
	CALL(OSSL_FUNC_RAND_GET_CTX_PARAMS, seed_get_parameters),
	CALL(OSSL_FUNC_RAND_GET_SEED, seed_get),
	CALL(OSSL_FUNC_RAND_CLEAR_SEED, seed_clear),
	{0, NULL},
};

static const OSSL_DISPATCH instance_calls[] = {
	CALL(OSSL_FUNC_RAND_NEWCTX, instance_new),
	CALL(OSSL_FUNC_RAND_FREECTX, instance_free),
	CALL(OSSL_FUNC_RAND_INSTANTIATE, instance_instantiate),
	CALL(OSSL_FUNC_RAND_UNINSTANTIATE, instance_uninstantiate),
	CALL(OSSL_FUNC_RAND_GENERATE, instance_generate),
	CALL(OSSL_FUNC_RAND_RESEED, instance_reseed),
	CALL(OSSL_FUNC_RAND_ENABLE_LOCKING, instance_enable_locking),
	CALL(OSSL_FUNC_RAND_LOCK, instance_lock),
	CALL(OSSL_FUNC_RAND_UNLOCK, instance_unlock),
	CALL(OSSL_FUNC_RAND_GETTABLE_CTX_PARAMS, instance_gettable),
	CALL(OSSL_FUNC_RAND_GET_CTX_PARAMS, instance_get_parameters),
	{0, NULL},
};

static const OSSL_ALGORITHM generators[] = {
	{"CRATON-SEED", PROVIDER_PROPERTIES, seed_calls, "health-tested getrandom"},
	{"CRATON-DRBG", PROVIDER_PROPERTIES, instance_calls, "HMAC-DRBG with continuous tests"},
	{NULL, NULL, NULL, NULL},
};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	return operation == OSSL_OP_RAND ? generators : NULL;
}

static const OSSL_DISPATCH provider_calls[] = {
	CALL(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
	{0, NULL},
};

/* The provider's context is our state; drbg_install asks for it once the provider is loaded. */
static int provider_init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
                         const OSSL_DISPATCH **out, void **provider)
{
	(void)handle;
	(void)in;
	*out = provider_calls;
	*provider = calloc(1, sizeof(struct drbg));
	return *provider != NULL;
}

/* ---- installing ---- */

static struct drbg *load_provider(OSSL_LIB_CTX *library, struct state *state,
                                  OSSL_PROVIDER **provider)
{
	struct drbg *drbg;

	if (!OSSL_PROVIDER_add_builtin(library, PROVIDER_NAME, provider_init))
		return NULL;
	*provider = OSSL_PROVIDER_load(library, PROVIDER_NAME);
	if (!*provider)
		return NULL;
	drbg = OSSL_PROVIDER_get0_provider_ctx(*provider);
	pthread_mutex_init(&drbg->lock, NULL);
	drbg->library = library;
	drbg->state = state;
	return drbg;
}

static int use_it(struct drbg *drbg)
{
	if (RAND_set_seed_source_type(drbg->library, "CRATON-SEED", PROVIDER_PROPERTIES) != 1)
		return -1;
	return RAND_set_DRBG_type(drbg->library, "CRATON-DRBG", PROVIDER_PROPERTIES, NULL, NULL) ==
	                       1
	               ? 0
	               : -1;
}

static int watch_forks(struct drbg *drbg)
{
	uint8_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return -1;
	if (madvise(page, 4096, MADV_WIPEONFORK)) {
		munmap(page, 4096);
		return -1;
	}
	*page = 1;
	drbg->same_process = page;
	return 0;
}

int drbg_install(struct drbg **out, OSSL_LIB_CTX *library, OSSL_PROVIDER **provider,
                 struct state *state, char *error, size_t error_len)
{
	struct drbg *drbg;
	const char *why = NULL;

	*provider = NULL;
	drbg = load_provider(library, state, provider);
	if (!drbg)
		why = "OpenSSL refuses the provider";
	else if (!entropy_start(&drbg->source))
		why = drbg->source.failure;
	else if (watch_forks(drbg))
		why = strerror(errno);
	else if (use_it(drbg))
		why = "OpenSSL refuses the generator";
	if (why)
		snprintf(error, error_len, "drbg: start-up failed: %s", why);
	*out = drbg;
	return why ? -1 : 0;
}

void drbg_free(struct drbg *drbg)
{
	if (!drbg)
		return;
	if (drbg->same_process)
		munmap((void *)(uintptr_t)drbg->same_process, 4096);
	pthread_mutex_destroy(&drbg->lock);
	wire_wipe(drbg->additional, sizeof(drbg->additional));
	free(drbg);
}

void drbg_reseed_all(struct drbg *drbg)
{
	atomic_fetch_add(&drbg->generation, 1);
}

void drbg_add(struct drbg *drbg, const uint8_t *octets, size_t len)
{
	pthread_mutex_lock(&drbg->lock);
	/* Folded over what is there, so that later calls do not push out earlier ones. */
	for (size_t i = 0; i < len; i++)
		drbg->additional[i % ADDITIONAL_LEN] ^= octets[i];
	if (drbg->additional_len < len)
		drbg->additional_len = len < ADDITIONAL_LEN ? len : ADDITIONAL_LEN;
	pthread_mutex_unlock(&drbg->lock);
	atomic_fetch_add_explicit(&drbg->additional_generation, 1, memory_order_release);
}

void drbg_statistics(const struct drbg *drbg, struct drbg_statistics *statistics)
{
	statistics->requests = atomic_load(&drbg->requests);
	statistics->reseeds = atomic_load(&drbg->reseeds);
	statistics->failures = atomic_load(&drbg->failures);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DRBG: an in-process OpenSSL provider "craton" with two EVP_RAND algorithms. CRATON-SEED is
 * the health-tested entropy source (entropy.h). CRATON-DRBG wraps OpenSSL's HMAC-DRBG (SHA-256)
 * over it and adds what we owe: counters, the continuous comparison of consecutive outputs,
 * reseeding on demand, fork and VM-generation checks, and the error state. The library context uses
 * CRATON-DRBG for all its randomness, so key generation, nonces, salts and C_GenerateRandom all
 * pass through here.
 */
#ifndef AGENT_DRBG_H
#define AGENT_DRBG_H

#include <openssl/types.h>
#include <stdint.h>

#include "state.h"

struct drbg;

struct drbg_statistics {
	uint64_t requests; /* generate calls on all instances */
	uint64_t reseeds;  /* (re)seedings of all instances, the first of each included */
	uint64_t failures;
};

/* Adds the provider to `library` and makes CRATON-DRBG its DRBG. Runs the entropy start-up test. 0
 * or -1. */
int drbg_install(struct drbg **drbg, OSSL_LIB_CTX *library, OSSL_PROVIDER **provider,
                 struct state *state, char *error, size_t error_len);
/* After the library context is freed. */
void drbg_free(struct drbg *drbg);
/* Every instance reseeds from the source before its next output: operator request, VM generation
 * change. */
void drbg_reseed_all(struct drbg *drbg);
/* Additional input of C_SeedRandom, mixed at the next generate; never counted as entropy. At most
 * 256 octets are kept. */
void drbg_add(struct drbg *drbg, const uint8_t *octets, size_t len);
void drbg_statistics(const struct drbg *drbg, struct drbg_statistics *statistics);

#endif

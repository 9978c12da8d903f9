/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PINs (BEHAVIOUR B5): wrapping the object master key under a PIN, and the guard that counts
 * failures and keeps the window between attempts. No clock of its own: times are given.
 */
#ifndef AGENT_PIN_H
#define AGENT_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto.h"
#include "store.h"

/* In memory only; the failures are in the token's row. */
struct pin_guard {
	uint64_t window_ends_ns; /* attempts before this are refused */
};

/* The delay owed after failure number n (1, 2 ...): min(100 ms * 2^(n-1), 5 s). 0 for n = 0. */
unsigned int pin_delay_ms(uint32_t failures);
/* May an attempt begin now? ERROR_NONE, ERROR_USER_PIN_NOT_SET, ERROR_PIN_LOCKED or
 * ERROR_PIN_RATE_LIMITED. */
enum err pin_admit(const struct pin_guard *guard, const struct store_pin *pin,
                   uint64_t max_failures, uint64_t now_ns) MUST_CHECK;
/* Notes a failure in both: *delay_ms is how long the answer is to be held. */
void pin_failed(struct pin_guard *guard, struct store_pin *pin, uint64_t now_ns,
                unsigned int *delay_ms);
/* After a restart: a window as long as the last failure's. */
void pin_guard_restore(struct pin_guard *guard, const struct store_pin *pin, uint64_t now_ns);

/* [slow] Wraps `key` under a PIN with a fresh salt; clears the failures. */
enum err pin_wrap(struct crypto *crypto, struct wire_bytes pin, uint64_t iterations,
                  uint64_t slot_id, const uint8_t key[CRYPTO_KEY_LEN],
                  struct store_pin *out) MUST_CHECK;
/* [slow] Unwraps. ERROR_PIN_INCORRECT when the PIN is another. `key` is in locked memory. */
enum err pin_unwrap(struct crypto *crypto, struct wire_bytes pin, const struct store_pin *in,
                    uint64_t slot_id, uint8_t key[CRYPTO_KEY_LEN]) MUST_CHECK;

#endif

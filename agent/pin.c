/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIN is never compared: it derives a key, and the tag of the wrapped master key says whether it
 * was the right one.
 */
#include "pin.h"

#include <string.h>

#include "slots.h"

#define BASE_MS 100u
#define MAX_MS  5000u
#define MS_NS   1000000ull

unsigned int pin_delay_ms(uint32_t failures)
{
	if (!failures)
		return 0;
	if (failures > 6) /* 100 ms * 2^6 is beyond 5 s */
		return MAX_MS;
	return BASE_MS << (failures - 1) < MAX_MS ? BASE_MS << (failures - 1) : MAX_MS;
}

enum err pin_admit(const struct pin_guard *guard, const struct store_pin *pin,
                   uint64_t max_failures, uint64_t now_ns)
{
	if (!pin->set)
		return ERROR_USER_PIN_NOT_SET;
	if (pin->failures >= max_failures)
		return ERROR_PIN_LOCKED;
	return now_ns < guard->window_ends_ns ? ERROR_PIN_RATE_LIMITED : ERROR_NONE;
}

void pin_failed(struct pin_guard *guard, struct store_pin *pin, uint64_t now_ns,
                unsigned int *delay_ms)
{
	pin->failures++;
	*delay_ms = pin_delay_ms(pin->failures);
	guard->window_ends_ns = now_ns + *delay_ms * MS_NS;
}

void pin_guard_restore(struct pin_guard *guard, const struct store_pin *pin, uint64_t now_ns)
{
	guard->window_ends_ns = now_ns + pin_delay_ms(pin->failures) * MS_NS;
}

/* Binds a wrapped key to its slot. */
static struct wire_bytes binding(uint64_t slot_id, uint8_t octets[16])
{
	memcpy(octets, "OMK.v1..", 8);
	wire_store_u64(octets + 8, slot_id);
	return (struct wire_bytes){octets, 16};
}

enum err pin_wrap(struct crypto *crypto, struct wire_bytes pin, uint64_t iterations,
                  uint64_t slot_id, const uint8_t key[CRYPTO_KEY_LEN], struct store_pin *out)
{
	struct store_pin fresh = {.set = true, .iterations = iterations};
	uint8_t *derived = slots_allocate(CRYPTO_KEY_LEN);
	uint8_t bound[16];
	enum err err;

	if (!derived)
		return ERROR_MEMORY;
	err = crypto_random(crypto, fresh.salt, sizeof(fresh.salt));
	if (!err)
		err = crypto_pbkdf2(crypto, pin,
		                    (struct wire_bytes){fresh.salt, sizeof(fresh.salt)}, iterations,
		                    derived);
	if (!err)
		err = crypto_seal(crypto, derived, binding(slot_id, bound),
		                  (struct wire_bytes){key, CRYPTO_KEY_LEN}, fresh.wrapped_key);
	slots_release(derived);
	if (!err)
		*out = fresh;
	return err;
}

enum err pin_unwrap(struct crypto *crypto, struct wire_bytes pin, const struct store_pin *in,
                    uint64_t slot_id, uint8_t key[CRYPTO_KEY_LEN])
{
	uint8_t *derived = slots_allocate(CRYPTO_KEY_LEN);
	uint8_t bound[16];
	enum err err;

	if (!derived)
		return ERROR_MEMORY;
	err = crypto_pbkdf2(crypto, pin, (struct wire_bytes){in->salt, sizeof(in->salt)},
	                    in->iterations, derived);
	if (!err)
		err = crypto_open_sealed(
			crypto, derived, binding(slot_id, bound),
			(struct wire_bytes){in->wrapped_key, sizeof(in->wrapped_key)}, key);
	slots_release(derived);
	return err == ERROR_STORE_CORRUPT ? ERROR_PIN_INCORRECT : err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PINs: the table of delays, the guard with a clock that is given, and wrapping the master key.
 */
#include "base_fixture.h"
#include "pin.h"

#define ITERATIONS 100000u
#define MS         1000000ull
#define NOW        (1000 * MS)

static const uint8_t master[CRYPTO_KEY_LEN] = {3, 1, 4, 1, 5, 9, 2, 6};

TEST(delays)
{
	static const unsigned int table[] = {0,    100,  200,  400,  800, 1600,
	                                     3200, 5000, 5000, 5000, 5000};

	for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		EXPECT_EQ(pin_delay_ms(i), table[i]);
	EXPECT_EQ(pin_delay_ms(32), 5000);
	EXPECT_EQ(pin_delay_ms(33), 5000);
	EXPECT_EQ(pin_delay_ms(UINT32_MAX), 5000);
}

TEST(admits)
{
	struct pin_guard guard = {0};
	struct store_pin pin = {0};

	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW), ERROR_USER_PIN_NOT_SET);
	pin.set = true;
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW), ERROR_NONE);
	EXPECT_EQ(pin_admit(&guard, &pin, 10, 0), ERROR_NONE);
	pin.failures = 9;
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW), ERROR_NONE);
	guard.window_ends_ns = NOW + 1;
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW), ERROR_PIN_RATE_LIMITED);
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW + 1), ERROR_NONE);
	pin.failures = 10; /* being locked goes before the window */
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW), ERROR_PIN_LOCKED);
	pin.failures = 11;
	EXPECT_EQ(pin_admit(&guard, &pin, 10, NOW + 1), ERROR_PIN_LOCKED);
}

TEST(failures_open_windows)
{
	static const unsigned int table[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000};
	struct store_pin pin = {.set = true};
	struct pin_guard guard = {0};
	unsigned int delay_ms = 0;
	uint64_t now = NOW;

	for (uint32_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		ASSERT_EQ(pin_admit(&guard, &pin, 100, now), ERROR_NONE);
		pin_failed(&guard, &pin, now, &delay_ms);
		EXPECT_EQ(delay_ms, table[i]);
		EXPECT_EQ(pin.failures, i + 1);
		EXPECT_EQ(guard.window_ends_ns, now + table[i] * MS);
		EXPECT_EQ(pin_admit(&guard, &pin, 100, now), ERROR_PIN_RATE_LIMITED);
		now += table[i] * MS;
		EXPECT_EQ(pin_admit(&guard, &pin, 100, now - 1), ERROR_PIN_RATE_LIMITED);
	}
	EXPECT_EQ(pin_admit(&guard, &pin, 8, now), ERROR_PIN_LOCKED);
}

TEST(restart_owes_the_last_window)
{
	static const struct {
		uint32_t failures;
		unsigned int ms;
	} rows[] = {{0, 0}, {1, 100}, {3, 400}, {7, 5000}, {50, 5000}};
	struct store_pin pin = {.set = true};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pin_guard guard = {.window_ends_ns = UINT64_MAX};

		pin.failures = rows[i].failures;
		pin_guard_restore(&guard, &pin, NOW);
		EXPECT_EQ(guard.window_ends_ns, NOW + rows[i].ms * MS);
		EXPECT_EQ(pin.failures, rows[i].failures);
	}
}

static struct store_pin wrapped(const char *pin, uint64_t slot_id)
{
	struct store_pin out;

	memset(&out, 0xff, sizeof(out));
	ASSERT_EQ(pin_wrap(base_crypto, wire_text(pin), ITERATIONS, slot_id, master, &out),
	          ERROR_NONE);
	return out;
}

TEST(wraps_and_unwraps)
{
	struct store_pin out, again;
	uint8_t *key;

	base_open_crypto();
	key = slots_allocate(CRYPTO_KEY_LEN);
	ASSERT_NOT_NULL(key);
	out = wrapped("1234", 3);
	EXPECT_TRUE(out.set);
	EXPECT_EQ(out.iterations, ITERATIONS);
	EXPECT_EQ(out.failures, 0);
	EXPECT_FALSE(out.must_change);
	again = wrapped("1234", 3);
	EXPECT_NE(memcmp(out.salt, again.salt, sizeof(out.salt)), 0);
	EXPECT_NE(memcmp(out.wrapped_key, again.wrapped_key, sizeof(out.wrapped_key)), 0);
	EXPECT_NULL(memmem(out.wrapped_key, sizeof(out.wrapped_key), master, 8));
	ASSERT_EQ(pin_unwrap(base_crypto, wire_text("1234"), &out, 3, key), ERROR_NONE);
	EXPECT_MEMEQ(key, master, CRYPTO_KEY_LEN);
	slots_release(key);
}

static void refused(const struct store_pin *pin, const char *text, uint64_t slot_id)
{
	static const uint8_t zeros[CRYPTO_KEY_LEN];
	uint8_t *key = slots_allocate(CRYPTO_KEY_LEN);

	ASSERT_NOT_NULL(key);
	memset(key, 7, CRYPTO_KEY_LEN);
	EXPECT_EQ(pin_unwrap(base_crypto, wire_text(text), pin, slot_id, key), ERROR_PIN_INCORRECT);
	EXPECT_MEMEQ(key, zeros, CRYPTO_KEY_LEN);
	slots_release(key);
}

TEST(refuses_everything_else)
{
	struct store_pin pin, changed;

	base_open_crypto();
	pin = wrapped("1234", 3);
	refused(&pin, "1235", 3);
	refused(&pin, "123", 3);
	refused(&pin, "12345", 3);
	refused(&pin, "", 3);
	refused(&pin, "1234", 4);
	changed = pin;
	changed.salt[STORE_SALT_LEN - 1] ^= 1;
	refused(&changed, "1234", 3);
	changed = pin;
	changed.iterations++;
	refused(&changed, "1234", 3);
	changed = pin;
	changed.wrapped_key[STORE_WRAPPED_LEN - 1] ^= 1;
	refused(&changed, "1234", 3);
}

HARNESS_MAIN

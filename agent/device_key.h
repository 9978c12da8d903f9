/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device key: seals public objects. From systemd's credentials when there is one named
 * device.key, else from a file of our own.
 */
#ifndef AGENT_DEVICE_KEY_H
#define AGENT_DEVICE_KEY_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct crypto;
struct store;

/*
 * Loads the key, or makes one (0600, durable) when the store holds no token yet. *key is
 * CRYPTO_KEY_LEN octets of locked memory, to be given back by slots_release. 0, or -1 with one line
 * in `error`.
 */
int device_key_open(uint8_t **key, const struct config *config, struct store *store,
                    struct crypto *crypto, char *error, size_t error_len);

#endif

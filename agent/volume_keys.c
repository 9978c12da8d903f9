/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses where volume keys are handled and checks what both ways rely on.
 */
#include "volume_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"
#include "log.h"

/* Of its own, so that its slots end with it. */
static enum err open_device(struct volume_keys *keys)
{
	keys->device_fd = open(kernel_device(), O_RDWR | O_CLOEXEC);
	if (keys->device_fd >= 0) {
		keys->methods = &volume_kernel_methods;
		return ERROR_NONE;
	}
	log_error("volumes: %s: %s", kernel_device(), strerror(errno));
	return ERROR_KERNEL;
}

/* A module that was there at the start and now fails is not silently done without. */
enum err volume_keys_open(struct volume_keys *keys, struct crypto *crypto, bool kernel_only)
{
	*keys = (struct volume_keys){.crypto = crypto, .device_fd = -1};
	if (kernel_module() == KERNEL_READY)
		return open_device(keys);
	if (kernel_only) {
		log_error("volumes: %s", kernel_reason());
		return ERROR_KERNEL;
	}
	keys->methods = &volume_memory_methods;
	return ERROR_NONE;
}

void volume_keys_close(struct volume_keys *keys)
{
	if (keys->methods)
		keys->methods->close(keys);
	keys->methods = NULL;
}

bool volume_keys_in_kernel(const struct volume_keys *keys)
{
	return keys->methods->in_kernel;
}

enum err volume_keys_import(struct volume_keys *keys, struct wire_bytes value,
                            struct volume_kek *kek)
{
	*kek = (struct volume_kek){.value = value};
	if (value.len != CRATON_HSM_KEK_LEN)
		return ERROR_VOLUME_KEK;
	return keys->methods->import(keys, kek);
}

enum err volume_keys_generate(struct volume_keys *keys, const struct volume_kek *kek,
                              struct wire_bytes name, uint32_t key_len, struct volume_blob *blob)
{
	if (!volume_name_valid(name) || !volume_key_len_valid(key_len))
		return ERROR_ARGUMENTS;
	return keys->methods->generate(keys, kek, name, key_len, blob);
}

enum err volume_keys_rewrap(struct volume_keys *keys, const struct volume_kek *from,
                            const struct volume_kek *to, struct wire_bytes old,
                            struct volume_blob *blob)
{
	if (!volume_blob_valid(old))
		return ERROR_VOLUME_DAMAGED;
	return keys->methods->rewrap(keys, from, to, old, blob);
}

enum err volume_keys_logon(struct volume_keys *keys, const struct volume_kek *kek,
                           struct wire_bytes blob, struct wire_bytes name, int32_t keyring,
                           uint32_t timeout, int32_t *serial)
{
	if (!volume_blob_valid(blob) || !volume_blob_names(blob, name))
		return ERROR_VOLUME_DAMAGED;
	return keys->methods->logon(keys, kek, blob, name, keyring, timeout, serial);
}

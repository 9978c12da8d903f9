/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volume keys in the kernel module: they live in SEALED slots, are wrapped there and become logon
 * keys there, and are never in this process. Every slot belongs to the open device and ends with
 * it at the latest, so a failure leaves nothing behind.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "log.h"
#include "volume_keys.h"

#define KEK_LABEL "volume key-encryption key"

/* What the caller may be blamed for; anything else is the module's trouble and stands in the log.
 */
static enum err translate(const char *what, int error)
{
	switch (error) {
	case EBADMSG:
		return ERROR_VOLUME_DAMAGED;
	case ENOKEY:
	case EACCES:
	case EKEYREVOKED:
	case EKEYEXPIRED:
	case ENOTDIR:
	case EEXIST:
		log_warning("volumes: %s: %s", what, strerror(error));
		return ERROR_KEYRING;
	default:
		log_error("volumes: %s: %s", what, strerror(error));
		return ERROR_KERNEL;
	}
}

static enum err call(const struct volume_keys *keys, unsigned long number, void *request,
                     const char *what)
{
	return ioctl(keys->device_fd, number, request) ? translate(what, errno) : ERROR_NONE;
}

static enum err import_kek(struct volume_keys *keys, struct volume_kek *kek)
{
	struct craton_hsm_slot_create request = {
		.size = sizeof(request),
		.flags = CRATON_HSM_SEALED,
		.purpose = CRATON_HSM_KEY_ENCRYPTION,
		.key_len = (uint32_t)kek->value.len,
		.key = (uintptr_t)kek->value.data,
		.label = KEK_LABEL,
	};
	enum err err = call(keys, CRATON_HSM_SLOT_CREATE, &request, "import of a key");

	kek->slot = request.slot;
	return err;
}

static void destroy(const struct volume_keys *keys, uint32_t slot)
{
	struct craton_hsm_slot_destroy request = {.size = sizeof(request), .slot = slot};

	/* Gone already when its key was revoked meanwhile. */
	if (ioctl(keys->device_fd, CRATON_HSM_SLOT_DESTROY, &request) && errno != ENOENT)
		log_error("volumes: a slot stays until the device is closed: %s", strerror(errno));
}

static enum err wrap(const struct volume_keys *keys, const struct volume_kek *kek, uint32_t slot,
                     struct volume_blob *blob)
{
	struct craton_hsm_wrap request = {
		.size = sizeof(request),
		.kek = kek->slot,
		.slot = slot,
		.blob = (uintptr_t)blob->octets,
		.blob_len = sizeof(blob->octets),
	};
	enum err err = call(keys, CRATON_HSM_WRAP, &request, "wrapping");

	blob->len = err ? 0 : request.blob_len;
	return err;
}

static enum err unwrap(const struct volume_keys *keys, const struct volume_kek *kek,
                       struct wire_bytes blob, uint32_t *slot)
{
	struct craton_hsm_unwrap request = {
		.size = sizeof(request),
		.kek = kek->slot,
		.blob = (uintptr_t)blob.data,
		.blob_len = (uint32_t)blob.len,
	};
	enum err err = call(keys, CRATON_HSM_UNWRAP, &request, "unwrapping");

	*slot = request.slot;
	return err;
}

static enum err generate(struct volume_keys *keys, const struct volume_kek *kek,
                         struct wire_bytes name, uint32_t key_len, struct volume_blob *blob)
{
	struct craton_hsm_slot_create request = {
		.size = sizeof(request),
		.flags = CRATON_HSM_SEALED | CRATON_HSM_GENERATE,
		.purpose = CRATON_HSM_VOLUME,
		.key_len = key_len,
	};
	enum err err;

	memcpy(request.label, name.data, name.len);
	err = call(keys, CRATON_HSM_SLOT_CREATE, &request, "generation of a volume key");
	if (err)
		return err;
	err = wrap(keys, kek, request.slot, blob);
	destroy(keys, request.slot);
	return err;
}

static enum err rewrap(struct volume_keys *keys, const struct volume_kek *from,
                       const struct volume_kek *to, struct wire_bytes old, struct volume_blob *blob)
{
	uint32_t slot;
	enum err err = unwrap(keys, from, old, &slot);

	if (err)
		return err;
	err = wrap(keys, to, slot, blob);
	destroy(keys, slot);
	return err;
}

static enum err make_logon(struct volume_keys *keys, uint32_t slot, struct wire_bytes name,
                           int32_t keyring, uint32_t timeout, int32_t *serial)
{
	struct craton_hsm_logon request = {
		.size = sizeof(request),
		.slot = slot,
		.keyring = keyring,
		.timeout = timeout,
	};
	enum err err;

	memcpy(request.name, name.data, name.len);
	err = call(keys, CRATON_HSM_LOGON, &request, "the logon key");
	*serial = request.serial;
	return err;
}

static enum err logon(struct volume_keys *keys, const struct volume_kek *kek,
                      struct wire_bytes blob, struct wire_bytes name, int32_t keyring,
                      uint32_t timeout, int32_t *serial)
{
	uint32_t slot;
	enum err err = unwrap(keys, kek, blob, &slot);

	if (err)
		return err;
	err = make_logon(keys, slot, name, keyring, timeout, serial);
	destroy(keys, slot);
	return err;
}

static void close_device(struct volume_keys *keys)
{
	close(keys->device_fd);
	keys->device_fd = -1;
}

const struct volume_key_methods volume_kernel_methods = {
	.in_kernel = true,
	.import = import_kek,
	.generate = generate,
	.rewrap = rewrap,
	.logon = logon,
	.close = close_device,
};

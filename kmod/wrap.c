// SPDX-License-Identifier: GPL-2.0-only
/*
 * Volume keys on their way out of the machine and back: AES-256-GCM by the kernel's crypto API under a
 * key-encryption slot. The header of the blob, label and length in it, is authenticated. A failed decryption leaves
 * its scratch behind, never a slot.
 */
#include <crypto/aead.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chsm.h"

#define HEAD_LEN offsetof(struct craton_hsm_blob, nonce)
#define NONCE_LEN sizeof_field(struct craton_hsm_blob, nonce)
#define TAG_LEN CRATON_HSM_BLOB_TAG_LEN
#define BLOB_MAX CRATON_HSM_BLOB_LEN(CRATON_HSM_VOLUME_KEY_MAX)
#define WRAPS_MAX (1ULL << 32)	/* SP 800-38D section 8.3, random nonces of 96 bits */

static struct crypto_aead *aead_of(const struct chsm_slot *kek)
{
	struct crypto_aead *aead = crypto_alloc_aead("gcm(aes)", 0, CRYPTO_ALG_ASYNC);
	u8 key[CRATON_HSM_KEK_LEN];
	int err;

	if (IS_ERR(aead))
		return PTR_ERR(aead) == -ENOENT ? ERR_PTR(-ENOPKG) : aead;
	chsm_slot_load(kek, key);
	err = crypto_aead_setkey(aead, key, sizeof(key));
	memzero_explicit(key, sizeof(key));
	if (!err)
		err = crypto_aead_setauthsize(aead, TAG_LEN);
	if (!err)
		return aead;
	crypto_free_aead(aead);
	return ERR_PTR(err);
}

/* `data`: head, text and room for the tag, or head, ciphertext and tag; worked on in place. */
static int gcm(const struct chsm_slot *kek, bool encrypt, u8 *data, u32 key_len, u8 *nonce)
{
	struct crypto_aead *aead = aead_of(kek);
	struct aead_request *request;
	struct scatterlist list;
	int err;

	if (IS_ERR(aead))
		return PTR_ERR(aead);
	request = aead_request_alloc(aead, GFP_KERNEL);
	if (!request) {
		crypto_free_aead(aead);
		return -ENOMEM;
	}
	sg_init_one(&list, data, HEAD_LEN + key_len + TAG_LEN);
	aead_request_set_callback(request, 0, NULL, NULL);
	aead_request_set_ad(request, HEAD_LEN);
	aead_request_set_crypt(request, &list, &list, encrypt ? key_len : key_len + TAG_LEN, nonce);
	err = encrypt ? crypto_aead_encrypt(request) : crypto_aead_decrypt(request);
	aead_request_free(request);
	crypto_free_aead(aead);
	return err;
}

static int check_kek(struct chsm_slot *kek)
{
	return kek->purpose == CRATON_HSM_KEY_ENCRYPTION ? 0 : -EINVAL;
}

static int head_of(const struct chsm_slot *slot, struct craton_hsm_blob *head)
{
	*head = (struct craton_hsm_blob){
		.magic = { 'C', 'H', 'W', 'K' },
		.version = CRATON_HSM_BLOB_VERSION,
		.purpose = CRATON_HSM_VOLUME,
		.key_len = cpu_to_le32(slot->key_len),
	};
	memcpy(head->label, slot->label, sizeof(head->label));
	return get_random_bytes_wait(head->nonce, NONCE_LEN);
}

/* The nonce stands between head and ciphertext in the blob, and nowhere in the data that GCM works on. */
static int blob_out(void __user *to, const struct craton_hsm_blob *head, const u8 *data, u32 key_len)
{
	if (copy_to_user(to, head, sizeof(*head)) ||
	    copy_to_user(to + sizeof(*head), data + HEAD_LEN, key_len + TAG_LEN))
		return -EFAULT;
	return 0;
}

static int wrap_slot(struct chsm_slot *kek, const struct chsm_slot *slot, struct craton_hsm_wrap *request)
{
	struct craton_hsm_blob head;
	u8 *data;
	int err;

	if (atomic64_inc_return(&kek->wraps) > WRAPS_MAX) {
		atomic64_dec(&kek->wraps);
		return -EKEYEXPIRED;
	}
	data = kzalloc(BLOB_MAX, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	err = head_of(slot, &head);
	if (err)
		goto out;
	memcpy(data, &head, HEAD_LEN);
	chsm_slot_load(slot, data + HEAD_LEN);
	err = gcm(kek, true, data, slot->key_len, head.nonce);
	if (!err)
		err = blob_out(u64_to_user_ptr(request->blob), &head, data, slot->key_len);
out:
	kfree_sensitive(data);
	return err;
}

static int wrap_checked(struct chsm_slot *kek, struct chsm_slot *slot, struct craton_hsm_wrap *request)
{
	u32 room = request->blob_len;

	if (check_kek(kek) || slot->purpose != CRATON_HSM_VOLUME)
		return -EINVAL;
	request->blob_len = CRATON_HSM_BLOB_LEN(slot->key_len);
	return room < request->blob_len ? -ENOSPC : wrap_slot(kek, slot, request);
}

int chsm_wrap(struct chsm_file *owner, struct craton_hsm_wrap *request)
{
	struct chsm_slot *kek, *slot;
	int err;

	if (request->reserved)
		return -EINVAL;
	kek = chsm_slot_get(owner, request->kek);
	if (IS_ERR(kek))
		return PTR_ERR(kek);
	slot = chsm_slot_get(owner, request->slot);
	if (IS_ERR(slot)) {
		err = PTR_ERR(slot);
	} else {
		err = wrap_checked(kek, slot, request);
		chsm_slot_put(slot);
	}
	chsm_slot_put(kek);
	return err;
}

static int head_check(const struct craton_hsm_blob *head, u32 blob_len, u32 *key_len)
{
	*key_len = le32_to_cpu(head->key_len);
	if (memcmp(head->magic, CRATON_HSM_BLOB_MAGIC, sizeof(head->magic)) ||
	    head->version != CRATON_HSM_BLOB_VERSION || head->purpose != CRATON_HSM_VOLUME ||
	    head->reserved[0] || head->reserved[1] || *key_len < CRATON_HSM_VOLUME_KEY_MIN ||
	    *key_len > CRATON_HSM_VOLUME_KEY_MAX || blob_len != CRATON_HSM_BLOB_LEN(*key_len))
		return -EINVAL;
	return chsm_label_check(head->label);
}

/* Opens the blob in `data` of BLOB_MAX octets; the key is then at data + HEAD_LEN. */
static int open_blob(const struct chsm_slot *kek, const struct craton_hsm_unwrap *request, struct craton_hsm_blob *head,
		     u8 *data, u32 *key_len)
{
	int err;

	if (request->blob_len < sizeof(*head) || request->blob_len > BLOB_MAX)
		return -EINVAL;
	if (copy_from_user(head, u64_to_user_ptr(request->blob), sizeof(*head)))
		return -EFAULT;
	err = head_check(head, request->blob_len, key_len);
	if (err)
		return err;
	memcpy(data, head, HEAD_LEN);
	if (copy_from_user(data + HEAD_LEN, u64_to_user_ptr(request->blob + sizeof(*head)), *key_len + TAG_LEN))
		return -EFAULT;
	return gcm(kek, false, data, *key_len, head->nonce);
}

static int slot_from(struct chsm_file *owner, struct craton_hsm_unwrap *request, const struct craton_hsm_blob *head,
		     const u8 *key, u32 key_len)
{
	struct chsm_slot *slot;
	int err;

	slot = chsm_slot_alloc(owner, request->flags | CRATON_HSM_SEALED, CRATON_HSM_VOLUME, key_len, head->label,
			       request->timeout);
	if (IS_ERR(slot))
		return PTR_ERR(slot);
	chsm_slot_store(slot, key);
	err = chsm_slot_publish(slot, &request->slot, &request->serial);
	if (err)
		chsm_slot_abort(slot);
	return err;
}

int chsm_unwrap(struct chsm_file *owner, struct craton_hsm_unwrap *request)
{
	struct craton_hsm_blob head;
	struct chsm_slot *kek;
	u32 key_len;
	u8 *data;
	int err;

	if (request->reserved)
		return -EINVAL;
	kek = chsm_slot_get(owner, request->kek);
	if (IS_ERR(kek))
		return PTR_ERR(kek);
	data = kzalloc(BLOB_MAX, GFP_KERNEL);
	if (!data) {
		err = -ENOMEM;
		goto out;
	}
	err = check_kek(kek);
	if (!err)
		err = open_blob(kek, request, &head, data, &key_len);
	if (!err)
		err = slot_from(owner, request, &head, data + HEAD_LEN, key_len);
	kfree_sensitive(data);
out:
	chsm_slot_put(kek);
	return err;
}

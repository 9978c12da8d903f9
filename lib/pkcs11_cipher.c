/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Encrypt* and C_Decrypt*, alone and together with digests and signatures. The shapes are in
 * stream.h, the cryptography is in the agent.
 */
#include "stream.h"

STREAM_INIT_KEPT(C_EncryptInit, encrypt_init, CKF_ENCRYPT, DEFERRED_ENCRYPT)
STREAM_ONCE(C_Encrypt, encrypt, CKR_DATA_LEN_RANGE, DEFERRED_ENCRYPT)
STREAM_THROUGH(C_EncryptUpdate, encrypt_update, CKR_DATA_LEN_RANGE, DEFERRED_ENCRYPT)
STREAM_FINAL(C_EncryptFinal, encrypt_final, DEFERRED_ENCRYPT)

STREAM_INIT_KEPT(C_DecryptInit, decrypt_init, CKF_DECRYPT, DEFERRED_DECRYPT)
STREAM_ONCE(C_Decrypt, decrypt, CKR_ENCRYPTED_DATA_LEN_RANGE, DEFERRED_DECRYPT)
STREAM_THROUGH(C_DecryptUpdate, decrypt_update, CKR_ENCRYPTED_DATA_LEN_RANGE, DEFERRED_DECRYPT)
STREAM_FINAL(C_DecryptFinal, decrypt_final, DEFERRED_DECRYPT)

STREAM_THROUGH(C_DigestEncryptUpdate, digest_encrypt_update, CKR_DATA_LEN_RANGE, DEFERRED_ENCRYPT)
STREAM_THROUGH(C_DecryptDigestUpdate, decrypt_digest_update, CKR_ENCRYPTED_DATA_LEN_RANGE,
               DEFERRED_DECRYPT)
STREAM_THROUGH(C_SignEncryptUpdate, sign_encrypt_update, CKR_DATA_LEN_RANGE, DEFERRED_ENCRYPT)
STREAM_THROUGH(C_DecryptVerifyUpdate, decrypt_verify_update, CKR_ENCRYPTED_DATA_LEN_RANGE,
               DEFERRED_DECRYPT)

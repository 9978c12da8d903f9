/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C_Encrypt* and C_Decrypt*. The shapes are in stream.h, the cryptography is in the agent.
 */
#include "stream.h"

STREAM_INIT(C_EncryptInit, encrypt_init)
STREAM_THROUGH(C_Encrypt, encrypt, CKR_DATA_LEN_RANGE)
STREAM_THROUGH(C_EncryptUpdate, encrypt_update, CKR_DATA_LEN_RANGE)
STREAM_FINAL(C_EncryptFinal, encrypt_final)

STREAM_INIT(C_DecryptInit, decrypt_init)
STREAM_THROUGH(C_Decrypt, decrypt, CKR_ENCRYPTED_DATA_LEN_RANGE)
STREAM_THROUGH(C_DecryptUpdate, decrypt_update, CKR_ENCRYPTED_DATA_LEN_RANGE)
STREAM_FINAL(C_DecryptFinal, decrypt_final)

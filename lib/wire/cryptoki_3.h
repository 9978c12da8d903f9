/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interfaces of PKCS#11 v3.0 and v3.2, which p11-kit's header (version 2.40) does not have: the
 * functions, in the order of the function list (pkcs11f.h of v3.2), their types and the flags that
 * only they take.
 */
#ifndef WIRE_CRYPTOKI_3_H
#define WIRE_CRYPTOKI_3_H

#include "wire/cryptoki.h"

#ifndef CKF_INTERFACE_FORK_SAFE
#define CKF_INTERFACE_FORK_SAFE 0x00000001UL
typedef struct ck_interface {
	CK_CHAR *pInterfaceName;
	void *pFunctionList;
	CK_FLAGS flags;
} CK_INTERFACE;
#endif

/* C_SessionCancel (v3.0 §5.6.10), beside CKF_ENCRYPT and its kin. */
#ifndef CKF_MESSAGE_ENCRYPT
#define CKF_MESSAGE_ENCRYPT 0x00000002UL
#define CKF_MESSAGE_DECRYPT 0x00000004UL
#define CKF_MESSAGE_SIGN    0x00000008UL
#define CKF_MESSAGE_VERIFY  0x00000010UL
#define CKF_MULTI_MESSAGE   0x00000020UL
#define CKF_FIND_OBJECTS    0x00000040UL
#define CKF_END_OF_MESSAGE  0x00000001UL
#endif

/* Who makes an IV (v3.0 §2.13.4), and the parameters of one message. Without tags, and the last one
 * (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS) under another name: p11-kit 0.25 has some of them. */
#ifndef CKG_NO_GENERATE
#define CKG_NO_GENERATE          0x00000000UL
#define CKG_GENERATE             0x00000001UL
#define CKG_GENERATE_COUNTER     0x00000002UL
#define CKG_GENERATE_RANDOM      0x00000003UL
#define CKG_GENERATE_COUNTER_XOR 0x00000004UL
typedef CK_ULONG CK_GENERATOR_FUNCTION;

typedef struct {
	CK_BYTE *pIv;
	CK_ULONG ulIvLen;
	CK_ULONG ulIvFixedBits;
	CK_GENERATOR_FUNCTION ivGenerator;
	CK_BYTE *pTag;
	CK_ULONG ulTagBits;
} CK_GCM_MESSAGE_PARAMS;

typedef struct {
	CK_ULONG ulDataLen;
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_ULONG ulNonceFixedBits;
	CK_GENERATOR_FUNCTION nonceGenerator;
	CK_BYTE *pMAC;
	CK_ULONG ulMACLen;
} CK_CCM_MESSAGE_PARAMS;

typedef struct {
	CK_BYTE *pNonce;
	CK_ULONG ulNonceLen;
	CK_BYTE *pTag;
} CRYPTOKI_POLY1305_MSG_PARAMS;
#endif

/* FUNCTION(name, arguments) for each, in order. */
#define CRYPTOKI_3_0_FUNCTIONS(FUNCTION)                                                           \
	FUNCTION(C_GetInterfaceList, (CK_INTERFACE * list, CK_ULONG * count))                      \
	FUNCTION(C_GetInterface, (CK_UTF8CHAR * name, CK_VERSION * version, CK_INTERFACE * *found, \
	                          CK_FLAGS flags))                                                 \
	FUNCTION(C_LoginUser,                                                                      \
	         (CK_SESSION_HANDLE session, CK_USER_TYPE user_type, CK_UTF8CHAR * pin,            \
	          CK_ULONG pin_len, CK_UTF8CHAR * username, CK_ULONG username_len))                \
	FUNCTION(C_SessionCancel, (CK_SESSION_HANDLE session, CK_FLAGS flags))                     \
	FUNCTION(C_MessageEncryptInit,                                                             \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism, CK_OBJECT_HANDLE key))      \
	FUNCTION(C_EncryptMessage,                                                                 \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *data, CK_ULONG data_len,                \
	          CK_BYTE *output, CK_ULONG *output_len))                                          \
	FUNCTION(C_EncryptMessageBegin, (CK_SESSION_HANDLE session, void *parameter,               \
	                                 CK_ULONG parameter_len, CK_BYTE *aad, CK_ULONG aad_len))  \
	FUNCTION(C_EncryptMessageNext, (CK_SESSION_HANDLE session, void *parameter,                \
	                                CK_ULONG parameter_len, CK_BYTE *data, CK_ULONG data_len,  \
	                                CK_BYTE *output, CK_ULONG *output_len, CK_FLAGS flags))    \
	FUNCTION(C_MessageEncryptFinal, (CK_SESSION_HANDLE session))                               \
	FUNCTION(C_MessageDecryptInit,                                                             \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism, CK_OBJECT_HANDLE key))      \
	FUNCTION(C_DecryptMessage,                                                                 \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *data, CK_ULONG data_len,                \
	          CK_BYTE *output, CK_ULONG *output_len))                                          \
	FUNCTION(C_DecryptMessageBegin, (CK_SESSION_HANDLE session, void *parameter,               \
	                                 CK_ULONG parameter_len, CK_BYTE *aad, CK_ULONG aad_len))  \
	FUNCTION(C_DecryptMessageNext, (CK_SESSION_HANDLE session, void *parameter,                \
	                                CK_ULONG parameter_len, CK_BYTE *data, CK_ULONG data_len,  \
	                                CK_BYTE *output, CK_ULONG *output_len, CK_FLAGS flags))    \
	FUNCTION(C_MessageDecryptFinal, (CK_SESSION_HANDLE session))                               \
	FUNCTION(C_MessageSignInit,                                                                \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism, CK_OBJECT_HANDLE key))      \
	FUNCTION(C_SignMessage,                                                                    \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len))  \
	FUNCTION(C_SignMessageBegin,                                                               \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len))             \
	FUNCTION(C_SignMessageNext,                                                                \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG *signature_len))  \
	FUNCTION(C_MessageSignFinal, (CK_SESSION_HANDLE session))                                  \
	FUNCTION(C_MessageVerifyInit,                                                              \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism, CK_OBJECT_HANDLE key))      \
	FUNCTION(C_VerifyMessage,                                                                  \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG signature_len))   \
	FUNCTION(C_VerifyMessageBegin,                                                             \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len))             \
	FUNCTION(C_VerifyMessageNext,                                                              \
	         (CK_SESSION_HANDLE session, void *parameter, CK_ULONG parameter_len,              \
	          CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature, CK_ULONG signature_len))   \
	FUNCTION(C_MessageVerifyFinal, (CK_SESSION_HANDLE session))

#define CRYPTOKI_3_2_FUNCTIONS(FUNCTION)                                                           \
	FUNCTION(C_EncapsulateKey,                                                                 \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism,                             \
	          CK_OBJECT_HANDLE public_key, CK_ATTRIBUTE * attributes, CK_ULONG count,          \
	          CK_BYTE * ciphertext, CK_ULONG * ciphertext_len, CK_OBJECT_HANDLE * key))        \
	FUNCTION(C_DecapsulateKey,                                                                 \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism,                             \
	          CK_OBJECT_HANDLE private_key, CK_ATTRIBUTE * attributes, CK_ULONG count,         \
	          CK_BYTE * ciphertext, CK_ULONG ciphertext_len, CK_OBJECT_HANDLE * key))          \
	FUNCTION(C_VerifySignatureInit,                                                            \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism, CK_OBJECT_HANDLE key,       \
	          CK_BYTE * signature, CK_ULONG signature_len))                                    \
	FUNCTION(C_VerifySignature,                                                                \
	         (CK_SESSION_HANDLE session, CK_BYTE * data, CK_ULONG data_len))                   \
	FUNCTION(C_VerifySignatureUpdate,                                                          \
	         (CK_SESSION_HANDLE session, CK_BYTE * part, CK_ULONG part_len))                   \
	FUNCTION(C_VerifySignatureFinal, (CK_SESSION_HANDLE session))                              \
	FUNCTION(C_GetSessionValidationFlags,                                                      \
	         (CK_SESSION_HANDLE session, CK_ULONG type, CK_FLAGS * flags))                     \
	FUNCTION(C_AsyncComplete,                                                                  \
	         (CK_SESSION_HANDLE session, CK_UTF8CHAR * function, void *result))                \
	FUNCTION(C_AsyncGetID, (CK_SESSION_HANDLE session, CK_UTF8CHAR * function, CK_ULONG * id)) \
	FUNCTION(C_AsyncJoin, (CK_SESSION_HANDLE session, CK_UTF8CHAR * function, CK_ULONG id,     \
	                       CK_BYTE * data, CK_ULONG data_len))                                 \
	FUNCTION(C_WrapKeyAuthenticated,                                                           \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism,                             \
	          CK_OBJECT_HANDLE wrapping_key, CK_OBJECT_HANDLE key, CK_BYTE * aad,              \
	          CK_ULONG aad_len, CK_BYTE * wrapped, CK_ULONG * wrapped_len))                    \
	FUNCTION(C_UnwrapKeyAuthenticated,                                                         \
	         (CK_SESSION_HANDLE session, CK_MECHANISM * mechanism,                             \
	          CK_OBJECT_HANDLE unwrapping_key, CK_BYTE * wrapped, CK_ULONG wrapped_len,        \
	          CK_ATTRIBUTE * attributes, CK_ULONG count, CK_BYTE * aad, CK_ULONG aad_len,      \
	          CK_OBJECT_HANDLE * key))

#define CRYPTOKI_DECLARE(name, arguments) CK_RV name arguments;
#define CRYPTOKI_MEMBER(name, arguments)  CK_RV(*name) arguments;

CRYPTOKI_3_0_FUNCTIONS(CRYPTOKI_DECLARE)
CRYPTOKI_3_2_FUNCTIONS(CRYPTOKI_DECLARE)

/* The list of v3.0 begins with that of v2.40, that of v3.2 with that of v3.0. */
struct cryptoki_3_0 {
	CK_FUNCTION_LIST v2;
	CRYPTOKI_3_0_FUNCTIONS(CRYPTOKI_MEMBER)
};

struct cryptoki_3_2 {
	struct cryptoki_3_0 v3;
	CRYPTOKI_3_2_FUNCTIONS(CRYPTOKI_MEMBER)
};

#ifndef CKS_LAST_VALIDATION_OK
#define CKS_LAST_VALIDATION_OK 0x00000001UL /* C_GetSessionValidationFlags */
#endif

#endif

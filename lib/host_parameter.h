/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CK_MECHANISM of the host, to the wire. Which structure a mechanism takes is wire/mechanism.def's;
 * whether its values are good is the agent's.
 */
#ifndef LIB_HOST_PARAMETER_H
#define LIB_HOST_PARAMETER_H

#include "wire/codec.h"

/*
 * Encodes the parameter into an empty `buffer` and gives the mechanism, which borrows from it. A
 * parameter of the wrong length, or with a NULL where there must be octets, has shape malformed and
 * is the agent's to refuse (CKR_MECHANISM_PARAM_INVALID); a mechanism that is not listed travels
 * without one. CKR_ARGUMENTS_BAD without a mechanism.
 */
CK_RV host_parameter_encode(const CK_MECHANISM *mechanism, struct wire_buffer *buffer,
                            struct wire_mechanism *out);

#endif

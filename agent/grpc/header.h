/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of gRPC over HTTP/2: what a request's say, and those of replies.
 */
#ifndef GRPC_HEADER_H
#define GRPC_HEADER_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/buffer.h"

struct rpc;

/* Takes one header of a request. */
void header_take(struct rpc *rpc, struct wire_bytes name, struct wire_bytes value);
/* "100m": nanoseconds, at most some years. False: it is not of the form. */
bool header_parse_timeout(struct wire_bytes value, uint64_t *ns);
/* All return what nghttp2 says: 0, or a failure. */
int header_submit_response(nghttp2_session *http, struct rpc *rpc, nghttp2_data_provider *provider);
int header_submit_trailer(nghttp2_session *http, struct rpc *rpc);
/* A reply without messages: headers and status at once. */
int header_submit_failure(nghttp2_session *http, struct rpc *rpc);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 between a client's octets and its calls, by nghttp2: headers in and out, windows, the
 * limits against floods. Neither TLS nor a socket is known here, so that it can be fuzzed by
 * itself.
 */
#ifndef GRPC_HTTP_H
#define GRPC_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/buffer.h"

#define HTTP_ROOM_MIN 16384u

struct client;
struct rpc;

/* Begins the server's side. False: out of memory. */
bool http_open(struct client *client);
/* Takes octets of the client. False: the connection is to be closed once what is left has been
 * sent. */
bool http_receive(struct client *client, struct wire_bytes octets);
/* Fills `octets` with what is to be sent, up to `room`, which is HTTP_ROOM_MIN at least. 0: there
 * is nothing now. */
size_t http_send(struct client *client, uint8_t *octets, size_t room);
/* Will there be more to receive or to send? */
bool http_is_done(const struct client *client);
/* Sends what the call has: headers, messages, status; as much of it as there is. */
void http_respond(struct rpc *rpc);
/* Octets of the call's stream that have been dealt with. */
void http_consumed(struct rpc *rpc, size_t len);
/* No further calls; those that run are finished. `error` is NGHTTP2_NO_ERROR or why. */
void http_goaway(struct client *client, uint32_t error);
void http_close(struct client *client);

#endif

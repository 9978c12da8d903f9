/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cratond counts, and its text for Prometheus.
 */
#ifndef GRPC_COUNTERS_H
#define GRPC_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

#include "grpc/status.h"

enum limit {
#define LIMIT(id, label, key) LIMIT_##id,
#include "grpc/limits.def"
	LIMIT_COUNT,
};

#define COUNTERS_METHODS 48u

struct front;

struct counters {
	_Atomic uint64_t limits[LIMIT_COUNT];
	_Atomic uint64_t handshakes, failed_handshakes, denied;
	_Atomic uint64_t calls[COUNTERS_METHODS][GRPC_STATUS_COUNT];
};

void counters_limit(struct counters *counters, enum limit limit);
/* A call of the method with this number has ended. */
void counters_call(struct counters *counters, unsigned int method, enum grpc_status status);
/* All of it, in Prometheus' text format 0.0.4. */
void counters_write(struct front *front, FILE *out);

#endif

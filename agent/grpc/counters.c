/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One set for all loops: a call costs two atomic additions, which next to its TLS is nothing.
 */
#include "grpc/counters.h"

#include "grpc/front.h"
#include "grpc/method.h"

static const char *const limit_labels[LIMIT_COUNT] = {
#define LIMIT(id, label, key) [LIMIT_##id] = label,
#include "grpc/limits.def"
};

void counters_limit(struct counters *counters, enum limit limit)
{
	atomic_fetch_add_explicit(&counters->limits[limit], 1, memory_order_relaxed);
}

void counters_call(struct counters *counters, unsigned int method, enum grpc_status status)
{
	atomic_fetch_add_explicit(&counters->calls[method][status], 1, memory_order_relaxed);
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(FILE *out, const char *name, const char *type, const char *help,
                         uint64_t value)
{
	write_head(out, name, type, help);
	fprintf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void write_calls(struct counters *counters, FILE *out)
{
	const char *name = "craton_grpc_calls_total";

	write_head(out, name, "counter", "calls that have ended, by method and gRPC status");
	for (unsigned int i = 0; i < method_count; i++) {
		for (unsigned int j = 0; j < GRPC_STATUS_COUNT; j++) {
			uint64_t count = atomic_load(&counters->calls[i][j]);

			if (count)
				fprintf(out,
				        "%s{service=\"%s\",method=\"%s\",status=\"%s\"} %llu\n",
				        name, methods[i].service, methods[i].name,
				        status_name((enum grpc_status)j),
				        (unsigned long long)count);
		}
	}
}

void counters_write(struct front *front, FILE *out)
{
	struct counters *counters = &front->counters;

	write_head(out, "craton_grpc_build_info", "gauge", "1, with the version as a label");
	fprintf(out, "craton_grpc_build_info{version=\"" CRATON_VERSION "\"} 1\n");
	write_number(out, "craton_grpc_agent_operational", "gauge", "1 when the agent serves",
	             atomic_load(&front->agent_state) == AGENT_OPERATIONAL);
	write_number(out, "craton_grpc_connections", "gauge", "connections of clients",
	             atomic_load(&front->client_count));
	write_number(out, "craton_grpc_handshakes_total", "counter",
	             "TLS handshakes that succeeded", atomic_load(&counters->handshakes));
	write_number(out, "craton_grpc_handshake_failures_total", "counter", "those that failed",
	             atomic_load(&counters->failed_handshakes));
	write_number(out, "craton_grpc_denied_total", "counter",
	             "calls that no rule of [[daemon.clients]] allows",
	             atomic_load(&counters->denied));
	write_head(out, "craton_grpc_limit_total", "counter",
	           "how often a limit of [daemon] was reached");
	for (unsigned int i = 0; i < LIMIT_COUNT; i++)
		fprintf(out, "craton_grpc_limit_total{limit=\"%s\"} %llu\n", limit_labels[i],
		        (unsigned long long)atomic_load(&counters->limits[i]));
	write_calls(counters, out);
}

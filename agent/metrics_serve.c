/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's counters and state, for the HTTP server of metrics_http.c.
 */
#include "metrics.h"

#include "agent.h"
#include "config.h"
#include "metrics_http.h"

static void write_all(void *context, FILE *out)
{
	metrics_write(context, out);
}

/* For load balancers and probes: does it serve? */
static bool is_healthy(void *context, char *text, size_t text_len)
{
	struct state *state = &((struct agent *)context)->state;

	if (state_operational(state))
		return true;
	snprintf(text, text_len, "%s: %s\n", state_name(state_get(state)), state_reason(state));
	return false;
}

int metrics_open(struct metrics_server **server, struct agent *agent, char *error, size_t error_len)
{
	struct metrics_source source = {agent, write_all, is_healthy};

	return metrics_http_open(server, "[metrics].listen", agent->config->metrics.listen, &source,
	                         error, error_len);
}

void metrics_close(struct metrics_server *server)
{
	metrics_http_close(server);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cratond: the init ladder and its mirror image. Every refusal is one line that says what, which
 * file or key, why and what to do.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "grpc/errand.h"
#include "grpc/front.h"
#include "grpc/tls.h"
#include "grpc/watch.h"
#include "log.h"
#include "metrics_http.h"
#include "notify.h"

#define ERROR_LEN  1024u
#define BACKLOG    1024
#define KEY_WAIT_S 10u /* for a key in a token, at the start */

static const char usage[] =
	"usage: cratond [--check-config] [CONFIG]\n"
	"\n"
	"Serves remote clients over gRPC with mutual TLS, in the foreground, as a client of\n"
	"craton-hsm-daemon. CONFIG is the same TOML file as the daemon's; without it the "
	"environment\n"
	"variable CRATON_HSM_CONFIG, then " CONFIG_DEFAULT_PATH ".\n"
	"\n"
	"  --check-config   read the configuration and the files that it names, say whether they "
	"are\n"
	"                   good, and end\n"
	"  --version, --help\n";

struct options {
	bool check_config;
	const char *config_path;
};

/* No core dumps, no ptrace by our own uid, no new privileges: the TLS key is in memory. */
static int harden(char *error, size_t error_len)
{
	const struct rlimit none = {0, 0};

	umask(077);
	if (!prctl(PR_SET_DUMPABLE, 0) && !setrlimit(RLIMIT_CORE, &none) &&
	    !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return 0;
	snprintf(error, error_len, "cannot harden the process: %s", strerror(errno));
	return -1;
}

/* Signals are read by a loop; threads inherit the mask. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int listen_on(const struct config *config, char *error, size_t error_len)
{
	struct sockaddr_storage address;
	socklen_t address_len;
	int fd = -1, one = 1;

	if (config_resolve(config->daemon.bind, &address, &address_len))
		fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	    !bind(fd, (const struct sockaddr *)&address, address_len) && !listen(fd, BACKLOG))
		return fd;
	snprintf(error, error_len, "[daemon].bind: cannot listen on %s: %s", config->daemon.bind,
	         strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static unsigned int wanted_loops(const struct config *config)
{
	cpu_set_t allowed;
	int count = 1;

	if (config->daemon.threads)
		return (unsigned int)config->daemon.threads;
	if (!sched_getaffinity(0, sizeof(allowed), &allowed))
		count = CPU_COUNT(&allowed);
	return count > 1 ? (unsigned int)count / 2 : 1;
}

/* config.def keeps the path shorter than an address of a Unix socket. */
static void set_agent_address(struct front *front, const struct config *config)
{
	front->agent_address.sun_family = AF_UNIX;
	snprintf(front->agent_address.sun_path, sizeof(front->agent_address.sun_path), "%s",
	         config->agent.socket);
	front->agent_address_len = sizeof(front->agent_address);
}

static void write_metrics(void *front, FILE *out)
{
	counters_write(front, out);
}

static bool is_healthy(void *context, char *text, size_t text_len)
{
	struct front *front = context;
	enum agent_state state = atomic_load(&front->agent_state);
	char reason[256];

	if (state == AGENT_OPERATIONAL)
		return true;
	watch_reason(front, reason, sizeof(reason));
	snprintf(text, text_len, "%s: %s\n", watch_state_name(state), reason);
	return false;
}

/* The loops run already, and a SIGHUP may have come. */
static void ready(struct front *front)
{
	struct settings *settings = front_settings(front);

	log_notice("cratond " CRATON_VERSION " listens on %s", settings->config->daemon.bind);
	settings_put(front, settings);
	notify_send("READY=1\nSTATUS=Ready.");
}

static int serve_by(struct front *front, const struct config *config, char *error, size_t error_len)
{
	const struct metrics_source source = {front, write_metrics, is_healthy};
	struct metrics_server *metrics = NULL;
	int result;

	front->listen_fd = listen_on(config, error, error_len);
	if (front->listen_fd < 0)
		return -1;
	set_agent_address(front, config);
	front->loop_count = wanted_loops(config);
	result = front_loops_open(front, error, error_len);
	if (!result)
		result =
			metrics_http_open(&metrics, "[daemon].metrics_listen",
		                          config->daemon.metrics_listen, &source, error, error_len);
	if (!result)
		result = front_loops_run(front, ready, error, error_len);
	metrics_http_close(metrics);
	close(front->listen_fd);
	return result;
}

/* By what is in force at the start: what a reload cannot change. */
static int serve(struct front *front, char *error, size_t error_len)
{
	struct settings *settings = front_settings(front);
	int result = serve_by(front, settings->config, error, error_len);

	settings_put(front, settings);
	return result;
}

static const char *default_config_path(void)
{
	const char *path = getenv("CRATON_HSM_CONFIG");

	return path && *path ? path : CONFIG_DEFAULT_PATH;
}

/* -1: go on; else the exit status. */
static int parse_arguments(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help"))
			return fputs(usage, stdout) < 0;
		if (!strcmp(argv[i], "--version"))
			return puts("cratond " CRATON_VERSION) < 0;
		if (!strcmp(argv[i], "--check-config")) {
			options->check_config = true;
		} else if (argv[i][0] == '-' || options->config_path) {
			fputs(usage, stderr);
			return 2;
		} else {
			options->config_path = argv[i];
		}
	}
	if (!options->config_path)
		options->config_path = default_config_path();
	return -1;
}

struct first_load {
	struct errand errand;
	struct front *front;
	struct config *config;
	struct settings *settings;
	char error[ERROR_LEN];
};

static void load_first(struct errand *errand)
{
	struct first_load *load = container_of(errand, struct first_load, errand);

	load->settings = settings_new(load->front, load->config, load->error, sizeof(load->error));
}

/* As an errand, which is left behind if the agent hangs: the process then ends. */
static struct settings *load_from_token(struct errands *errands, struct first_load *load,
                                        char *error, size_t error_len)
{
	struct settings *settings;

	load->errand.run = load_first;
	errands_add(errands, &load->errand);
	if (!errands_wait(errands, clock_monotonic_ns() + KEY_WAIT_S * 1000000000ull)) {
		snprintf(error, error_len,
		         "[daemon].tls_key: the agent has not given the key in %u seconds",
		         KEY_WAIT_S);
		return NULL;
	}
	settings = load->settings;
	snprintf(error, error_len, "%s", load->error);
	errands_close(errands);
	free(load);
	return settings;
}

/* Takes the configuration over. */
static struct settings *first_settings(struct front *front, struct config *config, char *error,
                                       size_t error_len)
{
	struct first_load *load;
	struct errands *errands;

	if (!tls_key_is_in_token(config->daemon.tls_key))
		return settings_new(front, config, error, error_len);
	load = calloc(1, sizeof(*load));
	errands = load ? errands_open() : NULL;
	if (!errands) {
		free(load);
		config_free(config);
		snprintf(error, error_len, "out of memory");
		return NULL;
	}
	load->front = front;
	load->config = config;
	return load_from_token(errands, load, error, error_len);
}

/* Reads everything that a start reads; what is wrong is said before anything is opened to the
 * world. */
static int run(struct front *front, const struct options *options, char *error, size_t error_len)
{
	struct config *config;

	if (config_load(&config, options->config_path, error, error_len))
		return -1;
	log_use_json(config->agent.log_format == CONFIG_LOG_JSON);
	if (!options->check_config &&
	    sandbox_enter_front(&front->sandbox, config, options->config_path, error, error_len)) {
		config_free(config);
		return -1;
	}
	tls_key_use_module(config);
	front->settings = first_settings(front, config, error, error_len);
	if (!front->settings)
		return -1;
	return options->check_config ? 0 : serve(front, error, error_len);
}

/* A key in a token is given back to the agent, which is waited for as long as for a client. While a
 * reload waits for it, too, the settings are the reload's. */
static void give_back(struct front *front)
{
	if (!front->settings || !errands_wait(front->reloads, front->drain_end_ns))
		return;
	settings_put(front, front->settings);
	(void)errands_wait(front->handshakes, front->drain_end_ns);
}

static void release(struct front *front)
{
	if (atomic_load(&front->token_used)) {
		give_back(front);
		return;
	}
	front_loops_close(front);
	if (front->settings)
		settings_put(front, front->settings);
	tls_library_close();
}

/* Once OpenSSL has been asked for a key in a token an errand may still be in it, waiting for an
 * agent that hangs, and exit() would take OpenSSL apart meanwhile. It would also let a provider,
 * over which we have no say, talk to the agent. So the process ends with all that it has. */
static int end(const struct front *front, int status)
{
	if (!atomic_load(&front->token_used))
		return status;
	fflush(stdout);
	_exit(status);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct front front = {.listen_fd = -1};
	char error[ERROR_LEN] = "out of memory";
	int status = parse_arguments(argc, argv, &options);

	if (status >= 0)
		return status;
	block_signals();
	notify_open();
	front.config_path = options.config_path;
	pthread_mutex_init(&front.settings_lock, NULL);
	pthread_mutex_init(&front.reason_lock, NULL);
	status = harden(error, sizeof(error));
	if (!status)
		status = tls_library_open() ? run(&front, &options, error, sizeof(error)) : -1;
	release(&front);
	if (status)
		log_error("%s", error);
	else if (options.check_config)
		printf("%s: ok\n", options.config_path);
	else
		log_notice("stopped");
	return end(&front, status ? 1 : 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-daemon: the init ladder and its mirror image. Every refusal is one line that says
 * what, which path or key, why and what to do; nothing is left half started.
 */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "application.h"
#include "audit.h"
#include "audit_checkpoint.h"
#include "committer.h"
#include "config.h"
#include "crypto.h"
#include "device_key.h"
#include "events.h"
#include "kernel.h"
#include "keyring.h"
#include "listener.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "loop.h"
#include "reload.h"
#include "sandbox.h"
#include "self_test.h"
#include "slots.h"
#include "store.h"
#include "token.h"
#include "worker.h"

#define ERROR_LEN    1024u
#define HANDLE_START 0x3fffffffu /* session handles begin at random below this */

static const char usage[] =
	"usage: craton-hsm-daemon [--check-config | --print-config] [CONFIG]\n"
	"\n"
	"Serves PKCS#11 to libcraton_hsm.so in the foreground. CONFIG is a TOML file; without it\n"
	"the environment variable CRATON_HSM_CONFIG, then " CONFIG_DEFAULT_PATH ".\n"
	"\n"
	"  --check-config   read the configuration, say whether it is good, and end\n"
	"  --print-config   print a commented example with every key and its default\n"
	"  --version, --help\n";

struct options {
	bool check_config;
	const char *config_path;
};

/* No core dumps, no ptrace by our own uid, no new privileges; files are ours alone unless said
 * otherwise. */
static int harden(char *error, size_t error_len)
{
	const struct rlimit none = {0, 0};

	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0) || setrlimit(RLIMIT_CORE, &none) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		snprintf(error, error_len, "cannot harden the process: %s", strerror(errno));
		return -1;
	}
	return 0;
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

static enum slots_backend wanted_backend(const struct config *config)
{
	static const enum slots_backend backends[] = {
		[CONFIG_LOCKED_AUTO] = SLOTS_AUTO,
		[CONFIG_LOCKED_KMOD] = SLOTS_KMOD,
		[CONFIG_LOCKED_MEMFD] = SLOTS_MEMFD,
		[CONFIG_LOCKED_MLOCK] = SLOTS_MLOCK,
	};

	return backends[config->security.locked_memory];
}

/* Before the sandbox closes the list of users. An installation without cratond has none of that
 * name. */
static uid_t find_front(const struct config *config)
{
	const struct passwd *user = getpwnam(config->daemon.user);

	return user ? user->pw_uid : (uid_t)-1;
}

struct token_loader {
	struct agent *agent;
	struct token_environment environment;
};

static enum err load_token(void *context, const struct store_token *row)
{
	struct token_loader *loader = context;

	if (row->slot_id >= loader->agent->slot_count) {
		log_warning(
			"the store holds a token in slot %llu, which [token].slot_count leaves out",
			(unsigned long long)row->slot_id);
		return ERROR_NONE;
	}
	return token_new(&loader->agent->slots[row->slot_id].token, row->slot_id,
	                 &loader->environment, row);
}

static int open_tokens(struct agent *agent, char *error, size_t error_len)
{
	struct token_loader loader = {
		agent,
		{agent->crypto, agent->store, agent->config, agent->device_key, agent->committer}};
	enum err err;

	agent->slots = calloc(agent->slot_count, sizeof(*agent->slots));
	err = agent->slots ? store_load_tokens(agent->store, load_token, &loader) : ERROR_MEMORY;
	for (uint32_t i = 0; !err && i < agent->slot_count; i++) {
		if (!agent->slots[i].token)
			err = token_new(&agent->slots[i].token, i, &loader.environment, NULL);
	}
	if (!err)
		return 0;
	snprintf(error, error_len, "cannot load the tokens from %s: %s",
	         agent->config->token.storage_path, err_text(err));
	return -1;
}

static int open_store(struct agent *agent, char *error, size_t error_len)
{
	const struct config *config = agent->config;

	if (store_open(&agent->store, config->token.storage_path, error, error_len))
		return -1;
	if (device_key_open(&agent->device_key, config, agent->store, agent->crypto, error,
	                    error_len))
		return -1;
	if (committer_start(&agent->committer, agent->store)) {
		snprintf(error, error_len,
		         "cannot start the committer: %s; raise the limit of tasks",
		         strerror(errno));
		return -1;
	}
	return open_tokens(agent, error, error_len);
}

static int open_applications(struct agent *agent, char *error, size_t error_len)
{
	uint32_t start;

	agent->applications = calloc(1, sizeof(*agent->applications));
	if (!agent->applications ||
	    workers_start(&agent->workers, (unsigned int)agent->config->agent.workers)) {
		snprintf(error, error_len,
		         "cannot start the worker threads: %s; raise the limit of tasks",
		         strerror(errno));
		return -1;
	}
	pthread_mutex_init(&agent->applications->lock, NULL);
	if (agent->crypto && !crypto_random(agent->crypto, &start, sizeof(start)))
		atomic_store(&agent->next_session_handle, start % HANDLE_START + 1);
	return 0;
}

static unsigned int wanted_loops(const struct config *config)
{
	cpu_set_t allowed;

	if (config->agent.threads)
		return (unsigned int)config->agent.threads;
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 1;
	return (unsigned int)CPU_COUNT(&allowed);
}

/* Without its key the log is as good a chain as before; it is only not signed. */
static void sign_audit(struct agent *agent)
{
	enum err err = audit_checkpoint_key(agent->crypto, agent->store, agent->device_key,
	                                    &agent->audit_key);

	if (err)
		log_error("audit log: no key for checkpoints, which are left out: %s",
		          err_text(err));
	audit_sign(agent->audit, agent->audit_key);
}

/* Cryptography, self-tests, and what depends on them. A module that fails its tests stays up,
 * without its keys, to say so. */
static int open_module(struct agent *agent, char *error, size_t error_len)
{
	if (crypto_open(&agent->crypto, &agent->state, error, error_len)) {
		state_fail(&agent->state, "self-test: %s", error);
		return 0;
	}
	self_test_locate(agent);
	self_test_run(agent, &agent->post);
	if (state_get(&agent->state) == STATE_ERROR)
		return 0;
	if (open_store(agent, error, error_len))
		return -1;
	if (audit_open(&agent->audit, agent->config, agent->crypto, kernel_anchor(), error,
	               error_len))
		return -1;
	sign_audit(agent);
	return 0;
}

static void ready(struct agent *agent)
{
	bool operational = state_operational(&agent->state);

	log_notice("craton-hsm-daemon " CRATON_VERSION " is %s on %s",
	           state_name(state_get(&agent->state)), agent->config->agent.socket);
	notify_send(operational
	                    ? "READY=1\nSTATUS=Ready."
	                    : "READY=1\nSTATUS=In the error state; see craton-hsm-admin status.");
}

/* The kernel's part, without which the agent serves as well. Nothing of it in the error state. */
static void show_and_listen(struct agent *agent)
{
	if (!state_operational(&agent->state))
		return;
	events_open(&agent->events, agent);
	keyring_open(&agent->keyring, agent);
}

static int serve(struct agent *agent, char *error, size_t error_len)
{
	struct metrics_server *metrics = NULL;
	int listen_fd, result;

	listen_fd = listener_open(agent->config->agent.socket, error, error_len);
	if (listen_fd < 0)
		return -1;
	/* Before the first loop can accept: a client that was quick must not be told of an error
	 * state. */
	state_ready(&agent->state);
	show_and_listen(agent);
	agent->loop_count = wanted_loops(agent->config);
	result = loops_open(agent, listen_fd, error, error_len);
	if (!result)
		result = metrics_open(&metrics, agent, error, error_len);
	if (!result)
		result = loops_run(agent, ready, error, error_len);
	metrics_close(metrics);
	listener_close(listen_fd, agent->config->agent.socket);
	return result;
}

static void close_tokens(struct agent *agent)
{
	for (uint32_t i = 0; agent->slots && i < agent->slot_count; i++)
		token_free(agent->slots[i].token);
	free(agent->slots);
}

/* The mirror of the ladder; every step copes with what was never opened. */
static void close_all(struct agent *agent)
{
	workers_stop(agent->workers);
	committer_stop(agent->committer);
	loops_close(agent);
	keyring_close(agent->keyring);
	events_close(agent->events);
	audit_close(agent->audit);
	EVP_PKEY_free(agent->audit_key);
	close_tokens(agent);
	slots_release(agent->device_key);
	store_close(agent->store);
	free(agent->applications);
	crypto_close(agent->crypto);
	reload_free(agent);
	config_free(agent->config);
	epoch_close(&agent->epoch);
	kernel_close();
}

/* Without the module there is the next best memory, and no anchor for the audit log. */
static void tell_kernel(void)
{
	if (kernel_module() == KERNEL_READY)
		log_info("%s: the kernel module is used", kernel_device());
	else if (kernel_module() == KERNEL_MISSING)
		log_info("%s", kernel_reason());
	else
		log_warning("%s", kernel_reason());
}

static int run(struct agent *agent, char *error, size_t error_len)
{
	agent->slot_count = (uint32_t)agent->config->token.slot_count;
	agent->started_ns = clock_monotonic_ns();
	state_init(&agent->state);
	clock_init(&agent->clock);
	epoch_open(&agent->epoch);
	agent->state.epoch = &agent->epoch;
	pthread_mutex_init(&agent->volume_lock, NULL);
	kernel_open();
	if (slots_open(wanted_backend(agent->config), error, error_len))
		return -1;
	tell_kernel();
	if (open_module(agent, error, error_len))
		return -1;
	if (open_applications(agent, error, error_len))
		return -1;
	return serve(agent, error, error_len);
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
			return puts("craton-hsm-daemon " CRATON_VERSION) < 0;
		if (!strcmp(argv[i], "--print-config")) {
			config_print_example(stdout);
			return fflush(stdout) != 0;
		}
		if (!strcmp(argv[i], "--print-config-table")) {
			config_print_markdown(stdout);
			return fflush(stdout) != 0;
		}
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

int main(int argc, char **argv)
{
	struct options options = {0};
	struct config *config;
	struct agent agent = {0};
	char error[ERROR_LEN] = "";
	int status = parse_arguments(argc, argv, &options);

	if (status >= 0)
		return status;
	block_signals();
	notify_open();
	if (harden(error, sizeof(error)) ||
	    config_load(&config, options.config_path, error, sizeof(error))) {
		log_error("%s", error);
		return 1;
	}
	agent.config = config;
	agent.config_path = options.config_path;
	if (options.check_config) {
		printf("%s: ok\n", options.config_path);
		config_free(agent.config);
		return 0;
	}
	log_use_json(config->agent.log_format == CONFIG_LOG_JSON);
	agent.front_uid = find_front(config);
	status = sandbox_enter(&agent.sandbox, config, options.config_path, error, sizeof(error));
	if (!status)
		status = run(&agent, error, sizeof(error));
	if (status)
		log_error("%s", error);
	close_all(&agent);
	if (!status)
		log_notice("stopped");
	return status ? 1 : 0;
}

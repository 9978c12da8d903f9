/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What API tests share: an agent of their own in a scratch folder, the library loaded by dlopen as
 * an application loads it, and short forms of the calls that every test makes. A test's agent dies
 * with the test.
 */
#ifndef TESTS_API_API_H
#define TESTS_API_API_H

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "harness.h"
#include "wire/cryptoki.h"

#define SO_PIN     "so-pin-12345678"
#define USER_PIN   "user-pin-12345678"
#define WRONG_PIN  "wrong-pin-1234567"
#define DEADLINE_S 30

#define OK(call)          ASSERT_EQ((CK_RV)(call), (CK_RV)CKR_OK)
#define GIVES(call, code) ASSERT_EQ((CK_RV)(call), (CK_RV)(code))

static char api_folder[64];
static pid_t api_agent;
static void *api_library;
static CK_FUNCTION_LIST *p11;

static inline const char *api_build(void)
{
	const char *build = getenv("BUILD");

	return build ? build : "build";
}

static inline const char *api_path(const char *name)
{
	static char paths[4][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 4];

	snprintf(path, PATH_MAX, "%s/%s", api_folder, name);
	return path;
}

static inline void api_remove_folder(void)
{
	char command[128];

	if (api_agent)
		kill(api_agent, SIGKILL);
	snprintf(command, sizeof(command), "rm -rf '%s'", api_folder);
	if (system(command))
		printf("# %s could not be removed\n", api_folder);
}

/* The search for leaks at the agent's end traces it, which the sandbox forbids. */
#ifdef __SANITIZE_ADDRESS__
#define API_SANDBOX "sandbox = \"off\"\n"
#else
#define API_SANDBOX ""
#endif

/* The scratch folder and the configuration; `extra` is added at its end, so it may name tables of
 * its own. */
static inline void api_configure(const char *token, const char *security, const char *rest)
{
	FILE *file;

	if (!api_folder[0]) {
		snprintf(api_folder, sizeof(api_folder), "/tmp/craton-api.XXXXXX");
		ASSERT_NOT_NULL(mkdtemp(api_folder));
		atexit(api_remove_folder);
		setenv("CRATON_HSM_SOCKET", api_path("pkcs11.sock"), 1);
	}
	file = fopen(api_path("config.toml"), "w");
	ASSERT_NOT_NULL(file);
	fprintf(file, "[token]\nstorage_path = \"%s/store\"\n%s\n", api_folder, token);
	fprintf(file, "[security]\n" API_SANDBOX "pbkdf2_iterations = 100000\n%s\n", security);
	fprintf(file, "[agent]\nsocket = \"%s/pkcs11.sock\"\ndevice_key = \"%s/device.key\"\n",
	        api_folder, api_folder);
	fprintf(file, "[audit]\nlog_path = \"%s/audit.jsonl\"\n%s\n", api_folder, rest);
	ASSERT_EQ(fclose(file), 0);
	ASSERT_EQ(chmod(api_path("config.toml"), 0600), 0);
}

static inline void api_pause(void)
{
	poll(NULL, 0, 5);
}

/* Does the agent's log, from `offset` on, hold this text? */
static inline bool api_log_has_from(long offset, const char *text)
{
	char line[1024];
	bool found = false;
	FILE *log = fopen(api_path("agent.log"), "r");

	if (log && fseek(log, offset, SEEK_SET))
		offset = 0;
	while (log && !found && fgets(line, sizeof(line), log))
		found = strstr(line, text) != NULL;
	if (log)
		fclose(log);
	return found;
}

static inline bool api_log_has(const char *text)
{
	return api_log_has_from(0, text);
}

static inline long api_log_len(void)
{
	struct stat status;

	return stat(api_path("agent.log"), &status) ? 0 : status.st_size;
}

static inline void __attribute__((noreturn)) api_exec(pid_t parent)
{
	char daemon[PATH_MAX];
	int log;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	log = open(api_path("agent.log"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(log, STDERR_FILENO);
	snprintf(daemon, sizeof(daemon), "%s/craton-hsm-daemon", api_build());
	execl(daemon, daemon, api_path("config.toml"), (char *)NULL);
	_exit(127);
}

static inline void api_show_log(void)
{
	char line[1024];
	FILE *log = fopen(api_path("agent.log"), "r");

	while (log && fgets(line, sizeof(line), log))
		printf("# %s", line);
	if (log)
		fclose(log);
}

static inline void api_launch(void)
{
	pid_t parent = getpid();
	time_t deadline = time(NULL) + DEADLINE_S;
	long before = api_log_len();

	fflush(NULL);
	api_agent = fork();
	ASSERT_GE(api_agent, 0);
	if (!api_agent)
		api_exec(parent);
	/* Not by connecting: the socket of an agent that was just killed takes connections for a
	 * moment. */
	while (!api_log_has_from(before, "craton-hsm-daemon " CRATON_VERSION)) {
		if (waitpid(api_agent, NULL, WNOHANG) == api_agent || time(NULL) > deadline) {
			api_agent = 0;
			api_show_log();
			ASSERT_TRUE(!"the agent does not answer");
		}
		api_pause();
	}
}

/* Ends the agent; its exit status, or -signal. */
static inline int api_end_agent(int signal)
{
	int status;

	ASSERT_EQ(kill(api_agent, signal), 0);
	ASSERT_EQ(waitpid(api_agent, &status, 0), api_agent);
	api_agent = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline void api_load(void)
{
	CK_RV (*get)(CK_FUNCTION_LIST **);
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/libcraton_hsm.so", api_build());
	api_library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!api_library)
		printf("# %s\n", dlerror());
	ASSERT_NOT_NULL(api_library);
	*(void **)&get = dlsym(api_library, "C_GetFunctionList");
	ASSERT_NOT_NULL(get);
	OK(get(&p11));
}

static inline CK_RV api_initialize(void)
{
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};

	return p11->C_Initialize(&arguments);
}

/* An agent on an empty store, the library loaded and initialised. */
static inline void api_start_with(const char *token, const char *security, const char *rest)
{
	api_configure(token, security, rest);
	api_launch();
	api_load();
	OK(api_initialize());
}

static inline void api_start(void)
{
	api_start_with("", "", "");
}

static inline CK_SESSION_HANDLE api_session(bool read_write)
{
	CK_SESSION_HANDLE session = 0;

	OK(p11->C_OpenSession(0, CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0), NULL, NULL,
	                      &session));
	return session;
}

static inline CK_RV api_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, const char *pin)
{
	return p11->C_Login(session, user, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin));
}

static inline CK_RV api_init_token(CK_SLOT_ID slot, const char *pin)
{
	CK_UTF8CHAR label[32];

	memset(label, ' ', sizeof(label));
	memcpy(label, "test token", 10);
	return p11->C_InitToken(slot, (CK_UTF8CHAR *)(uintptr_t)pin, strlen(pin), label);
}

/* Initialises the token of slot 0 with both PINs. */
static inline void api_make_token(void)
{
	CK_SESSION_HANDLE session;

	OK(api_init_token(0, SO_PIN));
	session = api_session(true);
	OK(api_login(session, CKU_SO, SO_PIN));
	OK(p11->C_InitPIN(session, (CK_UTF8CHAR *)(uintptr_t)USER_PIN, strlen(USER_PIN)));
	OK(p11->C_CloseSession(session));
}

/* Agent, token, and a read/write session with the user logged in. */
static inline CK_SESSION_HANDLE api_user(void)
{
	CK_SESSION_HANDLE session;

	api_start();
	api_make_token();
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	return session;
}

/* Templates in one line: {type, &value, sizeof(value)}. */
#define ATTRIBUTE(type, value)                                                                     \
	{                                                                                          \
		(type), (void *)(uintptr_t) & (value), sizeof(value)                               \
	}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static CK_BBOOL __attribute__((unused)) yes = CK_TRUE, no = CK_FALSE;

/* An AES-256 key, session object, usable for everything. */
static inline CK_OBJECT_HANDLE api_aes_key(CK_SESSION_HANDLE session, bool token, const char *label)
{
	CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
	CK_BBOOL on_token = token;
	CK_ULONG len = 32;
	CK_OBJECT_HANDLE key = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_TOKEN, on_token),
		ATTRIBUTE(CKA_VALUE_LEN, len),
		ATTRIBUTE(CKA_ENCRYPT, yes),
		ATTRIBUTE(CKA_DECRYPT, yes),
		ATTRIBUTE(CKA_WRAP, yes),
		ATTRIBUTE(CKA_UNWRAP, yes),
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};

	OK(p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &key));
	return key;
}

static CK_BYTE api_p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

/* A P-256 pair that signs. */
static inline void api_ec_pair(CK_SESSION_HANDLE session, bool token, const char *label,
                               CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL on_token = token;
	CK_ATTRIBUTE public_template[] = {
		ATTRIBUTE(CKA_TOKEN, on_token),
		ATTRIBUTE(CKA_VERIFY, yes),
		ATTRIBUTE(CKA_EC_PARAMS, api_p256),
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};
	CK_ATTRIBUTE private_template[] = {
		ATTRIBUTE(CKA_TOKEN, on_token),
		ATTRIBUTE(CKA_SIGN, yes),
		ATTRIBUTE(CKA_DERIVE, yes),
		{CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
	};

	OK(p11->C_GenerateKeyPair(session, &mechanism, public_template, COUNT(public_template),
	                          private_template, COUNT(private_template), public_key,
	                          private_key));
}

/* A secret key of the session, of this value, that may do everything with data. */
static inline CK_OBJECT_HANDLE api_secret(CK_SESSION_HANDLE session, CK_KEY_TYPE type,
                                          CK_BYTE *value, CK_ULONG value_len)
{
	CK_OBJECT_CLASS class = CKO_SECRET_KEY;
	CK_OBJECT_HANDLE made = 0;
	CK_ATTRIBUTE template[] = {
		ATTRIBUTE(CKA_CLASS, class),   ATTRIBUTE(CKA_KEY_TYPE, type),
		ATTRIBUTE(CKA_ENCRYPT, yes),   ATTRIBUTE(CKA_DECRYPT, yes),
		ATTRIBUTE(CKA_SIGN, yes),      ATTRIBUTE(CKA_VERIFY, yes),
		{CKA_VALUE, value, value_len},
	};

	OK(p11->C_CreateObject(session, template, COUNT(template), &made));
	return made;
}

/* How many objects match. */
static inline CK_ULONG api_count(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
	CK_OBJECT_HANDLE found[64];
	CK_ULONG got, total = 0;

	OK(p11->C_FindObjectsInit(session, template, count));
	do {
		OK(p11->C_FindObjects(session, found, COUNT(found), &got));
		total += got;
	} while (got);
	OK(p11->C_FindObjectsFinal(session));
	return total;
}

static inline CK_ULONG api_count_label(CK_SESSION_HANDLE session, const char *label)
{
	CK_ATTRIBUTE template = {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)};

	return api_count(session, &template, 1);
}

/* Waits until every record stands in the log itself: a reply waits only until its record is safe.
 */
static inline void api_await_audit(void)
{
	char command[512];

	snprintf(command, sizeof(command),
	         "for i in $(seq 500); do %s/craton-hsm-admin --socket %s --json status | "
	         "jq -e '.audit.written == .audit.sequence' >/dev/null && exit 0; done; exit 1",
	         api_build(), getenv("CRATON_HSM_SOCKET"));
	ASSERT_EQ(system(command), 0);
}

/* The last record of this operation. */
static inline bool api_recorded_as_approved(const char *operation)
{
	char line[2048], found[2048] = "", wanted[64];
	FILE *file;

	api_await_audit();
	file = fopen(api_path("audit.jsonl"), "r");
	ASSERT_NOT_NULL(file);
	snprintf(wanted, sizeof(wanted), "\"operation\":\"%s\"", operation);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, wanted))
			memcpy(found, line, sizeof(found));
	}
	fclose(file);
	ASSERT_TRUE(strstr(found, "\"result\":\"Success\""));
	ASSERT_EQ(!strstr(found, "\"fips_approved\":true"),
	          !!strstr(found, "\"fips_approved\":false"));
	return strstr(found, "\"fips_approved\":true");
}

#endif

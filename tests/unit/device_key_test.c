/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device key: made once, loaded ever after, never made anew for a store with tokens, and not
 * taken from a file that others could have changed.
 */
#include <sys/resource.h>
#include <sys/time.h>

#include "base_fixture.h"
#include "device_key.h"
#include "store.h"

static struct store *store;
static struct config *config;

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = strdup(value);
	ASSERT_NOT_NULL(*text);
}

static void open_all(void)
{
	unsetenv("CREDENTIALS_DIRECTORY");
	base_open_crypto();
	config = config_defaults();
	ASSERT_NOT_NULL(config);
	set_text(&config->token.storage_path, base_path("store"));
	set_text(&config->agent.device_key, "");
	ASSERT_EQ(store_open(&store, config->token.storage_path, base_error, sizeof(base_error)),
	          0);
}

static void close_all(void)
{
	store_close(store);
	config_free(config);
	crypto_close(base_crypto);
}

static int try_key(uint8_t **key)
{
	*key = NULL;
	base_error[0] = '\0';
	return device_key_open(key, config, store, base_crypto, base_error, sizeof(base_error));
}

/* The key into `out`. */
static void get_key(uint8_t out[CRYPTO_KEY_LEN])
{
	uint8_t *key;

	if (try_key(&key))
		printf("# %s\n", base_error);
	ASSERT_NOT_NULL(key);
	EXPECT_TRUE(slots_contains(key));
	memcpy(out, key, CRYPTO_KEY_LEN);
	slots_release(key);
}

static void refused(const char *why)
{
	uint8_t *key;

	EXPECT_EQ(try_key(&key), -1);
	EXPECT_NULL(key);
	EXPECT_TRUE(base_error_has(why));
}

static void add_token(void)
{
	struct store_token token = {.slot_id = 0};

	ASSERT_EQ(store_write_token(store, &token), ERROR_NONE);
}

TEST(made_once)
{
	uint8_t first[CRYPTO_KEY_LEN], second[CRYPTO_KEY_LEN];
	static const uint8_t zeros[CRYPTO_KEY_LEN];
	struct stat status;

	umask(0);
	open_all();
	get_key(first);
	ASSERT_EQ(stat(base_path("device.key"), &status), 0);
	EXPECT_EQ(status.st_mode & 07777, 0600);
	EXPECT_EQ(status.st_size, 32);
	EXPECT_NE(memcmp(first, zeros, sizeof(zeros)), 0);
	add_token();
	get_key(second);
	EXPECT_MEMEQ(first, second, sizeof(first));
	ASSERT_EQ(stat(base_path("device.key"), &status), 0);
	EXPECT_EQ(status.st_size, 32);
	close_all();
}

TEST(configured_path)
{
	uint8_t first[CRYPTO_KEY_LEN], second[CRYPTO_KEY_LEN];

	open_all();
	ASSERT_EQ(mkdir(base_path("keys"), 0700), 0);
	set_text(&config->agent.device_key, base_path("keys/my.key"));
	get_key(first);
	EXPECT_EQ(access(base_path("keys/my.key"), F_OK), 0);
	EXPECT_NE(access(base_path("device.key"), F_OK), 0);
	set_text(&config->agent.device_key, "");
	get_key(second);
	EXPECT_NE(memcmp(first, second, sizeof(first)), 0);
	set_text(&config->agent.device_key, base_path("missing/my.key"));
	refused("does not exist");
	close_all();
}

TEST(missing_with_tokens)
{
	open_all();
	add_token();
	refused("the device key is missing, but the store holds tokens; restore it");
	EXPECT_NE(access(base_path("device.key"), F_OK), 0);
	close_all();
}

TEST(wrong_size)
{
	static const uint8_t octets[100] = {1};
	static const size_t lens[] = {0, 1, 31, 33, 100};

	open_all();
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		base_write(base_path("device.key"), octets, lens[i], 0600);
		refused("not a device key of 32 octets");
	}
	close_all();
}

TEST(wrong_mode_owner_or_kind)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};
	static const uint8_t octets[32] = {1};

	open_all();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		base_write(base_path("device.key"), octets, 32, modes[i]);
		refused("regular file of the daemon's user with mode 0600");
	}
	if (!geteuid()) {
		ASSERT_EQ(chmod(base_path("device.key"), 0600), 0);
		ASSERT_EQ(chown(base_path("device.key"), 65534, 65534), 0);
		refused("regular file of the daemon's user");
	}
	ASSERT_EQ(rename(base_path("device.key"), base_path("real.key")), 0);
	ASSERT_EQ(symlink("real.key", base_path("device.key")), 0);
	refused("symbolic link");
	ASSERT_EQ(unlink(base_path("device.key")), 0);
	ASSERT_EQ(mkdir(base_path("device.key"), 0700), 0);
	refused("regular file");
	close_all();
}

/* A start that died halfway, whenever that was, is no obstacle to the next one. */
TEST(leftover_of_a_dead_start)
{
	static const uint8_t octets[7] = {1};
	uint8_t first[CRYPTO_KEY_LEN], second[CRYPTO_KEY_LEN];

	open_all();
	base_write(base_path("device.key.new"), octets, sizeof(octets), 0600);
	get_key(first);
	EXPECT_NE(access(base_path("device.key.new"), F_OK), 0);
	get_key(second);
	EXPECT_MEMEQ(first, second, sizeof(first));
	close_all();
}

/* What the disk does not take is not there afterwards. */
TEST(nothing_half_written)
{
	struct rlimit limit = {16, 16};
	uint8_t *key;

	open_all();
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	EXPECT_EQ(try_key(&key), -1);
	EXPECT_NE(access(base_path("device.key"), F_OK), 0);
	EXPECT_NE(access(base_path("device.key.new"), F_OK), 0);
	EXPECT_EQ(strncmp(base_error, base_folder, strlen(base_folder)), 0);
	EXPECT_NULL(strstr(base_error, "Success"));
}

/* Opening a pipe would wait for its other end. */
TEST_TIMEOUT(pipe_is_no_key, 5)
{
	open_all();
	ASSERT_EQ(mkfifo(base_path("device.key"), 0600), 0);
	refused("regular file");
	close_all();
}

/* A timer kills a child somewhere in making the key; what is there then is a whole key or none. */
static void kill_while_making(suseconds_t after_us)
{
	struct itimerval timer = {.it_value.tv_usec = after_us};
	struct stat status;
	uint8_t *key;
	pid_t child = fork();

	if (!child) {
		setitimer(ITIMER_REAL, &timer, NULL);
		for (;;) {
			if (try_key(&key))
				_exit(1);
			slots_release(key);
			unlink(base_path("device.key"));
		}
	}
	ASSERT_EQ(waitpid(child, NULL, 0), child);
	if (!stat(base_path("device.key"), &status))
		ASSERT_EQ(status.st_size, CRYPTO_KEY_LEN);
}

TEST(killed_while_making)
{
	uint8_t got[CRYPTO_KEY_LEN];

	open_all();
	for (suseconds_t i = 0; i < 60; i++) {
		kill_while_making(1000 + 137 * i);
		get_key(got);
	}
	close_all();
}

TEST(credential)
{
	uint8_t given[CRYPTO_KEY_LEN], got[CRYPTO_KEY_LEN];

	open_all();
	memset(given, 0x5a, sizeof(given));
	ASSERT_EQ(mkdir(base_path("credentials"), 0755), 0);
	ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", base_path("credentials"), 1), 0);
	/* systemd's own mode of such a file */
	base_write(base_path("credentials/device.key"), given, sizeof(given), 0440);
	add_token();
	get_key(got);
	EXPECT_MEMEQ(got, given, sizeof(given));
	EXPECT_NE(access(base_path("device.key"), F_OK), 0);
	base_write(base_path("credentials/device.key"), given, 31, 0440);
	refused("not a device key of 32 octets");
	close_all();
}

TEST(credential_of_another_name)
{
	uint8_t got[CRYPTO_KEY_LEN];

	open_all();
	ASSERT_EQ(mkdir(base_path("credentials"), 0755), 0);
	ASSERT_EQ(setenv("CREDENTIALS_DIRECTORY", base_path("credentials"), 1), 0);
	get_key(got);
	EXPECT_EQ(access(base_path("device.key"), F_OK), 0);
	close_all();
}

HARNESS_MAIN

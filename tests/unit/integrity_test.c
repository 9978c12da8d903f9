/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The integrity sidecar: what it holds, and that every change is seen. The expected value is made
 * by OpenSSL's one-shot HMAC, not by the code under test.
 */
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base_fixture.h"
#include "wire/integrity.h"

#define CONTENT_LEN 70000u /* more than one read */
#define HEX_LEN     64u

static const char mac_key[] = "Craton HSM module integrity";
static uint8_t content[CONTENT_LEN];

static const char *sidecar_of(const char *name)
{
	char sidecar[64];

	snprintf(sidecar, sizeof(sidecar), "%s.hmac", name);
	return base_path(sidecar);
}

static const char *vouched_file(void)
{
	const char *path = base_path("file");

	for (size_t i = 0; i < CONTENT_LEN; i++)
		content[i] = (uint8_t)(i * 31 + i / 251);
	base_write(path, content, CONTENT_LEN, 0644);
	ASSERT_EQ(integrity_write_sidecar(path), 0);
	return path;
}

static size_t read_file(const char *path, char *text, size_t room)
{
	FILE *file = fopen(path, "r");
	size_t len;

	ASSERT_NOT_NULL(file);
	len = fread(text, 1, room, file);
	fclose(file);
	return len;
}

TEST(the_sidecar_is_the_hmac)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	char text[100], digits[HEX_LEN + 2];
	unsigned int mac_len = 0;
	struct stat status;

	ASSERT_EQ(integrity_check_file(vouched_file()), INTEGRITY_OK);
	ASSERT_NOT_NULL(HMAC(EVP_sha256(), mac_key, sizeof(mac_key) - 1, content, CONTENT_LEN, mac,
	                     &mac_len));
	for (unsigned int i = 0; i < mac_len; i++)
		snprintf(digits + 2 * i, 3, "%02x", mac[i]);
	digits[HEX_LEN] = '\n';
	ASSERT_EQ(read_file(sidecar_of("file"), text, sizeof(text)), HEX_LEN + 1);
	ASSERT_MEMEQ(text, digits, HEX_LEN + 1);
	ASSERT_EQ(stat(sidecar_of("file"), &status), 0);
	ASSERT_EQ(status.st_mode & 07777, 0644);
	ASSERT_NE(access(base_path("file.hmac.new"), F_OK), 0);
}

TEST(every_change_is_seen)
{
	static const size_t places[] = {0, 1, 16383, 16384, 65535, 65536, CONTENT_LEN - 1};
	const char *path = vouched_file();

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		content[places[i]] ^= 1;
		base_write(path, content, CONTENT_LEN, 0644);
		EXPECT_EQ(integrity_check_file(path), INTEGRITY_MISMATCH);
		content[places[i]] ^= 1;
	}
	base_write(path, content, CONTENT_LEN - 1, 0644);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_MISMATCH);
	base_write(path, "", 0, 0644);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_MISMATCH);
	base_write(path, content, CONTENT_LEN, 0644);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_OK);
}

TEST(an_empty_file_can_be_vouched_for)
{
	const char *path = base_path("empty");

	base_write(path, "", 0, 0644);
	ASSERT_EQ(integrity_write_sidecar(path), 0);
	ASSERT_EQ(integrity_check_file(path), INTEGRITY_OK);
}

TEST(every_digit_of_the_sidecar_counts)
{
	const char *path = vouched_file(), *sidecar = sidecar_of("file");
	char text[HEX_LEN + 1];

	ASSERT_EQ(read_file(sidecar, text, sizeof(text)), HEX_LEN + 1);
	for (size_t i = 0; i < HEX_LEN; i++) {
		char digit = text[i];

		text[i] = digit == '0' ? '1' : '0';
		base_write(sidecar, text, sizeof(text), 0644);
		EXPECT_EQ(integrity_check_file(path), INTEGRITY_MISMATCH);
		text[i] = digit;
	}
}

TEST(a_sidecar_of_another_form)
{
	const char *path = vouched_file(), *sidecar = sidecar_of("file");
	char text[HEX_LEN + 2];

	ASSERT_EQ(read_file(sidecar, text, sizeof(text)), HEX_LEN + 1);
	text[HEX_LEN + 1] = '\n';
	for (size_t len = 0; len <= HEX_LEN + 2; len++) {
		base_write(sidecar, text, len, 0644);
		EXPECT_EQ(integrity_check_file(path),
		          len == HEX_LEN + 1 ? INTEGRITY_OK : INTEGRITY_UNREADABLE);
	}
	text[HEX_LEN] = ' ';
	base_write(sidecar, text, HEX_LEN + 1, 0644);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
	ASSERT_EQ(unlink(sidecar), 0);
	ASSERT_EQ(mkdir(sidecar, 0755), 0);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
}

TEST(missing_ones)
{
	const char *path = vouched_file();

	ASSERT_EQ(unlink(path), 0);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
	/* It opens, and every read of it fails. */
	ASSERT_EQ(mkdir(path, 0755), 0);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
	ASSERT_EQ(rmdir(path), 0);
	ASSERT_EQ(unlink(sidecar_of("file")), 0);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_MISSING);
	errno = 0;
	EXPECT_EQ(integrity_write_sidecar(path), -1);
	EXPECT_EQ(errno, ENOENT);
}

TEST(a_path_that_is_too_long)
{
	char path[2 * PATH_MAX];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
	errno = 0;
	EXPECT_EQ(integrity_write_sidecar(path), -1);
	EXPECT_EQ(errno, ENAMETOOLONG);
}

/* The check runs inside applications: it leaves nothing in their error queue. */
TEST(the_application_is_not_disturbed)
{
	const char *path = vouched_file();

	ERR_clear_error();
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(integrity_check_file(path), INTEGRITY_OK);
	EXPECT_EQ(ERR_peek_error(), 0);
	content[0] ^= 1;
	base_write(path, content, CONTENT_LEN, 0644);
	ASSERT_EQ(integrity_check_file(path), INTEGRITY_MISMATCH);
	EXPECT_EQ(ERR_peek_error(), 0);
}

TEST(a_sidecar_of_other_digits)
{
	const char *path = vouched_file(), *sidecar = sidecar_of("file");
	char text[HEX_LEN + 1];

	ASSERT_EQ(read_file(sidecar, text, sizeof(text)), HEX_LEN + 1);
	text[5] = 'g';
	base_write(sidecar, text, sizeof(text), 0644);
	EXPECT_EQ(integrity_check_file(path), INTEGRITY_UNREADABLE);
}

HARNESS_MAIN

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error table: every row complete, its words fit for a line of JSON, and codes outside the
 * table harmless.
 */
#include "harness.h"

#include "error.h"

TEST(none_is_success)
{
	ASSERT_EQ(ERROR_NONE, 0);
	ASSERT_EQ(err_ckr(ERROR_NONE), CKR_OK);
	ASSERT_STREQ(err_ckr_name(ERROR_NONE), "CKR_OK");
}

TEST(rows_are_complete)
{
	for (enum err err = 0; err < ERROR_COUNT; err++) {
		ASSERT_NOT_NULL(err_text(err));
		ASSERT_NOT_NULL(err_ckr_name(err));
		ASSERT_GT(strlen(err_text(err)), 3);
		ASSERT_EQ(strncmp(err_ckr_name(err), "CKR_", 4), 0);
		ASSERT_EQ(err_ckr(err) == CKR_OK, err == ERROR_NONE);
		/* The status of a frame has 32 bits. */
		ASSERT_EQ(err_ckr(err) >> 32, 0);
	}
}

/* They go into the audit log unescaped and below 64 octets (audit_format.c). */
TEST(words_fit_the_audit_log)
{
	for (enum err err = 0; err < ERROR_COUNT; err++) {
		const char *words[] = {err_text(err), err_ckr_name(err)};

		for (int i = 0; i < 2; i++) {
			ASSERT_LT(strlen(words[i]), 64);
			for (const char *at = words[i]; *at; at++)
				ASSERT_TRUE(*at >= 0x20 && *at < 0x7f && *at != '"' && *at != '\\');
		}
	}
}

TEST(texts_differ)
{
	for (enum err a = 0; a < ERROR_COUNT; a++) {
		for (enum err b = a + 1; b < ERROR_COUNT; b++)
			EXPECT_NE(strcmp(err_text(a), err_text(b)), 0);
	}
}

TEST(some_rows)
{
	EXPECT_EQ(err_ckr(ERROR_PIN_INCORRECT), CKR_PIN_INCORRECT);
	EXPECT_STREQ(err_ckr_name(ERROR_PIN_INCORRECT), "CKR_PIN_INCORRECT");
	EXPECT_EQ(err_ckr(ERROR_AUDIT), CKR_GENERAL_ERROR);
	EXPECT_EQ(err_ckr(ERROR_BUFFER_TOO_SMALL), CKR_BUFFER_TOO_SMALL);
	EXPECT_EQ(err_ckr(ERROR_STATE), CKR_GENERAL_ERROR);
}

TEST(codes_outside_the_table)
{
	static const int codes[] = {-1, ERROR_COUNT, ERROR_COUNT + 1, INT32_MAX, INT32_MIN};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		EXPECT_EQ(err_ckr((enum err)codes[i]), CKR_FUNCTION_FAILED);
		EXPECT_STREQ(err_text((enum err)codes[i]), err_text(ERROR_INTERNAL));
		EXPECT_STREQ(err_ckr_name((enum err)codes[i]), "CKR_FUNCTION_FAILED");
	}
}

HARNESS_MAIN

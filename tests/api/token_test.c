/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens, PINs and sessions through the library: BEHAVIOUR B4, B5, B10.
 */
#include "api.h"

static CK_TOKEN_INFO token_info(void)
{
	CK_TOKEN_INFO info;

	OK(p11->C_GetTokenInfo(0, &info));
	return info;
}

static double elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - since->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - since->tv_nsec) / 1e6;
}

/* B4: a fresh store. */
TEST(fresh_token_is_not_present)
{
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slots[4];
	CK_ULONG count = COUNT(slots);
	CK_TOKEN_INFO info;
	CK_SLOT_INFO slot;

	api_start();
	OK(p11->C_GetSlotList(CK_FALSE, slots, &count));
	ASSERT_EQ(count, 1);
	count = COUNT(slots);
	OK(p11->C_GetSlotList(CK_TRUE, slots, &count));
	ASSERT_EQ(count, 0);
	OK(p11->C_GetSlotInfo(0, &slot));
	ASSERT_FALSE(slot.flags & CKF_TOKEN_PRESENT);
	GIVES(p11->C_GetTokenInfo(0, &info), CKR_TOKEN_NOT_PRESENT);
	GIVES(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session),
	      CKR_TOKEN_NOT_PRESENT);
	GIVES(p11->C_GetTokenInfo(9, &info), CKR_SLOT_ID_INVALID);
	OK(api_init_token(0, SO_PIN));
	count = COUNT(slots);
	OK(p11->C_GetSlotList(CK_TRUE, slots, &count));
	ASSERT_EQ(count, 1);
	info = token_info();
	ASSERT_TRUE(info.flags & CKF_TOKEN_INITIALIZED);
	ASSERT_FALSE(info.flags & CKF_USER_PIN_INITIALIZED);
	ASSERT_MEMEQ(info.label, "test token                      ", 32);
}

/* B4: the other way, as SoftHSM2 does it. */
TEST(present_uninitialized)
{
	CK_SESSION_HANDLE session;
	CK_SLOT_ID slots[4];
	CK_ULONG count = COUNT(slots);

	api_start_with("present_uninitialized = true", "", "");
	OK(p11->C_GetSlotList(CK_TRUE, slots, &count));
	ASSERT_EQ(count, 1);
	ASSERT_FALSE(token_info().flags & CKF_TOKEN_INITIALIZED);
	GIVES(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session),
	      CKR_TOKEN_NOT_RECOGNIZED);
	OK(api_init_token(0, SO_PIN));
	ASSERT_TRUE(token_info().flags & CKF_TOKEN_INITIALIZED);
}

TEST(several_slots)
{
	CK_ULONG count = 0;

	api_start_with("slot_count = 3", "", "");
	OK(p11->C_GetSlotList(CK_FALSE, NULL, &count));
	ASSERT_EQ(count, 3);
	OK(api_init_token(2, SO_PIN));
	OK(p11->C_GetSlotList(CK_TRUE, NULL, &count));
	ASSERT_EQ(count, 1);
}

TEST(token_survives_restart)
{
	CK_SESSION_HANDLE session = api_user();

	api_aes_key(session, true, "kept");
	api_aes_key(session, false, "not kept");
	ASSERT_EQ(api_end_agent(SIGTERM), 0);
	OK(p11->C_Finalize(NULL));
	api_launch();
	OK(api_initialize());
	session = api_session(true);
	ASSERT_EQ(api_count_label(session, "kept"), 0); /* private, not logged in */
	OK(api_login(session, CKU_USER, USER_PIN));
	ASSERT_EQ(api_count_label(session, "kept"), 1);
	ASSERT_EQ(api_count_label(session, "not kept"), 0);
}

TEST(reinitialising_needs_the_so_pin)
{
	CK_SESSION_HANDLE session = api_user();

	api_aes_key(session, true, "precious");
	GIVES(api_init_token(0, SO_PIN), CKR_SESSION_EXISTS);
	OK(p11->C_CloseAllSessions(0));
	GIVES(api_init_token(0, WRONG_PIN), CKR_PIN_INCORRECT);
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	ASSERT_EQ(api_count_label(session, "precious"), 1);
	OK(p11->C_CloseSession(session));
	/* Inside the back-off window even the right PIN is refused (B5); the window of the first
	 * failure is 100 ms. */
	while (api_init_token(0, SO_PIN) == CKR_FUNCTION_FAILED)
		api_pause();
	session = api_session(true);
	GIVES(api_login(session, CKU_USER, USER_PIN), CKR_USER_PIN_NOT_INITIALIZED);
}

TEST(pin_lengths)
{
	CK_SESSION_HANDLE session;
	char long_pin[80];

	api_start();
	memset(long_pin, 'x', sizeof(long_pin));
	GIVES(p11->C_InitToken(0, (CK_UTF8CHAR *)long_pin, 7,
	                       (CK_UTF8CHAR *)"                                "),
	      CKR_PIN_LEN_RANGE);
	GIVES(p11->C_InitToken(0, (CK_UTF8CHAR *)long_pin, 65,
	                       (CK_UTF8CHAR *)"                                "),
	      CKR_PIN_LEN_RANGE);
	api_make_token();
	session = api_session(true);
	OK(api_login(session, CKU_SO, SO_PIN));
	GIVES(p11->C_InitPIN(session, (CK_UTF8CHAR *)long_pin, 7), CKR_PIN_LEN_RANGE);
	GIVES(p11->C_InitPIN(session, (CK_UTF8CHAR *)long_pin, 65), CKR_PIN_LEN_RANGE);
	OK(p11->C_InitPIN(session, (CK_UTF8CHAR *)long_pin, 64));
	OK(p11->C_InitPIN(session, (CK_UTF8CHAR *)long_pin, 8));
}

/* B5: the answer to a wrong PIN is held, attempts inside the window are refused at once, and others
 * are not blocked. */
TEST(wrong_pin_is_delayed)
{
	CK_SESSION_HANDLE session;
	struct timespec since;
	unsigned int refused = 0;
	CK_RV rv;

	api_start();
	api_make_token();
	session = api_session(true);
	clock_gettime(CLOCK_MONOTONIC, &since);
	GIVES(api_login(session, CKU_USER, WRONG_PIN), CKR_PIN_INCORRECT);
	ASSERT_GE(elapsed_ms(&since), 100.0);
	ASSERT_TRUE(token_info().flags & CKF_USER_PIN_COUNT_LOW);
	while ((rv = api_login(session, CKU_USER, WRONG_PIN)) == CKR_FUNCTION_FAILED) {
		refused++;
		api_pause();
	}
	ASSERT_EQ(rv, CKR_PIN_INCORRECT);
	printf("# refused %u times inside the window\n", refused);
	while ((rv = api_login(session, CKU_USER, USER_PIN)) == CKR_FUNCTION_FAILED)
		api_pause();
	OK(rv);
	ASSERT_FALSE(token_info().flags &
	             (CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED));
}

/* Waits out the window, then tries once. */
static CK_RV try_user(CK_SESSION_HANDLE session, const char *pin)
{
	CK_RV rv;

	while ((rv = api_login(session, CKU_USER, pin)) == CKR_FUNCTION_FAILED)
		api_pause();
	return rv;
}

/* B5: lockout, over restarts, and the SO's way out, which keeps the objects. */
TEST(lockout_and_reset)
{
	CK_SESSION_HANDLE session;

	api_start_with("", "max_failed_logins = 3", "");
	api_make_token();
	session = api_session(true);
	OK(api_login(session, CKU_USER, USER_PIN));
	api_aes_key(session, true, "mine");
	OK(p11->C_Logout(session));
	GIVES(try_user(session, WRONG_PIN), CKR_PIN_INCORRECT);
	GIVES(try_user(session, WRONG_PIN), CKR_PIN_INCORRECT);
	ASSERT_TRUE(token_info().flags & CKF_USER_PIN_FINAL_TRY);
	ASSERT_EQ(api_end_agent(SIGKILL), -SIGKILL);
	OK(p11->C_Finalize(NULL));
	api_launch();
	OK(api_initialize());
	ASSERT_TRUE(token_info().flags & CKF_USER_PIN_FINAL_TRY);
	session = api_session(true);
	GIVES(try_user(session, WRONG_PIN), CKR_PIN_INCORRECT);
	GIVES(try_user(session, USER_PIN), CKR_PIN_LOCKED);
	ASSERT_TRUE(token_info().flags & CKF_USER_PIN_LOCKED);
	OK(api_login(session, CKU_SO, SO_PIN));
	OK(p11->C_InitPIN(session, (CK_UTF8CHAR *)"another-pin", 11));
	OK(p11->C_Logout(session));
	ASSERT_FALSE(token_info().flags & CKF_USER_PIN_LOCKED);
	OK(try_user(session, "another-pin"));
	ASSERT_EQ(api_count_label(session, "mine"), 1);
}

TEST(set_pin)
{
	CK_SESSION_HANDLE session = api_user();

	api_aes_key(session, true, "mine");
	OK(p11->C_SetPIN(session, (CK_UTF8CHAR *)USER_PIN, strlen(USER_PIN),
	                 (CK_UTF8CHAR *)"changed-pin", 11));
	OK(p11->C_Logout(session));
	GIVES(try_user(session, USER_PIN), CKR_PIN_INCORRECT);
	OK(try_user(session, "changed-pin"));
	ASSERT_EQ(api_count_label(session, "mine"), 1);
}

TEST(login_rules)
{
	CK_SESSION_HANDLE session, read_only;
	CK_SESSION_INFO info;

	api_start();
	api_make_token();
	session = api_session(true);
	GIVES(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN);
	read_only = api_session(false);
	GIVES(api_login(session, CKU_SO, SO_PIN), CKR_SESSION_READ_ONLY_EXISTS);
	OK(api_login(read_only, CKU_USER, USER_PIN));
	OK(p11->C_GetSessionInfo(session, &info));
	ASSERT_EQ(info.state, CKS_RW_USER_FUNCTIONS);
	OK(p11->C_GetSessionInfo(read_only, &info));
	ASSERT_EQ(info.state, CKS_RO_USER_FUNCTIONS);
	GIVES(api_login(session, CKU_USER, USER_PIN), CKR_USER_ALREADY_LOGGED_IN);
	GIVES(api_login(session, CKU_SO, SO_PIN), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
	GIVES(api_login(session, 7, SO_PIN), CKR_USER_TYPE_INVALID);
	GIVES(api_login(session, CKU_CONTEXT_SPECIFIC, USER_PIN), CKR_OPERATION_NOT_INITIALIZED);
	OK(p11->C_Logout(session));
	OK(p11->C_CloseSession(read_only));
	OK(api_login(session, CKU_SO, SO_PIN));
	GIVES(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &read_only),
	      CKR_SESSION_READ_WRITE_SO_EXISTS);
	OK(p11->C_CloseAllSessions(0));
	session = api_session(true);
	OK(p11->C_GetSessionInfo(session, &info));
	ASSERT_EQ(info.state, CKS_RW_PUBLIC_SESSION);
}

/* B10 */
TEST(session_limits)
{
	CK_SESSION_HANDLE sessions[6], one_more;

	api_start_with("max_sessions = 5\nmax_rw_sessions = 2", "", "");
	OK(api_init_token(0, SO_PIN));
	sessions[0] = api_session(true);
	sessions[1] = api_session(true);
	GIVES(p11->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &one_more),
	      CKR_SESSION_COUNT);
	for (int i = 2; i < 5; i++)
		sessions[i] = api_session(false);
	GIVES(p11->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &one_more), CKR_SESSION_COUNT);
	OK(p11->C_CloseSession(sessions[0]));
	sessions[0] = api_session(true);
	GIVES(p11->C_CloseSession(one_more = 0x7ffffff1), CKR_SESSION_HANDLE_INVALID);
	GIVES(p11->C_OpenSession(0, 0, NULL, NULL, &one_more), CKR_SESSION_PARALLEL_NOT_SUPPORTED);
	OK(p11->C_CloseAllSessions(0));
	for (int i = 0; i < 5; i++)
		sessions[i] = api_session(i < 2);
}

TEST(handles_are_not_reused)
{
	CK_SESSION_HANDLE first, second;

	api_start();
	OK(api_init_token(0, SO_PIN));
	first = api_session(true);
	OK(p11->C_CloseSession(first));
	second = api_session(true);
	ASSERT_NE(first, second);
	GIVES(p11->C_CloseSession(first), CKR_SESSION_HANDLE_INVALID);
}

HARNESS_MAIN

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to a token that PKCS#11 applications go: load the module, initialise it, find the slot,
 * log in. One module for each process; nothing here is timed.
 */
#ifndef TESTS_BENCH_TOKEN_H
#define TESTS_BENCH_TOKEN_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "wire/cryptoki.h"

#define TOKEN_SLOTS_MAX 256u
#define TOKEN_PIN_MAX   256u

/* The process's module; only set up by token_open(). */
static struct {
	void *module;
	CK_FUNCTION_LIST *p11;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session; /* keeps the login alive */
} token;

/* Calls the module; false, and the error says which call, when it did not return CKR_OK. */
#define TOKEN_CALL(error, function, ...)                                                           \
	bench_check((error), #function, token.p11->function(__VA_ARGS__))

static bool token_load(const char *path, struct bench_error *error)
{
	void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	CK_C_GetFunctionList get_list = NULL;
	CK_C_INITIALIZE_ARGS arguments = {.flags = CKF_OS_LOCKING_OK};

	if (module)
		get_list = (CK_C_GetFunctionList)dlsym(module, "C_GetFunctionList");
	token.module = module;
	if (!get_list) {
		fprintf(stderr, "%s: %s\n", path, dlerror());
		return bench_check(error, "dlopen", CKR_GENERAL_ERROR);
	}
	return bench_check(error, "C_GetFunctionList", get_list(&token.p11)) &&
	       TOKEN_CALL(error, C_Initialize, &arguments);
}

/* Labels are padded with blanks. */
static bool token_has_label(const CK_TOKEN_INFO *info, const char *label)
{
	char padded[sizeof(info->label)];
	size_t len = strlen(label);

	if (len > sizeof(padded))
		return false;
	memset(padded, ' ', sizeof(padded));
	memcpy(padded, label, len);
	return !memcmp(padded, info->label, sizeof(padded));
}

static bool token_matches(const struct bench_options *options, CK_SLOT_ID slot)
{
	CK_TOKEN_INFO info;

	if (options->has_slot && options->slot != slot)
		return false;
	if (token.p11->C_GetTokenInfo(slot, &info) || !(info.flags & CKF_TOKEN_INITIALIZED))
		return false;
	return !options->token_label || token_has_label(&info, options->token_label);
}

static bool token_find(const struct bench_options *options, struct bench_error *error)
{
	CK_SLOT_ID slots[TOKEN_SLOTS_MAX];
	CK_ULONG count = TOKEN_SLOTS_MAX;

	if (!TOKEN_CALL(error, C_GetSlotList, CK_TRUE, slots, &count))
		return false;
	for (CK_ULONG i = 0; i < count; i++) {
		if (token_matches(options, slots[i])) {
			token.slot = slots[i];
			return true;
		}
	}
	return bench_check(error, "finding the token", CKR_TOKEN_NOT_PRESENT);
}

/* The octets up to the first newline. */
static bool token_read_pin(const char *path, CK_BYTE *pin, CK_ULONG *pin_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, pin, TOKEN_PIN_MAX);

	if (got < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	*pin_len = 0;
	while ((ssize_t)*pin_len < got && pin[*pin_len] != '\n')
		++*pin_len;
	return got >= 0;
}

static bool token_login(const char *pin_path, struct bench_error *error)
{
	CK_BYTE pin[TOKEN_PIN_MAX];
	CK_ULONG pin_len;
	bool done;

	if (!pin_path)
		return true;
	if (!token_read_pin(pin_path, pin, &pin_len))
		return bench_check(error, "reading the PIN", CKR_ARGUMENTS_BAD);
	done = TOKEN_CALL(error, C_Login, token.session, CKU_USER, pin, pin_len);
	explicit_bzero(pin, sizeof(pin));
	return done;
}

static bool token_open_session(CK_SESSION_HANDLE *session, struct bench_error *error)
{
	return TOKEN_CALL(error, C_OpenSession, token.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
	                  NULL, NULL, session);
}

static bool token_open(const struct bench_options *options, struct bench_error *error)
{
	return token_load(options->module_path, error) && token_find(options, error) &&
	       token_open_session(&token.session, error) && token_login(options->pin_path, error);
}

static void token_close(void)
{
	token.p11->C_Finalize(NULL);
}

#endif

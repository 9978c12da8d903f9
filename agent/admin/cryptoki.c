/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions, templates and attributes of PKCS#11, with what verbs want done when something fails.
 */
#include "cryptoki.h"

#include <stdlib.h>
#include <string.h>

#define FIND_MAX 64u

static const CK_BBOOL flags[2] = {CK_FALSE, CK_TRUE};

/* The library reads the socket's path from the environment. Its answer does not say why it cannot;
 * one more attempt to connect does. */
static bool initialize(const struct admin_options *options, struct cryptoki *token)
{
	struct channel *channel;
	CK_RV rv;

	if (options->socket_path && setenv(CHANNEL_SOCKET_VARIABLE, options->socket_path, 1)) {
		admin_fail("out of memory");
		return false;
	}
	rv = C_Initialize(NULL);
	if (!rv)
		rv = C_GetFunctionList(&token->functions);
	if (rv && admin_connect(options, CHANNEL_HELLO, &channel)) {
		channel_close(channel);
		admin_fail_rv("the PKCS#11 library", rv);
	}
	return !rv;
}

static bool log_in(const struct cryptoki *token, const struct admin_pin *pin)
{
	CK_RV rv = token->functions->C_Login(token->session, CKU_USER,
	                                     (CK_UTF8CHAR *)(uintptr_t)pin->octets, pin->len);

	if (rv)
		admin_fail_rv("login", rv);
	return !rv;
}

static bool open_session(struct cryptoki *token, bool read_write)
{
	CK_FLAGS session_flags = CKF_SERIAL_SESSION | (read_write ? CKF_RW_SESSION : 0);
	CK_RV rv = token->functions->C_OpenSession(token->slot_id, session_flags, NULL, NULL,
	                                           &token->session);

	if (rv)
		admin_fail_rv("opening a session", rv);
	return !rv;
}

bool cryptoki_open(struct cryptoki *token, const struct admin_pin_source *source, const char *what,
                   bool read_write)
{
	admin_pin_auto pin = {0};

	return open_session(token, read_write) && admin_pin_read(source, what, false, &pin) &&
	       log_in(token, &pin);
}

bool cryptoki_begin(const struct admin_options *options, bool read_write, struct cryptoki *token)
{
	uint64_t slot_id;

	*token = (struct cryptoki){0};
	if (!admin_slot(options, &slot_id) || !initialize(options, token))
		return false;
	token->slot_id = (CK_SLOT_ID)slot_id;
	return cryptoki_open(token, &options->user_pin, "user PIN", read_write);
}

void cryptoki_end(struct cryptoki *token)
{
	if (token->functions)
		token->functions->C_Finalize(NULL);
	*token = (struct cryptoki){0};
}

/* ---- templates ---- */

void cryptoki_add(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type, const void *value,
                  size_t len)
{
	/* What does not fit would be a mistake of ours, and the token would miss it. */
	if (template->count == CRYPTOKI_ATTRIBUTES_MAX)
		abort();
	template->attributes[template->count++] =
		(CK_ATTRIBUTE){type, (void *)(uintptr_t)value, (CK_ULONG)len};
}

void cryptoki_add_flag(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type, bool flag)
{
	cryptoki_add(template, type, &flags[flag], sizeof(flags[flag]));
}

void cryptoki_add_text(struct cryptoki_template *template, CK_ATTRIBUTE_TYPE type, const char *text)
{
	if (text)
		cryptoki_add(template, type, text, strlen(text));
}

/* ---- objects ---- */

/* All handles first: a search that is open while objects go is not for every token. */
static CK_RV find(const struct cryptoki *token, const struct cryptoki_template *wanted,
                  CK_OBJECT_HANDLE **handles, size_t *count)
{
	CK_ATTRIBUTE *attributes = (CK_ATTRIBUTE *)(uintptr_t)wanted->attributes;
	CK_RV rv = token->functions->C_FindObjectsInit(token->session, attributes, wanted->count);
	CK_ULONG found = FIND_MAX;

	*handles = NULL;
	*count = 0;
	while (!rv && found == FIND_MAX) {
		CK_OBJECT_HANDLE *grown =
			reallocarray(*handles, *count + FIND_MAX, sizeof(**handles));

		if (!grown) {
			rv = CKR_HOST_MEMORY;
			break;
		}
		*handles = grown;
		rv = token->functions->C_FindObjects(token->session, *handles + *count, FIND_MAX,
		                                     &found);
		*count += rv ? 0 : found;
	}
	token->functions->C_FindObjectsFinal(token->session);
	return rv;
}

bool cryptoki_each(const struct cryptoki *token, const struct cryptoki_template *wanted,
                   bool (*each)(void *context, CK_OBJECT_HANDLE object), void *context)
{
	CK_OBJECT_HANDLE *handles;
	bool more = true;
	size_t count;
	CK_RV rv = find(token, wanted, &handles, &count);

	if (rv)
		admin_fail_rv("searching the token", rv);
	for (size_t i = 0; !rv && more && i < count; i++)
		more = each(context, handles[i]);
	free(handles);
	return !rv && more;
}

uint8_t *cryptoki_octets(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type, size_t *len)
{
	CK_ATTRIBUTE attribute = {type, NULL, 0};
	uint8_t *octets;

	*len = 0;
	if (token->functions->C_GetAttributeValue(token->session, object, &attribute, 1) ||
	    attribute.ulValueLen == CK_UNAVAILABLE_INFORMATION)
		return NULL;
	octets = calloc(1, attribute.ulValueLen + 1);
	attribute.pValue = octets;
	if (octets &&
	    token->functions->C_GetAttributeValue(token->session, object, &attribute, 1)) {
		free(octets);
		return NULL;
	}
	*len = octets ? attribute.ulValueLen : 0;
	return octets;
}

CK_ULONG cryptoki_number(const struct cryptoki *token, CK_OBJECT_HANDLE object,
                         CK_ATTRIBUTE_TYPE type, CK_ULONG absent)
{
	CK_ULONG number = absent;
	CK_ATTRIBUTE attribute = {type, &number, sizeof(number)};

	if (token->functions->C_GetAttributeValue(token->session, object, &attribute, 1) ||
	    attribute.ulValueLen != sizeof(number))
		return absent;
	return number;
}

bool cryptoki_flag(const struct cryptoki *token, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type)
{
	CK_BBOOL flag = CK_FALSE;
	CK_ATTRIBUTE attribute = {type, &flag, sizeof(flag)};

	return !token->functions->C_GetAttributeValue(token->session, object, &attribute, 1) &&
	       attribute.ulValueLen == sizeof(flag) && flag;
}

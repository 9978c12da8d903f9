/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PINs from files, descriptors, environment variables and the terminal. A PIN is the octets up to
 * the first newline.
 */
#include "admin.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

void admin_pin_wipe(struct admin_pin *pin)
{
	wire_wipe(pin, sizeof(*pin));
}

bool admin_pin_given(const struct admin_pin_source *source)
{
	return source->file || source->descriptor || source->variable;
}

/* Reads up to the first newline or the end. False when it is too long or cannot be read. */
static bool read_line(int fd, struct admin_pin *pin)
{
	char octet;
	ssize_t got;

	pin->len = 0;
	while ((got = read(fd, &octet, 1)) == 1 && octet != '\n') {
		if (pin->len == ADMIN_PIN_MAX) {
			errno = EMSGSIZE;
			return false;
		}
		pin->octets[pin->len++] = (uint8_t)octet;
	}
	wire_wipe(&octet, sizeof(octet));
	return got >= 0;
}

static bool read_file(const char *path, struct admin_pin *pin)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool done = fd >= 0 && read_line(fd, pin);

	if (!done)
		admin_fail("%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

static bool read_descriptor(const char *number, struct admin_pin *pin)
{
	char *end;
	long fd = strtol(number, &end, 10);

	if (end == number || *end || fd < 0 || fd > INT32_MAX) {
		admin_fail("%s: not a descriptor", number);
		return false;
	}
	if (read_line((int)fd, pin))
		return true;
	admin_fail("descriptor %s: %s", number, strerror(errno));
	return false;
}

static bool read_variable(const char *name, struct admin_pin *pin)
{
	const char *value = getenv(name);

	if (!value || strlen(value) > ADMIN_PIN_MAX) {
		admin_fail("environment variable %s: %s", name, value ? "too long" : "not set");
		return false;
	}
	pin->len = strlen(value);
	memcpy(pin->octets, value, pin->len);
	return true;
}

/* Signals that end or stop the program while the terminal does not echo. */
static const int interrupting[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define INTERRUPTING_COUNT (sizeof(interrupting) / sizeof(interrupting[0]))

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	interrupted = number;
}

static void catch_interrupts(struct sigaction before[INTERRUPTING_COUNT])
{
	/* Without SA_RESTART, so that the read ends. */
	const struct sigaction action = {.sa_handler = on_interrupt};

	interrupted = 0;
	for (size_t i = 0; i < INTERRUPTING_COUNT; i++)
		sigaction(interrupting[i], &action, &before[i]);
}

/* What came meanwhile comes now, to whom it would have come. */
static void release_interrupts(const struct sigaction before[INTERRUPTING_COUNT])
{
	for (size_t i = 0; i < INTERRUPTING_COUNT; i++)
		sigaction(interrupting[i], &before[i], NULL);
	if (interrupted)
		raise(interrupted);
}

/* One prompt on the terminal. Echo goes off first: what is typed at the sight of the prompt is
 * neither shown nor thrown away. */
static bool prompt_once(int terminal, const char *prompt, struct admin_pin *pin)
{
	struct sigaction handlers[INTERRUPTING_COUNT];
	struct termios before, quiet;
	bool done = false;

	if (tcgetattr(terminal, &before))
		return false;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	catch_interrupts(handlers);
	if (!tcsetattr(terminal, TCSAFLUSH, &quiet)) {
		dprintf(terminal, "%s: ", prompt);
		done = read_line(terminal, pin);
		tcsetattr(terminal, TCSADRAIN, &before);
		dprintf(terminal, "\n");
	}
	release_interrupts(handlers);
	return done;
}

static bool prompt(const char *what, bool confirm, struct admin_pin *pin)
{
	int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	admin_pin_auto again = {0};
	char question[80];
	bool done;

	if (terminal < 0) {
		admin_fail("no terminal to ask for the %s; use --*-pin-file, --*-pin-fd or "
		           "--*-pin-env",
		           what);
		return false;
	}
	snprintf(question, sizeof(question), "%s", what);
	done = prompt_once(terminal, question, pin);
	if (done && confirm) {
		snprintf(question, sizeof(question), "%s, once more", what);
		done = prompt_once(terminal, question, &again);
		if (done && !wire_secret_equal((struct wire_bytes){pin->octets, pin->len},
		                               (struct wire_bytes){again.octets, again.len})) {
			admin_fail("the two differ");
			done = false;
		}
	}
	close(terminal);
	return done;
}

bool admin_pin_read(const struct admin_pin_source *source, const char *what, bool confirm,
                    struct admin_pin *pin)
{
	if (!!source->file + !!source->descriptor + !!source->variable > 1) {
		admin_fail("more than one source for the %s", what);
		return false;
	}
	if (source->file)
		return read_file(source->file, pin);
	if (source->descriptor)
		return read_descriptor(source->descriptor, pin);
	if (source->variable)
		return read_variable(source->variable, pin);
	return prompt(what, confirm, pin);
}

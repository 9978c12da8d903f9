/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PINs from files, descriptors, environment variables and the terminal. A PIN is the octets up to
 * the first newline.
 */
#include "admin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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

/* How signals were taken before. */
struct interrupts {
	struct sigaction actions[INTERRUPTING_COUNT];
	sigset_t mask;
};

/* They are blocked but while we wait, so that none comes between a look and the wait. */
static void hold_interrupts(struct interrupts *before)
{
	const struct sigaction action = {.sa_handler = on_interrupt};
	sigset_t held;

	interrupted = 0;
	sigemptyset(&held);
	for (size_t i = 0; i < INTERRUPTING_COUNT; i++) {
		sigaddset(&held, interrupting[i]);
		sigaction(interrupting[i], &action, &before->actions[i]);
	}
	sigprocmask(SIG_BLOCK, &held, &before->mask);
}

/* What came meanwhile comes now, to whom it would have come. */
static void release_interrupts(const struct interrupts *before)
{
	for (size_t i = 0; i < INTERRUPTING_COUNT; i++)
		sigaction(interrupting[i], &before->actions[i], NULL);
	if (interrupted)
		raise(interrupted);
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* Waits for a whole line, as terminals give them. False when a signal came first. */
static bool wait_for_line(int terminal, const struct interrupts *before)
{
	struct pollfd wanted = {.fd = terminal, .events = POLLIN};

	return ppoll(&wanted, 1, NULL, &before->mask) == 1;
}

/* Echo goes off before the prompt comes: what is typed at the sight of it is neither shown nor
 * thrown away. */
static bool ask(int terminal, const char *prompt, struct admin_pin *pin)
{
	struct termios loud, quiet;
	struct interrupts before;
	bool done = false;

	if (tcgetattr(terminal, &loud))
		return false;
	quiet = loud;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	hold_interrupts(&before);
	if (!tcsetattr(terminal, TCSAFLUSH, &quiet)) {
		dprintf(terminal, "%s: ", prompt);
		done = wait_for_line(terminal, &before) && read_line(terminal, pin);
		tcsetattr(terminal, TCSADRAIN, &loud);
		dprintf(terminal, "\n");
	}
	release_interrupts(&before);
	return done;
}

/* Stopped and continued, it asks again. */
static bool prompt_once(int terminal, const char *prompt, struct admin_pin *pin)
{
	bool done;

	do
		done = ask(terminal, prompt, pin);
	while (!done && interrupted == SIGTSTP);
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

/* password_input.c - see password_input.h. */
#include "main/password_input.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/macros.h"
#include "issuer/phc.h"

void
password_done(struct password *p)
{
	OPENSSL_cleanse(p, sizeof *p);
}

static struct err
system_fail(const char *why)
{
	struct err e = fail(ERR_SYSTEM, why);

	e.sys = errno;
	return e;
}

/* Byte by byte, so that what follows the line stays for whoever reads next. The signal's
 * descriptor, or -1, ends the wait: the signal itself is delivered once the terminal is as it was.
 */
static struct err
read_line(int signals, struct password *ret)
{
	struct pollfd wait[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
		                  { .fd = signals, .events = POLLIN } };

	for (ret->len = 0;;) {
		uint8_t byte;

		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return system_fail("standard input cannot be read");
		if (wait[1].revents != 0)
			return fail(ERR_INVALID, "interrupted");

		ssize_t got = read(STDIN_FILENO, &byte, 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return system_fail("standard input cannot be read");
		if (got == 0 || byte == '\n')
			break;
		if (ret->len == sizeof ret->at)
			return fail(ERR_INVALID, "the input is longer than 1024 bytes");
		ret->at[ret->len++] = byte;
	}
	if (ret->len > 0 && ret->at[ret->len - 1] == '\r')
		ret->len--;
	return ret->len > 0 ? OK : fail(ERR_INVALID, "nothing was given");
}

static struct err
ask(int signals, const char *prompt, struct password *ret)
{
	fputs(prompt, stderr);

	struct err e = read_line(signals, ret);

	fputc('\n', stderr); /* the user's own was not shown */
	return e;
}

static struct err
ask_hash(int signals, struct password *ret)
{
	return ask(signals, "Hash: ", ret);
}

static struct err
ask_twice(int signals, struct password *ret)
{
	CLEANUP(password_done) struct password again = { 0 };

	TRY(ask(signals, "Password: ", ret));
	TRY(ask(signals, "Once more: ", &again));
	if (ret->len != again.len || memcmp(ret->at, again.at, ret->len) != 0)
		return fail(ERR_INVALID, "the two passwords differ");
	return OK;
}

/* Signals that would end the program wait until the terminal shows again what is typed. */
static struct err
read_unseen(struct err (*ask_for)(int, struct password *), struct password *ret)
{
	struct termios before, unseen;
	sigset_t ending, old;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return system_fail("the terminal does not answer");
	unseen = before;
	unseen.c_lflag &= ~(tcflag_t)ECHO;
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGQUIT);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGTSTP);
	sigprocmask(SIG_BLOCK, &ending, &old);

	int signals = signalfd(-1, &ending, SFD_CLOEXEC);
	struct err e = OK;

	if (signals < 0 || tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) < 0)
		e = system_fail("the terminal cannot be made to hide the password");
	if (!failed(e)) {
		e = ask_for(signals, ret);
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before); /* it worked a moment ago */
	}
	if (signals >= 0)
		(void)close(signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return e;
}

struct err
password_input(struct password *ret)
{
	const char *why;

	TRY(isatty(STDIN_FILENO) ? read_unseen(ask_twice, ret) : read_line(-1, ret));
	return password_acceptable((struct bytes){ ret->at, ret->len }, &why)
	               ? OK
	               : fail(ERR_INVALID, why);
}

struct err
password_hash_input(struct password *ret)
{
	struct phc ignored;

	TRY(isatty(STDIN_FILENO) ? read_unseen(ask_hash, ret) : read_line(-1, ret));
	while (ret->len > 0 && strchr(" \t", ret->at[ret->len - 1]) != NULL)
		ret->len--;

	size_t blank = 0;

	while (blank < ret->len && strchr(" \t", ret->at[blank]) != NULL)
		blank++;
	ret->len -= blank;
	memmove(ret->at, ret->at + blank, ret->len);

	struct err e = phc_parse((struct bytes){ ret->at, ret->len }, &ignored);

	return failed(e) ? fail(ERR_INVALID, e.why) : OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.c - see terminal.h */
#include "tools/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"

int terminal_open(struct terminal *t)
{
	struct termios raw;

	if (!isatty(STDOUT_FILENO))
		return -ENOTTY;
	t->open = true;
	if (tcgetattr(STDIN_FILENO, &t->saved) == 0) {
		raw = t->saved;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		t->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	/* the alternate screen keeps what the user had; no cursor while redrawing */
	fputs("\033[?1049h\033[?25l\033[2J", stdout);
	return 0;
}

void terminal_close(struct terminal *t)
{
	if (!t->open)
		return;
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (t->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
	t->open = false;
}

void terminal_begin(struct terminal *t)
{
	if (t->open)
		fputs("\033[H", stdout);
}

void terminal_end(struct terminal *t)
{
	if (t->open)
		fputs("\033[J", stdout);
	fflush(stdout);
}

const char *terminal_eol(const struct terminal *t)
{
	return t->open ? "\033[K\n" : "\n";
}

int terminal_wait_key(struct terminal *t, uint64_t timeout_ns)
{
	/* without a keyboard only the time counts: poll() ignores negative fds */
	struct pollfd pfd = { .fd = t->raw ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec ts = clock_to_timespec(timeout_ns);
	char key;

	if (ppoll(&pfd, 1, &ts, NULL) == 1 && read(STDIN_FILENO, &key, 1) == 1)
		return key;
	return 0;
}

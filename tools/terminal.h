/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.h - a terminal that is redrawn and listens to single keys
 *
 * Escape sequences every terminal of the last thirty years knows; no curses.
 * One per process; restores the terminal on close, and the caller must reach
 * close on every way out (catch SIGINT and SIGTERM).
 */
#ifndef TOOLS_TERMINAL_H
#define TOOLS_TERMINAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
	bool open;
	/** Keys come one at a time, unechoed. */
	bool raw;
	struct termios saved;
};

/** terminal_open() - take the terminal over. Return: 0; -ENOTTY stdout is none. */
int terminal_open(struct terminal *t);
/** Idempotent. */
void terminal_close(struct terminal *t);
/** Begin to draw a screen: cursor home. */
void terminal_begin(struct terminal *t);
/** A screen is drawn: clear what lies below. */
void terminal_end(struct terminal *t);
/** What ends a line: on a redrawn screen it also clears what was there before. */
const char *terminal_eol(const struct terminal *t);
/**
 * terminal_wait_key() - wait for a key or the time
 * Return: the key; 0 the time is over or a signal came.
 */
int terminal_wait_key(struct terminal *t, uint64_t timeout_ns);

#endif /* TOOLS_TERMINAL_H */

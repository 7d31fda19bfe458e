/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display.h - where pictures are shown one after another: a terminal, or plain text
 *
 * On a terminal each picture takes the place of the one before, with a line of
 * text below; anywhere else they follow each other as plain text.  How many
 * colours the terminal has is in its environment; whether it shows sixels, it
 * is asked.  One a process, as struct terminal; the caller must reach
 * display_close() on every way out.
 */
#ifndef TOOLS_DISPLAY_H
#define TOOLS_DISPLAY_H

#include <stdbool.h>

#include "tools/canvas.h"
#include "tools/terminal.h"
#include "tools/text_picture.h"

struct display {
	struct terminal terminal;
	enum text_picture_colours colours;
	bool sixel;
	/** Of the terminal, in characters. */
	uint32_t columns;
	uint32_t rows;
	/** Of a picture that fills it, in pixels. */
	uint32_t width;
	uint32_t height;
};

enum display_wish {
	/** What the terminal can do. */
	DISPLAY_BEST,
	DISPLAY_PLAIN,
	DISPLAY_SIXEL,
};

/** display_open() - take the terminal over, if there is one and plain text is not wished for */
void display_open(struct display *d, enum display_wish wish);
/** Idempotent. */
void display_close(struct display *d);
/** display_measure() - how large is it now? Return: has it changed since it was asked? */
bool display_measure(struct display *d);
/** display_show() - a picture of the size measured last, and a line without its end */
void display_show(struct display *d, const struct canvas *canvas, const char *line);
/** display_say() - the line only, on a terminal; nothing elsewhere */
void display_say(struct display *d, const char *line);

static inline bool display_is_terminal(const struct display *d)
{
	return d->terminal.open;
}

/** display_colours_of() - by the values of $TERM and $COLORTERM, NULL: not set */
enum text_picture_colours display_colours_of(const char *term, const char *colorterm);

/**
 * display_answer_has_sixel() - does a terminal say that it shows sixels?
 * @answer: what it sent back for DA1: ESC [ ? level ; ability ; ... c
 */
bool display_answer_has_sixel(const char *answer);

#endif /* TOOLS_DISPLAY_H */

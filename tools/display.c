/* SPDX-License-Identifier: Apache-2.0 */
/* display.c - see display.h */
#include "tools/display.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "tools/sixel.h"

/* Without a terminal, and for one that does not know its size. */
#define COLUMNS_USUAL 80u
#define ROWS_USUAL    24u
/* Of a character, where the terminal does not say. */
#define CELL_WIDTH_USUAL  8u
#define CELL_HEIGHT_USUAL 16u
/* Larger pictures take a terminal longer than a frame lasts. */
#define SIXEL_WIDTH_MAX  1200u
#define SIXEL_HEIGHT_MAX 900u
/* One that shows sixels answers at once, over a network in some tenths of a second. */
#define ANSWER_NS  (300 * NSEC_PER_MSEC)
#define ANSWER_MAX 64

enum text_picture_colours display_colours_of(const char *term, const char *colorterm)
{
	if (!term || !*term || strcmp(term, "dumb") == 0)
		return TEXT_PICTURE_PLAIN;
	if (colorterm && (strcmp(colorterm, "truecolor") == 0 || strcmp(colorterm, "24bit") == 0))
		return TEXT_PICTURE_24_BIT;
	return strstr(term, "direct") ? TEXT_PICTURE_24_BIT : TEXT_PICTURE_256;
}

bool display_answer_has_sixel(const char *answer)
{
	const char *p = strstr(answer, "\033[?");
	char *end;

	if (!p)
		return false;
	/* the first number is the terminal's level, not an ability */
	strtoul(p + 3, &end, 10);
	while (*end == ';')
		if (strtoul(end + 1, &end, 10) == 4 && (*end == ';' || *end == 'c'))
			return true;
	return false;
}

/* Its answer comes as if it was typed, and ends with the c that nothing before it has. */
static bool ask_for_sixel(struct display *d)
{
	uint64_t end_ns = clock_now_ns() + ANSWER_NS, now_ns;
	char answer[ANSWER_MAX] = "";
	size_t length = 0;
	int key;

	if (!d->terminal.raw)
		return false;
	fputs("\033[c", stdout);
	fflush(stdout);
	while (length < sizeof(answer) - 1 && (now_ns = clock_now_ns()) < end_ns) {
		key = terminal_wait_key(&d->terminal, end_ns - now_ns);
		if (!key)
			break;
		answer[length++] = (char)key;
		if (key == 'c')
			break;
	}
	return display_answer_has_sixel(answer);
}

void display_open(struct display *d, enum display_wish wish)
{
	memset(d, 0, sizeof(*d));
	if (wish == DISPLAY_BEST)
		d->colours = display_colours_of(getenv("TERM"), getenv("COLORTERM"));
	else if (wish == DISPLAY_SIXEL)
		d->colours = TEXT_PICTURE_24_BIT;
	if (d->colours != TEXT_PICTURE_PLAIN && terminal_open(&d->terminal) == 0)
		d->sixel = wish == DISPLAY_SIXEL || ask_for_sixel(d);
	else
		d->colours = TEXT_PICTURE_PLAIN;
	display_measure(d);
}

void display_close(struct display *d)
{
	terminal_close(&d->terminal);
}

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

/* Returns what a character takes of the whole, or what is usual. */
static uint32_t cell_pixels(uint32_t pixels, uint32_t characters, uint32_t usual)
{
	return pixels >= characters * 2 ? pixels / characters : usual;
}

static void measure_picture(struct display *d, const struct winsize *w)
{
	/* the last row is the line's */
	uint32_t rows = d->rows > 1 ? d->rows - 1 : 1;

	if (d->sixel) {
		d->width = d->columns * cell_pixels(w->ws_xpixel, d->columns, CELL_WIDTH_USUAL);
		d->height = rows * cell_pixels(w->ws_ypixel, d->rows, CELL_HEIGHT_USUAL);
		d->width = at_most(d->width, SIXEL_WIDTH_MAX);
		/* whole bands of six, or the last would reach into the line */
		d->height = at_most(d->height, SIXEL_HEIGHT_MAX) / 6 * 6;
	} else {
		d->width = at_most(d->columns, CANVAS_SIDE_MAX);
		d->height = at_most(rows * 2, CANVAS_SIDE_MAX);
	}
	if (d->width < 2)
		d->width = 2;
	if (d->height < 2)
		d->height = 2;
}

bool display_measure(struct display *d)
{
	uint32_t width = d->width, height = d->height;
	struct winsize w = {};

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) < 0)
		w = (struct winsize){};
	d->columns = w.ws_col ? w.ws_col : COLUMNS_USUAL;
	d->rows = w.ws_row ? w.ws_row : ROWS_USUAL;
	measure_picture(d, &w);
	if (d->width == width && d->height == height)
		return false;
	if (d->terminal.open)
		fputs("\033[2J", stdout);
	return true;
}

void display_say(struct display *d, const char *line)
{
	if (!d->terminal.open)
		return;
	/* one column stays free: a full line would scroll in some terminals */
	printf("\033[%u;1H\033[K%.*s", d->rows, (int)d->columns - 1, line);
	fflush(stdout);
}

void display_show(struct display *d, const struct canvas *canvas, const char *line)
{
	if (!d->terminal.open) {
		printf("%s\n", line);
		text_picture_write(canvas, TEXT_PICTURE_PLAIN, stdout);
		fputc('\n', stdout);
		fflush(stdout);
		return;
	}
	terminal_begin(&d->terminal);
	if (d->sixel)
		sixel_write(canvas, stdout);
	else
		text_picture_write(canvas, d->colours, stdout);
	display_say(d, line);
}

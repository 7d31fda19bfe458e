/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beam_table.c - see beam_table.h
 *
 * Numbers are read here and not by strtod(): the file means the same in every
 * locale, and there are no hexadecimal or infinite angles.
 */
#include "decoder/beam_table.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "decoder/metadata_file.h"

/** Titles, and a line that says of which kind the file is. */
#define TITLE_LINES_MAX 4
/** So many decimal digits a double holds exactly; those of a fraction beyond them are passed over. */
#define DIGITS_MAX 15

#define ELEVATION_MAX_DEG 90
#define AZIMUTH_MAX_DEG 180

struct reader {
	const char *file;
	const char *at;
	const char *end;
	unsigned int line;
	/** Fields of a row, 2 or 3; 0 before the first. */
	unsigned int fields;
	unsigned int titles;
	bool seen[BEAM_TABLE_BEAMS_MAX];
	struct problem *problem;
};

struct row {
	const char *at;
	const char *end;
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct row *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

/* Digits, a point, digits. Return: false if there are none, or more than a double holds. */
static bool read_number(struct row *r, double *ret_value)
{
	double value = 0, scale = 1;
	unsigned int digits = 0, whole = 0;
	bool negative, fraction = false, any = false;

	skip_blanks(r);
	negative = r->at < r->end && *r->at == '-';
	if (r->at < r->end && (*r->at == '-' || *r->at == '+'))
		r->at++;
	for (; r->at < r->end && (is_digit(*r->at) || (*r->at == '.' && !fraction)); r->at++) {
		if (*r->at == '.') {
			fraction = true;
			continue;
		}
		any = true;
		whole += !fraction;
		if (digits == DIGITS_MAX)
			continue;
		value = value * 10 + (*r->at - '0');
		digits += value > 0;
		scale *= fraction ? 10 : 1;
		/* 0.000...: zeros alone must not lead beyond what a double holds */
		if (scale > 1e18)
			return false;
	}
	skip_blanks(r);
	*ret_value = negative ? -value / scale : value / scale;
	return any && whole <= DIGITS_MAX;
}

static unsigned int count_fields(struct row r)
{
	unsigned int fields = 1;

	for (; r.at < r.end; r.at++)
		fields += *r.at == ',';
	return fields;
}

static int refuse(const struct reader *r, const char *what)
{
	return problem_set(r->problem, -EINVAL, "%.200s:%u: %s", r->file, r->line, what);
}

/* Return: 1, or -EINVAL. */
static int read_field(const struct reader *r, struct row *row, const char *what, double max,
		      double *ret_value)
{
	if (!read_number(row, ret_value))
		return problem_set(r->problem, -EINVAL, "%.200s:%u: %s is no number in degrees",
				   r->file, r->line, what);
	if (row->at < row->end && *row->at++ != ',')
		return problem_set(r->problem, -EINVAL,
				   "%.200s:%u: %s is followed by something that is no comma",
				   r->file, r->line, what);
	if (*ret_value < -max || *ret_value > max)
		return problem_set(r->problem, -EINVAL,
				   "%.200s:%u: %s is %g degrees; -%g to %g is possible", r->file,
				   r->line, what, *ret_value, max, max);
	return 0;
}

/* Return: 0 with the beam's index, or -EINVAL. */
static int read_beam(struct reader *r, struct row *row, const struct beam_table *t,
		     unsigned int *ret_beam)
{
	double number = t->beams + 1;

	if (r->fields == 3 && (!read_number(row, &number) || row->at == row->end || *row->at++ != ','))
		return refuse(r, "a row begins with the number of its channel");
	if (number < 1 || number > BEAM_TABLE_BEAMS_MAX || number != (unsigned int)number)
		return problem_set(r->problem, -EINVAL,
				   "%.200s:%u: there can be channels 1 to %u, not %g", r->file, r->line,
				   BEAM_TABLE_BEAMS_MAX, number);
	*ret_beam = (unsigned int)number - 1;
	if (r->seen[*ret_beam])
		return problem_set(r->problem, -EINVAL, "%.200s:%u: channel %u is there twice", r->file,
				   r->line, *ret_beam + 1);
	return 0;
}

static int read_row(struct reader *r, struct row row, struct beam_table *t)
{
	unsigned int fields = count_fields(row), beam = 0;
	int err;

	if (!r->fields)
		r->fields = fields;
	if (fields != r->fields || fields < 2 || fields > 3)
		return refuse(r, "a row is channel,elevation,azimuth, or elevation,azimuth in every row");
	err = read_beam(r, &row, t, &beam);
	if (err == 0)
		err = read_field(r, &row, "elevation", ELEVATION_MAX_DEG, &t->elevation_deg[beam]);
	if (err == 0)
		err = read_field(r, &row, "azimuth", AZIMUTH_MAX_DEG, &t->azimuth_deg[beam]);
	if (err < 0)
		return err;
	r->seen[beam] = true;
	t->beams++;
	return 0;
}

static int read_line(struct reader *r, struct row row, struct beam_table *t)
{
	skip_blanks(&row);
	if (row.at == row.end)
		return 0;
	if (!is_letter(*row.at))
		return read_row(r, row, t);
	if (t->beams || r->titles++ == TITLE_LINES_MAX)
		return refuse(r, "words; a row is channel,elevation,azimuth");
	return 0;
}

/* Each beam is there once: so many rows, and none beyond that number. */
static int check_whole(const struct reader *r, const struct beam_table *t)
{
	unsigned int i;

	if (!t->beams)
		return problem_set(r->problem, -EINVAL,
				   "%.200s: no row; one is channel,elevation,azimuth", r->file);
	for (i = 0; i < t->beams; i++)
		if (!r->seen[i])
			return problem_set(r->problem, -EINVAL,
					   "%.200s: %u rows, but none of channel %u", r->file, t->beams,
					   i + 1);
	return 0;
}

int beam_table_parse(const char *file, const char *text, size_t bytes, struct beam_table *ret_table,
		     struct problem *problem)
{
	static const char mark[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */
	struct reader r = { .file = file, .at = text, .end = text + bytes, .problem = problem };
	struct beam_table t = { 0 };
	int err;

	if (bytes >= sizeof(mark) - 1 && memcmp(text, mark, sizeof(mark) - 1) == 0)
		r.at += sizeof(mark) - 1;
	while (r.at < r.end) {
		const char *line_end = memchr(r.at, '\n', (size_t)(r.end - r.at));
		struct row row = { r.at, line_end ? line_end : r.end };

		r.line++;
		err = read_line(&r, row, &t);
		if (err < 0)
			return err;
		r.at = line_end ? line_end + 1 : r.end;
	}
	err = check_whole(&r, &t);
	if (err < 0)
		return err;
	*ret_table = t;
	return 0;
}

int beam_table_open(const struct decoder_sensor *sensor, struct beam_table *ret_table,
		    struct problem *problem)
{
	CLEANUP(cleanup_free) char *text = NULL;
	size_t bytes;
	int err;

	if (sensor->calibration)
		return beam_table_parse(sensor->name, sensor->calibration, sensor->calibration_bytes,
					ret_table, problem);
	if (!sensor->calibration_path || !sensor->calibration_path[0])
		return problem_set(problem, -EINVAL,
				   "needs calibration = FILE, the angles of the sensor's beams as CSV");
	err = metadata_file_read(sensor->calibration_path, BEAM_TABLE_BYTES_MAX, &text, &bytes, problem);
	if (err < 0)
		return err;
	return beam_table_parse(sensor->calibration_path, text, bytes, ret_table, problem);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* nmea.c - see nmea.h */
#include "decoder/nmea.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/clock.h"
#include "decoder/time_scale.h"

#define FIELDS_MAX 24
#define KNOT_TO_M_S (1852.0 / 3600)
/** Digits of a number: what is beyond would overflow. */
#define DIGITS_MAX 15
/** Two digits of a year: from here on they are of the last century. */
#define YEAR_TURN 80
#define DAY_S 86400

/* What is between two commas. */
struct field {
	const char *text;
	size_t bytes;
};

struct fields {
	struct field at[FIELDS_MAX];
	size_t count;
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool nmea_check(const char *text, size_t size, struct nmea_sentence *ret_sentence)
{
	uint8_t sum = 0;
	size_t i;

	if (size < 4 || text[0] != '$')
		return false;
	for (i = 1; i < size - 2 && text[i] >= ' ' && text[i] != '*'; i++)
		sum ^= (uint8_t)text[i];
	if (i == size - 2 || text[i] != '*')
		return false;
	if (hex_digit(text[i + 1]) != sum >> 4 || hex_digit(text[i + 2]) != (sum & 15))
		return false;
	*ret_sentence = (struct nmea_sentence){ text + 1, i - 1 };
	return true;
}

static void split(const struct nmea_sentence *s, struct fields *ret)
{
	const char *at = s->text, *end = s->text + s->bytes, *comma;

	ret->count = 0;
	do {
		comma = memchr(at, ',', (size_t)(end - at));
		ret->at[ret->count++] =
			(struct field){ at, (size_t)((comma ? comma : end) - at) };
		at = comma ? comma + 1 : end;
	} while (comma && ret->count < FIELDS_MAX);
}

static struct field get(const struct fields *f, size_t i)
{
	return i < f->count ? f->at[i] : (struct field){ "", 0 };
}

/* Digits, perhaps with a point among them and a sign before. Return: false: it is something else. */
static bool read_number(struct field f, double *ret)
{
	double value = 0, scale = 1;
	size_t i = f.bytes && f.text[0] == '-', digits = 0;
	const bool negative = i;
	bool point = false;

	for (; i < f.bytes; i++) {
		if (f.text[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (f.text[i] < '0' || f.text[i] > '9' || ++digits > DIGITS_MAX)
			return false;
		value = value * 10 + (f.text[i] - '0');
		scale *= point ? 10 : 1;
	}
	*ret = (negative ? -value : value) / scale;
	return digits > 0;
}

/* Two digits at @at. Return: -1: they are none. */
static int two_digits(struct field f, size_t at)
{
	if (at + 2 > f.bytes || f.text[at] < '0' || f.text[at] > '9' || f.text[at + 1] < '0' ||
	    f.text[at + 1] > '9')
		return -1;
	return (f.text[at] - '0') * 10 + f.text[at + 1] - '0';
}

/* dddmm.mmmm and a letter. @negative: the letter of the south or west. */
static bool read_angle(struct field number, struct field letter, char positive, char negative,
		       double limit, double *ret)
{
	double value, degrees;

	if (letter.bytes != 1 || (letter.text[0] != positive && letter.text[0] != negative) ||
	    !read_number(number, &value) || value < 0)
		return false;
	degrees = floor(value / 100);
	value -= degrees * 100;
	degrees += value / 60;
	if (value >= 60 || degrees > limit)
		return false;
	*ret = letter.text[0] == negative ? -degrees : degrees;
	return true;
}

/* The fields from @i on: latitude, N or S, longitude, E or W. */
static void read_place(const struct fields *f, size_t i, struct lidard_position *p)
{
	double latitude, longitude;

	if (!read_angle(get(f, i), get(f, i + 1), 'N', 'S', 90, &latitude) ||
	    !read_angle(get(f, i + 2), get(f, i + 3), 'E', 'W', 180, &longitude))
		return;
	p->latitude = latitude;
	p->longitude = longitude;
	p->flags |= LIDARD_POSITION_VALID;
}

/* hhmmss.ss and ddmmyy. */
static void read_time(struct field time, struct field date, struct lidard_position *p)
{
	const int hour = two_digits(time, 0), minute = two_digits(time, 2);
	const int day = two_digits(date, 0), month = two_digits(date, 2), year = two_digits(date, 4);
	unsigned int real_month, real_day;
	int64_t days, real_year;
	double second;

	if (time.bytes < 6 || date.bytes != 6 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    day < 1 || month < 1 || month > 12 || year < 0)
		return;
	if (!read_number((struct field){ time.text + 4, time.bytes - 4 }, &second) || second < 0 ||
	    second >= 61)
		return;
	days = time_days_of_date(year + (year < YEAR_TURN ? 2000 : 1900), (unsigned int)month,
				 (unsigned int)day);
	/* no 30th of February */
	time_date_of_days(days, &real_year, &real_month, &real_day);
	if (real_month != (unsigned int)month || real_day != (unsigned int)day)
		return;
	p->utc_ns = (days * DAY_S + hour * 3600 + minute * 60) * (int64_t)NSEC_PER_SEC +
		    (int64_t)(second * 1e9 + 0.5);
	p->flags |= LIDARD_POSITION_UTC_VALID;
}

static void read_rmc(const struct fields *f, struct lidard_position *p)
{
	double value;

	if (get(f, 2).bytes != 1 || get(f, 2).text[0] != 'A')
		return;
	read_place(f, 3, p);
	read_time(get(f, 1), get(f, 9), p);
	if (read_number(get(f, 7), &value) && value >= 0) {
		p->speed = (float)(value * KNOT_TO_M_S);
		p->flags |= LIDARD_POSITION_SPEED_VALID;
	}
	if (read_number(get(f, 8), &value) && value >= 0 && value <= 360) {
		p->course = (float)value;
		p->flags |= LIDARD_POSITION_COURSE_VALID;
	}
}

static void read_gga(const struct fields *f, struct lidard_position *p)
{
	double value;

	/* 0: no fix */
	if (!read_number(get(f, 6), &value) || value < 1)
		return;
	read_place(f, 2, p);
	if (read_number(get(f, 7), &value) && value >= 0 && value <= UINT8_MAX)
		p->satellites = (uint8_t)value;
	if (read_number(get(f, 9), &value) && get(f, 10).bytes == 1 && get(f, 10).text[0] == 'M') {
		p->altitude = value;
		p->flags |= LIDARD_POSITION_ALTITUDE_VALID;
	}
}

static bool is_type(const struct fields *f, const char *type)
{
	return f->at[0].bytes == 5 && memcmp(f->at[0].text + 2, type, 3) == 0;
}

bool nmea_is_valid_rmc(const struct nmea_sentence *s)
{
	struct fields f;

	split(s, &f);
	return is_type(&f, "RMC") && f.count > 3 && f.at[2].bytes == 1 && f.at[2].text[0] == 'A';
}

void nmea_read(const struct nmea_sentence *s, struct lidard_position *p)
{
	struct fields f;

	p->flags |= LIDARD_POSITION_HAS_SENTENCE;
	split(s, &f);
	if (is_type(&f, "RMC"))
		read_rmc(&f, p);
	else if (is_type(&f, "GGA"))
		read_gga(&f, p);
}

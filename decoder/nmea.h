/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nmea.h - sentences of a satellite receiver, as sensors pass them on (NMEA 0183)
 *
 * "$", text, "*", the text's bytes XORed, as two hexadecimal digits.  Of RMC and GGA, from
 * whichever satellites (GPRMC, GNRMC), what a struct lidard_position can hold is read; of others
 * nothing.  Text is hostile: it need not end, and a field is taken only as a whole.
 */
#ifndef DECODER_NMEA_H
#define DECODER_NMEA_H

#include <stdbool.h>
#include <stddef.h>

#include "lidard/frame.h"

/** A sentence whose checksum is right; borrowed from where it was found. */
struct nmea_sentence {
	/** Between "$" and "*". */
	const char *text;
	size_t bytes;
};

/**
 * nmea_check() - is there a sentence at @text?
 * @size: bytes that may be read
 *
 * Return: false if there is none, or its checksum is wrong. Hot path.
 */
bool nmea_check(const char *text, size_t size, struct nmea_sentence *ret_sentence);

/** $xxRMC,hhmmss.ss,A,...: are the receiver's time and date valid? Hot path. */
bool nmea_is_valid_rmc(const struct nmea_sentence *sentence);

/** nmea_read() - what the sentence says of position, speed and time; sets flags, too */
void nmea_read(const struct nmea_sentence *sentence, struct lidard_position *position);

#endif /* DECODER_NMEA_H */

/* SPDX-License-Identifier: Apache-2.0 */
/* source_facts.h - what a source knows of its sensor beside model and serial */
#ifndef DAEMON_SOURCE_FACTS_H
#define DAEMON_SOURCE_FACTS_H

#include <stdint.h>

struct decoder;

/** What is told of a sensor; "" and 0 where it is not known. */
struct source_facts {
	/** As in decoder = NAME. */
	const char *decoder;
	const char *vendor;
	char firmware[64];
	uint32_t beams;
	/** Columns of a revolution, and revolutions per second; 0 too where the sensor may turn
	 *  at any speed. */
	uint32_t columns;
	double rate_hz;
};

/** source_facts_learn() - what a decoder knows, at start and whenever it knows more */
void source_facts_learn(struct source_facts *facts, const struct decoder *decoder);

#endif /* DAEMON_SOURCE_FACTS_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_driver.h - runs a source as the sensor would, and watches it
 *
 * Lends heap loans, waits for the fd, calls next(), and after every call holds
 * the source to its books: produced = handed out + dropped, seq and
 * lost_before without a gap, and no write into memory that is not lent.
 * Any violation fails the test.
 */
#ifndef TESTS_SUPPORT_SOURCE_DRIVER_H
#define TESTS_SUPPORT_SOURCE_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/config.h"
#include "daemon/source.h"
#include "tests/support/heap_loans.h"

/* All sources of a test share one set of ports, as lidard's do. */
struct source_driver {
	struct source *source;
	struct heap_loans loans;
	struct problem problem;
	/** Do not lend: as if the pool were empty. */
	bool stingy;
	/** Slices handed out, ever and since start. */
	uint64_t taken;
	uint64_t next_seq;
	uint64_t longest_next_ns;
	unsigned int lent;
};

/** Every key at its default, and the source's name. */
void source_driver_defaults(struct sensor_config *config);

/** source_driver_new() - make the source. Return: as source_new(). */
int source_driver_new(struct source_driver *d, const struct sensor_config *config);

/** source_driver_start() - make the source if there is none, start it, lend all it wants */
void source_driver_start(struct source_driver *d, const struct sensor_config *config);

/**
 * source_driver_next() - the next filled loan
 *
 * Return: SOURCE_FILLED: give it back with source_driver_give_back();
 * SOURCE_NONE: nothing within @timeout_ms; SOURCE_END; negative errno of next().
 */
int source_driver_next(struct source_driver *d, int timeout_ms, struct loan **ret_loan);

/** source_driver_give_back() - as if readers had released it; lends again what is wanted */
void source_driver_give_back(struct source_driver *d, struct loan *loan);

void source_driver_lend(struct source_driver *d);

/** source_driver_stop() - stop, take the loans back, look for writes; may be repeated */
void source_driver_stop(struct source_driver *d);

/** source_driver_finish() - stop, free */
void source_driver_finish(struct source_driver *d);

/** Sum of all causes. */
uint64_t source_driver_dropped(const struct source_driver *d);

#endif /* TESTS_SUPPORT_SOURCE_DRIVER_H */

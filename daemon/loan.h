/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loan.h - a slice's worth of shared memory on its way round
 *
 * The sink lends it, the source has it filled, the sink publishes it; the
 * transport takes it back when the last reader has released it.  At any moment
 * a loan has one owner: the sink (free), the source (lent) or the sensor
 * (filled, until published or cancelled).  The struct belongs to the sink and
 * lives as long as it; header and data point into shared memory and are valid
 * from sink_loan() until sink_publish() or sink_cancel().
 */
#ifndef DAEMON_LOAN_H
#define DAEMON_LOAN_H

#include <stddef.h>
#include <stdint.h>

#include "lidard/frame.h"

struct loan {
	/** Zeroed by sink_loan(); the source describes the slice in it. */
	struct lidard_slice_header *header;
	/** Payload, LIDARD_PAYLOAD_ALIGN aligned. */
	void *data;
	/** Bytes the source may write at data. */
	size_t capacity_bytes;
	/** For whoever owns the loan at the moment: a list. */
	struct loan *next;
};

#endif /* DAEMON_LOAN_H */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trace_pins.h - the pinned maps of an earlier lidard-trace: to be used, or out of the way
 *
 * Maps are pinned, programs and links never: watching ends with the process that
 * watches, however it ends, and what it has seen stays.  Whether maps can be used is
 * asked before loading and not guessed from its failure: a kernel that refuses
 * the programs must not cost anybody his histograms.
 *
 * To be called on an object that is open and not loaded yet.
 */
#ifndef TRACE_TRACE_PINS_H
#define TRACE_TRACE_PINS_H

#include <stdbool.h>

struct bpf_object;

/** Can @object use what is pinned where its maps will be? True if nothing is. */
bool trace_pins_fit(const struct bpf_object *object);
/** Whatever is pinned there; nothing is fine. */
void trace_pins_remove(const struct bpf_object *object);

#endif /* TRACE_TRACE_PINS_H */

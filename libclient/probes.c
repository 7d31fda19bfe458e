/* SPDX-License-Identifier: Apache-2.0 */
/* probes.c - the semaphores of liblidard's probes (lidard/probes.h) */
#include "lidard/probes.h"

LIDARD_PROBES_DEFINE(LIDARD_PROBES_OF_LIBRARY)

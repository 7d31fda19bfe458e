/* SPDX-License-Identifier: Apache-2.0 */
/* stop.h - Ctrl-C and SIGTERM as a flag, so that every way out is orderly */
#ifndef TOOLS_STOP_H
#define TOOLS_STOP_H

#include <stdbool.h>

/** Catch SIGINT, SIGTERM and SIGHUP, interrupting waits; ignore SIGPIPE. */
void stop_install(void);
/** Has one arrived? */
bool stop_requested(void);

#endif /* TOOLS_STOP_H */

// SPDX-License-Identifier: GPL-2.0
/* trace.c - where the tracepoints of lidar_trace.h are made */
#include "core.h"

#define CREATE_TRACE_POINTS
#include "lidar_trace.h"

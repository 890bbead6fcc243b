/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_SUMMARY_H
#define CI_TRACE_SUMMARY_H

/* What a trace says at a glance: a line for each stretch, a line for each function. */

#include <stdio.h>

#include "ci/trace/tracer.h"

/* Prints at most `functions_max` functions, those with the highest cost of their own first. */
void summary_print(FILE *out, const struct tracer *tracer, size_t functions_max);

/* Prints what one call of the watched function costs: how many, least, median, most. */
void summary_print_calls(FILE *out, struct profile *profile);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_TRACE_SETTINGS_H
#define CI_TRACE_SETTINGS_H

/* What `make trace` was asked for. */

#include <stdint.h>

#include "ci/runner/machine.h"

struct settings {
    char *suite;    /* SUITE=: comma-separated globs */
    char *cases;    /* CASE=: the same; NULL: all */
    char *function; /* FUNCTION=: whose calls are counted one by one, or NULL */
    char *out;      /* OUT=: the folder for what comes out; default BUILD/trace */
    uint64_t limit, case_limit;
    uint64_t functions; /* TOP=: lines of the summary */
    struct machine machine;
};

/*
 * Reads KEY=VALUE words, those of a machine among them. Returns 0, or a negative errno after it has
 * said on standard error what is wrong.
 */
int settings_read(struct settings *settings, const char *build, char **args);

/*
 * The boot options: those asked for, and for all that they leave open what makes a trace short and
 * the same each time; for free(). NULL with *message when they are too long for the payload.
 */
char *settings_boot_options(const struct settings *settings, char **message);

/* The command that does this again; for free(). */
char *settings_repeat_command(const struct settings *settings);

/* "20M", "500k", "123456": a number of instructions. Returns false when it is none. */
bool count_parse(const char *s, uint64_t *count);

void settings_free(struct settings *settings);

#endif

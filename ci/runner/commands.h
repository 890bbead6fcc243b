/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_RUNNER_COMMANDS_H
#define CI_RUNNER_COMMANDS_H

/* The runner's subcommands. Each returns the exit status. */

#include <stddef.h>

struct options {
    const char *build; /* the build folder */
    const char *tally; /* see tally.h, or NULL */
    unsigned at_once;  /* jobs */
    const char *seed;  /* of a table's machines whose options name none, or "random" */
};

/* run KEY=VALUE...: one run, shown live. The status is an enum result. */
int command_run(const struct options *options, char **args);

/*
 * matrix FILE [GLOB...]: every stanza of the table whose name matches one of the globs. A stanza
 * has the keys of a machine (machine.h), those of an expectation (expect.h), and heavy = yes when
 * it needs so much of the host that it should run alone.
 */
int command_matrix(const struct options *options, char **args);

/*
 * mutations TABLE [GLOB...]: reads from the linked payload which mutations there are and which
 * suite guards each, sees all the suites pass, then runs each mutation with its suite, and prints
 * "NAME SUITE caught" when that suite fails, "NAME SUITE MISSED" when not.
 * The suite "oracle" stands for the emulator as the judge of the page tables.
 */
int command_mutations(const struct options *options, char **args);

/*
 * covered DEVICES TABLE: reads from the logs of a matrix that has run how many transfers each
 * device of the file DEVICES made directly and how many were bounced; neither may be 0.
 */
int command_covered(const struct options *options, char **args);

/* units BINARY...: runs cmocka test programs and counts their cases. */
int command_units(const struct options *options, char **args);

/* check STAGE NAME COMMAND...: runs a command; its status 0 is a pass; else its output is shown. */
int command_check(const struct options *options, char **args);

/* tally STAGE...: closes the books on `make test`; see tally.h. */
int command_tally(const struct options *options, char **args);

#endif

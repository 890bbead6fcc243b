// SPDX-License-Identifier: BSD-2-Clause
/* Host programs whose outcome `make test` counts: cmocka binaries, and commands with a status. */
#include "ci/runner/commands.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ci/runner/judge.h"
#include "ci/runner/process.h"
#include "ci/runner/tally.h"

#define UNITS_STAGE "units"

static void show_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;

    if (!file)
        return;
    while (getline(&line, &room, file) >= 0)
        printf("    %s", line);
    free(line);
    fclose(file);
}

/* Runs argv to its end with its output in a fresh file. Returns its status. */
static int run_to_file(const struct words *argv, const char *output)
{
    struct process process;

    unlink(output);
    if (process_start(&process, argv, output, 0))
        return -1;
    process_wait(&process);
    return process.status;
}

static char *output_path(const struct options *options, const char *name)
{
    char *folder = text("%s/test", options->build);
    char *path = text("%s/%s.log", folder, name);

    mkdir(options->build, 0777);
    mkdir(folder, 0777);
    free(folder);
    return path;
}

struct tap_counts {
    unsigned passed, failed, planned;
};

/* Counts what a cmocka program printed as TAP, each case under its own name. */
static struct tap_counts count_tap(const struct options *options, const char *path,
                                   const char *program)
{
    struct tap_counts counts = {0};
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    unsigned planned;

    while (file && getline(&line, &room, file) >= 0) {
        bool ok = !strncmp(line, "ok ", strlen("ok "));
        bool not_ok = !strncmp(line, "not ok ", strlen("not ok "));

        if (sscanf(line, "1..%u", &planned) == 1)
            counts.planned += planned;
        if (!ok && !not_ok)
            continue;
        line[strcspn(line, "\n")] = '\0';
        const char *title = strstr(line, " - ");
        char *name = text("%s%s", program, title ? title : line);
        counts.passed += ok;
        counts.failed += not_ok;
        tally_add(options->tally, UNITS_STAGE, name, ok);
        free(name);
    }
    free(line);
    if (file)
        fclose(file);
    return counts;
}

static bool run_unit(const struct options *options, const char *binary)
{
    const char *slash = strrchr(binary, '/');
    const char *program = slash ? slash + 1 : binary;
    char *path = output_path(options, program);
    struct words argv = {0};

    words_add(&argv, "%s", binary);
    int status = run_to_file(&argv, path);
    words_free(&argv);
    struct tap_counts counts = count_tap(options, path, program);
    /* A sanitizer's finding, a crash, a program that tests nothing: none of it is a "not ok". */
    bool whole = counts.passed + counts.failed == counts.planned && counts.planned &&
                 (!status || counts.failed);
    bool passed = whole && !counts.failed;
    printf("%-6s %-24s %u passed, %u failed\n", passed ? "ok" : "FAILED", program, counts.passed,
           counts.failed);
    if (!whole) {
        printf("    it ended with status %d after %u of %u cases\n", status,
               counts.passed + counts.failed, counts.planned);
        tally_add(options->tally, UNITS_STAGE, program, false);
    }
    if (!passed)
        show_file(path);
    fflush(stdout);
    free(path);
    return passed;
}

int command_units(const struct options *options, char **args)
{
    bool passed = true;

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);
    tally_begin(options->tally, UNITS_STAGE);
    for (; *args && !process_interrupted(); args++)
        passed = run_unit(options, *args) && passed;
    if (process_interrupted())
        return RESULT_CANT;
    tally_end(options->tally, UNITS_STAGE);
    return passed ? RESULT_PASS : RESULT_FAIL;
}

int command_check(const struct options *options, char **args)
{
    struct words argv = {0};

    if (!args[0] || !args[1] || !args[2]) {
        fprintf(stderr, "check: STAGE NAME COMMAND...\n");
        return RESULT_CANT;
    }
    const char *stage = args[0], *name = args[1];
    char *path = output_path(options, name);
    tally_begin(options->tally, stage);
    for (char **word = args + 2; *word; word++)
        words_add(&argv, "%s", *word);
    int status = run_to_file(&argv, path);
    words_free(&argv);
    printf("%-6s %s\n", status ? "FAILED" : "ok", name);
    if (status)
        show_file(path);
    fflush(stdout);
    free(path);
    tally_add(options->tally, stage, name, !status);
    tally_end(options->tally, stage);
    return status ? RESULT_FAIL : RESULT_PASS;
}

int command_tally(const struct options *options, char **args)
{
    if (!options->tally) {
        fprintf(stderr, "tally: -t FILE is missing\n");
        return RESULT_CANT;
    }
    return tally_close(options->tally, args) ? RESULT_PASS : RESULT_FAIL;
}

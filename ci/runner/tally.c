// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append(const char *path, const char *what, const char *stage, const char *name)
{
    if (!path)
        return;
    FILE *file = fopen(path, "a");
    if (!file || fprintf(file, "%s %s%s%s\n", what, stage, *name ? " " : "", name) < 0 ||
        fclose(file)) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
}

void tally_begin(const char *path, const char *stage)
{
    append(path, "begin", stage, "");
}

void tally_add(const char *path, const char *stage, const char *name, bool passed)
{
    append(path, passed ? "passed" : "failed", stage, name);
}

void tally_end(const char *path, const char *stage)
{
    append(path, "end", stage, "");
}

struct sums {
    unsigned passed, failed;
};

/* One pass over the file for one stage. */
static void add_stage(FILE *file, const char *wanted, struct sums *total)
{
    struct sums sums = {0};
    char line[512], what[16], stage[64];
    bool begun = false, ended = false;

    rewind(file);
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%15s %63s", what, stage) != 2 || strcmp(stage, wanted))
            continue;
        begun = begun || !strcmp(what, "begin");
        ended = ended || !strcmp(what, "end");
        if (!strcmp(what, "passed"))
            sums.passed++;
        if (!strcmp(what, "failed")) {
            sums.failed++;
            printf("%s\n", line);
        }
    }
    if (!begun || !ended || !(sums.passed + sums.failed)) {
        printf("failed %s: %s\n", wanted,
               !begun   ? "it did not run"
               : !ended ? "it did not come to its end"
                        : "it tried nothing");
        sums.failed++;
    }
    printf("%-12s %u passed, %u failed\n", wanted, sums.passed, sums.failed);
    total->passed += sums.passed;
    total->failed += sums.failed;
}

bool tally_close(const char *path, char *const *stages)
{
    struct sums total = {0};
    FILE *file = fopen(path, "a+");

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        total.failed = 1;
    } else {
        for (; *stages; stages++)
            add_stage(file, *stages, &total);
        fclose(file);
    }
    printf("%u passed, %u failed\n", total.passed, total.failed);
    return total.passed && !total.failed;
}

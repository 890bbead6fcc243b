/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model-based test by hand:
 *
 *     MODEL [seed=N] [ops=N] [broken=MUTATION]     searches
 *     MODEL replay=FILE [broken=MUTATION]          runs the lines that a search has printed
 *
 * Status 0: all was right; 1: something broke, and was printed; 2: it could not be run.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ci/model/search.h"

#define LINE_BYTES 256
#define REPLAY_MAX 4096u

static int replay(const char *path, const char *broken)
{
    static struct op ops[REPLAY_MAX];
    struct model_result result;
    FILE *file = fopen(path, "r");
    char line[LINE_BYTES];
    size_t count = 0;

    if (!file) {
        perror(path);
        return 2;
    }
    while (count < REPLAY_MAX && fgets(line, sizeof(line), file))
        count += model_parse_op(line, &ops[count]);
    fclose(file);
    bool right = model_run(ops, count, broken, &result);
    printf("%zu operations of %zu: %s\n", result.done, count, right ? "all right" : result.text);
    return right ? 0 : 1;
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static struct search search = {.seed = 1, .wanted = 1000000};
    const char *path = NULL;
    double start = now();

    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "seed=", 5)) {
            search.seed = strtoull(argv[i] + 5, NULL, 0);
        } else if (!strncmp(argv[i], "ops=", 4)) {
            search.wanted = strtoull(argv[i] + 4, NULL, 0);
        } else if (!strncmp(argv[i], "broken=", 7)) {
            search.broken = argv[i] + 7;
        } else if (!strncmp(argv[i], "replay=", 7)) {
            path = argv[i] + 7;
        } else {
            fprintf(stderr, "%s: what is %s?\n", argv[0], argv[i]);
            return 2;
        }
    }
    if (path)
        return replay(path, search.broken);
    bool right = search_run(&search);
    double seconds = now() - start;

    if (!right)
        search_print(&search);
    printf("%" PRIu64 " operations, %.0f a second: %s\n", search.done,
           (double)search.done / seconds, right ? "all right" : "broken");
    for (unsigned i = 0; i < MODEL_NR_COUNTS; i++)
        printf("%s%" PRIu64 " %s", i ? ", " : "", search.total[i], model_count_names[i]);
    printf("\n");
    return right ? 0 : 1;
}

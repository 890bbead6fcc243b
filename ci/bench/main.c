// SPDX-License-Identifier: BSD-2-Clause
/*
 * usage: bench [-b BUILD] [-r README] BASELINE
 *
 * Makes BUILD/bench.json of what the run `bench` left in BUILD/run/bench/serial.log and of the
 * images' sizes, prints it as a table with the ratios of the run `bench_ratio`, if there was one,
 * and compares it with BASELINE: status 1, and a line for each row that changed by more than 1 %.
 * With -r, the table in README is checked as well. Status 2: there was nothing to compare.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ci/bench/figures.h"
#include "ci/bench/table.h"

#define TOLERANCE 0.01
#define CHANGED 1
#define CANT 2

static const struct {
    const char *row, *file;
} images[] = {
    {"image_bytes_x64", "paeload-x64.efi"},
    {"image_bytes_ia32", "paeload-ia32.efi"},
    {"image_bytes_elf", "paeload.elf"},
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

/* All figures of this build, or NULL with *message. */
static json_t *collect(const char *build, char **message)
{
    json_t *figures = json_object();
    char *path = text("%s/run/bench/serial.log", build);
    int error = figures_read_report(figures, path, message);

    free(path);
    for (size_t i = 0; i < IMAGES && !error; i++) {
        path = text("%s/%s", build, images[i].file);
        error = figures_add_size(figures, images[i].row, path, message);
        free(path);
    }
    path = text("%s/bench.json", build);
    if (!error)
        error = figures_save(figures, path, message);
    free(path);
    if (error) {
        json_decref(figures);
        return NULL;
    }
    return figures;
}

static void show(const char *build, const json_t *figures)
{
    char *ratios = text("%s/run/bench_ratio/serial.log", build);

    table_print(stdout, figures);
    if (access(ratios, R_OK) == 0) {
        puts("\nBy the wall clock, how many times as long:");
        table_print_ratios(stdout, ratios);
    }
    free(ratios);
}

static int say(const struct words *changes, const char *baseline)
{
    if (changes->count == 0)
        return 0;
    putchar('\n');
    for (size_t i = 0; i < changes->count; i++)
        printf("%s\n", changes->at[i]);
    printf("If that is meant: make bench-baseline, and commit %s and README's table with it.\n",
           baseline);
    return CHANGED;
}

int main(int argc, char **argv)
{
    const char *build = "build", *readme = NULL;
    struct words changes = {0};
    char *message = NULL;
    int option, status = CANT;

    while ((option = getopt(argc, argv, "b:r:")) != -1) {
        if (option == 'b')
            build = optarg;
        else if (option == 'r')
            readme = optarg;
        else
            return CANT;
    }
    if (optind + 1 != argc) {
        fputs("usage: bench [-b BUILD] [-r README] BASELINE\n", stderr);
        return CANT;
    }

    json_t *figures = collect(build, &message);
    if (figures)
        show(build, figures);

    json_t *baseline = figures ? figures_load(argv[optind], &message) : NULL;
    if (baseline) {
        figures_compare(baseline, figures, TOLERANCE, &changes);
        if (readme)
            table_check(readme, figures, TOLERANCE, &changes);
        status = say(&changes, argv[optind]);
    } else {
        fprintf(stderr, "bench: %s\n", message);
    }
    json_decref(baseline);
    json_decref(figures);
    words_free(&changes);
    free(message);
    return status;
}

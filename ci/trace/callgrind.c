// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/callgrind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ci/array.h"

/* A line of the file: what one place of a function cost itself, or its calls of another one. */
struct row {
    uint32_t function, file, line;
    const struct arc *arc; /* NULL: self */
    struct cost cost;
};

struct rows {
    struct row *at;
    size_t count;
};

static void add_site(void *ctx, const struct site *site)
{
    struct rows *rows = ctx;

    if (!site->cost.instructions)
        return;
    *array_add(&rows->at, &rows->count) = (struct row){.function = site->function,
                                                       .file = site->place.file,
                                                       .line = site->place.line,
                                                       .cost = site->cost};
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = compare_numbers(a->function, b->function);

    if (!order)
        order = compare_numbers(a->file, b->file);
    if (!order)
        order = compare_numbers(a->line, b->line);
    if (!order)
        order =
            compare_numbers(a->arc ? a->arc->callee + 1ull : 0, b->arc ? b->arc->callee + 1ull : 0);
    return order;
}

/* Rows of the same place and callee become one. */
static bool same_place(const struct row *a, const struct row *b)
{
    return a->function == b->function && a->file == b->file && a->line == b->line && !a->arc &&
           !b->arc;
}

/* The file and line where a function begins. */
static struct image_place home(const struct profile *profile, uint32_t function)
{
    const struct image *image = profile->sites->image;

    if (function >= image->nr_functions)
        return (struct image_place){0};
    return image->place[image->function_start[function] - image->start];
}

static void write_cost(FILE *out, uint32_t line, const struct cost *cost)
{
    fprintf(out, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", line, cost->instructions,
            cost->reads, cost->writes);
}

static void write_rows(FILE *out, const struct profile *profile, const struct rows *rows)
{
    const struct image *image = profile->sites->image;
    uint32_t file = 0;

    for (size_t i = 0; i < rows->count; i++) {
        struct row row = rows->at[i];

        if (!i || row.function != rows->at[i - 1].function) {
            file = home(profile, row.function).file;
            fprintf(out, "\nfl=%s\nfn=%s\n", image->files[file],
                    sites_function_name(profile->sites, row.function));
        }
        if (row.file != file)
            fprintf(out, "fi=%s\n", image->files[row.file]);
        file = row.file;
        for (; i + 1 < rows->count && same_place(&rows->at[i], &rows->at[i + 1]); i++) {
            row.cost.instructions += rows->at[i + 1].cost.instructions;
            row.cost.reads += rows->at[i + 1].cost.reads;
            row.cost.writes += rows->at[i + 1].cost.writes;
        }
        if (row.arc) {
            struct image_place to = home(profile, row.arc->callee);

            fprintf(out, "cfi=%s\ncfn=%s\ncalls=%" PRIu64 " %" PRIu32 "\n", image->files[to.file],
                    sites_function_name(profile->sites, row.arc->callee), row.arc->calls, to.line);
        }
        write_cost(out, row.line, &row.cost);
    }
}

int callgrind_write(const struct profile *profile, const char *path, const char *command)
{
    struct rows rows = {0};
    FILE *out = fopen(path, "w");

    if (!out)
        return -errno;
    sites_each(profile->sites, add_site, &rows);
    for (size_t i = 0; i < profile->arcs_room; i++) {
        const struct arc *arc = &profile->arcs[i];

        if (arc->from)
            *array_add(&rows.at, &rows.count) = (struct row){.function = arc->from->function,
                                                             .file = arc->from->place.file,
                                                             .line = arc->from->place.line,
                                                             .arc = arc,
                                                             .cost = arc->inclusive};
    }
    if (rows.count)
        qsort(rows.at, rows.count, sizeof(*rows.at), compare_rows);
    fprintf(out,
            "# callgrind format\nversion: 1\ncreator: paeload trace\ncmd: %s\npositions: line\n"
            "event: Ir : Instructions\nevent: Dr : Data reads\nevent: Dw : Data writes\n"
            "events: Ir Dr Dw\n",
            command);
    write_rows(out, profile, &rows);
    fprintf(out, "\ntotals: %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", profile->total.instructions,
            profile->total.reads, profile->total.writes);
    free(rows.at);
    int error = ferror(out) ? -EIO : 0;
    if (fclose(out) && !error)
        error = -errno;
    return error;
}

// SPDX-License-Identifier: BSD-2-Clause
#include "ci/bench/figures.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_HEAD "# bench "
#define ROW_NAME_MAX 63
#define DIGITS 10 /* of a figure, in the file */

/* One line's fields, over all operations of a run. */
struct line {
    char name[ROW_NAME_MAX + 1];
    uint64_t operations, instructions, flushes_full, flushes_page, flushes_global, bytes;
};

/* flushes_global is there only where there are such flushes: a line of the report is short. */
static bool parse_line(const char *s, struct line *line)
{
    int end = 0;

    line->flushes_global = 0;
    if (sscanf(s,
               LINE_HEAD "%63s operations=%" SCNu64 " instructions=%" SCNu64
                         " flushes_full=%" SCNu64 " flushes_page=%" SCNu64 "%n",
               line->name, &line->operations, &line->instructions, &line->flushes_full,
               &line->flushes_page, &end) != 5)
        return false;
    s += end;
    if (sscanf(s, " flushes_global=%" SCNu64 "%n", &line->flushes_global, &end) == 1)
        s += end;
    return sscanf(s, " bytes=%" SCNu64 "%n", &line->bytes, &end) == 1 && s[end] == '\0' &&
           line->operations > 0;
}

static json_t *each(uint64_t value, const struct line *line)
{
    return json_real((double)value / (double)line->operations);
}

static void add_line(json_t *figures, const struct line *line)
{
    json_t *row = json_object();

    json_object_set_new(row, "instructions", each(line->instructions, line));
    json_object_set_new(row, "flushes",
                        each(line->flushes_full + line->flushes_page + line->flushes_global, line));
    json_object_set_new(row, "flushes_full", each(line->flushes_full, line));
    json_object_set_new(row, "flushes_page", each(line->flushes_page, line));
    if (line->flushes_global)
        json_object_set_new(row, "flushes_global", each(line->flushes_global, line));
    json_object_set_new(row, "bytes", each(line->bytes, line));
    json_object_set_new(row, "operations", json_integer((json_int_t)line->operations));
    json_object_set_new(figures, line->name, row);
}

static int take_line(json_t *figures, char *s, const char *path, unsigned number, char **message)
{
    struct line line;

    s[strcspn(s, "\r\n")] = '\0';
    s += strspn(s, " ");
    if (strncmp(s, LINE_HEAD, strlen(LINE_HEAD)) != 0)
        return 0;
    if (!parse_line(s, &line)) {
        *message = text("%s:%u: not a row of counted instructions: %s", path, number, s);
        return -1;
    }
    if (json_object_get(figures, line.name)) {
        *message = text("%s:%u: row %s is there twice", path, number, line.name);
        return -1;
    }
    add_line(figures, &line);
    return 0;
}

int figures_read_report(json_t *figures, const char *path, char **message)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0, before = json_object_size(figures);
    unsigned number = 0;
    int error = 0;

    if (!file) {
        *message = text("%s: %s", path, strerror(errno));
        return -1;
    }
    while (!error && getline(&line, &room, file) >= 0)
        error = take_line(figures, line, path, ++number, message);
    free(line);
    fclose(file);
    if (!error && json_object_size(figures) == before) {
        *message = text("%s: no row of the bench in it", path);
        error = -1;
    }
    return error;
}

int figures_add_size(json_t *figures, const char *row, const char *path, char **message)
{
    struct stat status;

    if (stat(path, &status)) {
        *message = text("%s: %s", path, strerror(errno));
        return -1;
    }
    json_object_set_new(figures, row, json_pack("{sI}", "bytes", (json_int_t)status.st_size));
    return 0;
}

json_t *figures_load(const char *path, char **message)
{
    json_error_t error;
    json_t *figures = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    const char *name;
    json_t *row;

    if (!figures) {
        *message = text("%s:%d: %s", path, error.line, error.text);
        return NULL;
    }
    if (!json_is_object(figures)) {
        *message = text("%s: not a JSON object", path);
        json_decref(figures);
        return NULL;
    }
    json_object_foreach(figures, name, row)
    {
        if (!json_is_object(row)) {
            *message = text("%s: %s is not an object", path, name);
            json_decref(figures);
            return NULL;
        }
    }
    return figures;
}

int figures_save(const json_t *figures, const char *path, char **message)
{
    size_t flags = JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(DIGITS);
    FILE *file = fopen(path, "w");
    int error = -1;

    if (file) {
        error = json_dumpf(figures, file, flags) || fputc('\n', file) == EOF;
        if (fclose(file))
            error = -1;
    }
    if (error) {
        *message = text("%s: can't be written: %s", path, strerror(errno));
        return -1;
    }
    return 0;
}

double figures_get(const json_t *figures, const char *row, const char *figure)
{
    const json_t *value = json_object_get(json_object_get(figures, row), figure);

    return json_is_number(value) ? json_number_value(value) : -1;
}

static void compare_figure(const char *row, const char *figure, const json_t *old,
                           const json_t *new, double tolerance, struct words *changes)
{
    double was = json_number_value(old), is = json_number_value(new);
    double change = is - was;

    if (!json_is_number(new) || !json_is_number(old)) {
        words_add(changes, "%s: %s is %s", row, figure, json_is_number(old) ? "gone" : "new");
        return;
    }
    if (fabs(change) <= fabs(was) * tolerance)
        return;
    if (was == 0)
        words_add(changes, "%s: %s was 0, is %.10g", row, figure, is);
    else
        words_add(changes, "%s: %s was %.10g, is %.10g (%+.2f %%)", row, figure, was, is,
                  100 * change / was);
}

static void compare_row(const char *row, json_t *old, json_t *new, double tolerance,
                        struct words *changes)
{
    const char *figure;
    json_t *value;

    json_object_foreach(old, figure, value)
    {
        if (strcmp(figure, "flushes") != 0) /* the sum of the others */
            compare_figure(row, figure, value, json_object_get(new, figure), tolerance, changes);
    }
    json_object_foreach(new, figure, value)
    {
        if (!json_object_get(old, figure))
            compare_figure(row, figure, NULL, value, tolerance, changes);
    }
}

void figures_compare(const json_t *old, const json_t *new, double tolerance, struct words *changes)
{
    const char *name;
    json_t *row;

    json_object_foreach((json_t *)old, name, row)
    {
        json_t *now = json_object_get(new, name);

        if (now)
            compare_row(name, row, now, tolerance, changes);
        else
            words_add(changes, "%s: the row is gone", name);
    }
    json_object_foreach((json_t *)new, name, row)
    {
        if (!json_object_get(old, name))
            words_add(changes, "%s: the row is new", name);
    }
}

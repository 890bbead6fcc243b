// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ci/runner/words.h"
#include "ci/trace/diff_side.h"

#define MEET_LINES 8u /* that must be equal for the traces to have met again */
#define SHOWN_LINES 12u

/* Where the traces meet again: so many lines further in each. */
struct meeting {
    size_t a, b;
};

/* From the hash of MEET_LINES keys to where they begin in the window of A. */
struct places {
    uint64_t *hash;
    uint32_t *at;
    size_t room;
};

static uint64_t hash_at(const struct side *side, size_t at)
{
    uint64_t hash = 0;

    for (size_t i = 0; i < MEET_LINES; i++)
        hash = (hash ^ side_key(side, at + i)) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    return hash | 1;
}

static size_t find_place(const struct places *places, uint64_t hash)
{
    size_t at = (size_t)(hash >> 20) & (places->room - 1);

    while (places->hash[at] && places->hash[at] != hash)
        at = (at + 1) & (places->room - 1);
    return at;
}

static void note_places(struct places *places, const struct side *a)
{
    places->room = 1024;
    while (places->room < 2 * (a->count + 1))
        places->room *= 2;
    places->hash = calloc(places->room, sizeof(*places->hash));
    places->at = calloc(places->room, sizeof(*places->at));
    if (!places->hash || !places->at)
        abort();
    for (size_t i = 0; i <= a->count; i++) {
        uint64_t hash = hash_at(a, i);
        size_t place = find_place(places, hash);

        if (places->hash[place])
            continue; /* an earlier one is nearer */
        places->hash[place] = hash;
        places->at[place] = (uint32_t)i;
    }
}

/*
 * The nearest place from which both go on alike. Behind the end of a trace its keys are 0, so two
 * that end alike meet there too, if both ends are in sight.
 */
static bool find_meeting(struct side *a, struct side *b, unsigned window, struct meeting *meeting)
{
    struct places places = {0};
    size_t best = SIZE_MAX;

    side_fill(a, window);
    side_fill(b, window);
    size_t a_end = a->ended ? a->count : a->count - MEET_LINES;
    size_t b_end = b->ended ? b->count : b->count - MEET_LINES;
    note_places(&places, a);
    for (size_t j = 0; j <= b_end && j < best; j++) {
        size_t place = find_place(&places, hash_at(b, j));

        if (!places.hash[place] || places.at[place] > a_end || places.at[place] + j >= best)
            continue;
        best = places.at[place] + j;
        *meeting = (struct meeting){places.at[place], j};
    }
    free(places.hash);
    free(places.at);
    return best != SIZE_MAX;
}

static void show_lines(FILE *out, const char *mark, const struct side *side, size_t count)
{
    for (size_t i = 0; i < count && i < SHOWN_LINES; i++)
        fprintf(out, "  %s %s\n", mark, side_line(side, i)->text);
    if (count > SHOWN_LINES)
        fprintf(out, "  %s ... %zu lines in all\n", mark, count);
    if (!count)
        fprintf(out, "  %s (nothing)\n", mark);
}

static bool same_stack(const struct side *a, const struct side *b)
{
    if (a->depth != b->depth)
        return false;
    for (unsigned i = 1; i <= a->depth; i++) {
        if (strcmp(a->stack[i], b->stack[i]) != 0)
            return false;
    }
    return true;
}

static void show_stack(FILE *out, const char *which, const struct side *side)
{
    fprintf(out, "  call stack before it, %s:\n", which);
    for (unsigned i = side->depth; i >= 1; i--)
        fprintf(out, "      %s\n", side->stack[i]);
}

static void show_context(FILE *out, const struct side *a)
{
    uint64_t count = a->number < SIDE_CONTEXT ? a->number : SIDE_CONTEXT;

    for (uint64_t i = a->number - count; i < a->number; i++)
        fprintf(out, "    %s\n", a->context[i % SIDE_CONTEXT]);
}

static void show_region(FILE *out, const struct side *a, const struct side *b,
                        const struct meeting *meeting, uint64_t region)
{
    fprintf(out, "\n%" PRIu64 ". they part behind line %" PRIu64 " of A, %" PRIu64 " of B:\n",
            region, a->number, b->number);
    show_context(out, a);
    show_lines(out, "A", a, meeting ? meeting->a : a->count);
    show_lines(out, "B", b, meeting ? meeting->b : b->count);
    if (region == 1 && same_stack(a, b)) {
        show_stack(out, "of both", a);
    } else if (region == 1) {
        show_stack(out, "A", a);
        show_stack(out, "B", b);
    }
    if (!meeting)
        fprintf(out, "  and do not meet again within the next %zu lines of A, %zu of B\n", a->count,
                b->count);
    else if (side_line(a, meeting->a))
        fprintf(out, "  they meet again %zu lines on in A, %zu in B:\n    %s\n", meeting->a,
                meeting->b, side_line(a, meeting->a)->text);
    else
        fprintf(out, "  and both end\n");
}

static void advance(struct side *side, size_t count)
{
    while (count-- > 0)
        side_advance(side);
}

static void compare(FILE *out, struct side *a, struct side *b, const struct diff_options *options,
                    struct diff_result *result)
{
    for (;;) {
        struct meeting meeting;

        side_fill(a, 1);
        side_fill(b, 1);
        if (side_key(a, 0) && side_key(a, 0) == side_key(b, 0)) {
            result->equal++;
            side_advance(a);
            side_advance(b);
            continue;
        }
        if (!a->count && !b->count)
            return;
        bool met = find_meeting(a, b, options->window, &meeting);
        result->regions++;
        if (result->regions <= options->shown)
            show_region(out, a, b, met ? &meeting : NULL, result->regions);
        if (!met) {
            result->parted = true;
            return;
        }
        result->only_a += meeting.a;
        result->only_b += meeting.b;
        advance(a, meeting.a);
        advance(b, meeting.b);
    }
}

static void conclude(FILE *out, const struct diff_options *options,
                     const struct diff_result *result)
{
    if (!result->regions) {
        fprintf(out, "the two traces are equal: %" PRIu64 " lines\n", result->equal);
        return;
    }
    if (result->regions > options->shown)
        fprintf(out, "\n... and %" PRIu64 " places more\n", result->regions - options->shown);
    fprintf(out,
            "\n%" PRIu64 " places differ: %" PRIu64 " lines only in A, %" PRIu64
            " only in B, %" PRIu64 " in both%s\n",
            result->regions, result->only_a, result->only_b, result->equal,
            result->parted ? ", and then they have parted" : "");
}

/* The build that a trace is of, as its first line says it. */
static bool same_build(const struct side *a, const struct side *b)
{
    const char *in_a = strstr(a->about, "crc32c="), *in_b = strstr(b->about, "crc32c=");

    return in_a && in_b && !strncmp(in_a, in_b, strcspn(in_a, " "));
}

int diff_traces(FILE *out, const char *path_a, const char *path_b,
                const struct diff_options *options, struct diff_result *result, char **message)
{
    /* Behind the window, the lines that make up its last place. */
    unsigned window = options->window < 4 * MEET_LINES ? 4 * MEET_LINES : options->window;
    struct diff_options used = *options;
    struct side *sides = calloc(2, sizeof(*sides));

    if (!sides)
        abort();
    used.window = window;
    *result = (struct diff_result){0};
    int error = side_open(&sides[0], path_a, window, message);
    if (!error)
        error = side_open(&sides[1], path_b, window, message);
    if (!error) {
        bool same = same_build(&sides[0], &sides[1]);

        fprintf(out, "A: %s\nB: %s\n%s\n", path_a, path_b,
                same ? "one build: compared by symbol, offset and instruction"
                     : "two builds: compared by symbol and instruction");
        side_compare(&sides[0], options->by, same);
        side_compare(&sides[1], options->by, same);
        compare(out, &sides[0], &sides[1], &used, result);
        for (unsigned i = 0; i < 2 && !error; i++) {
            if (sides[i].failed) {
                *message = text("%s: damaged or cut off", sides[i].path);
                error = -EIO;
            }
        }
    }
    if (!error)
        conclude(out, options, result);
    side_close(&sides[0]);
    side_close(&sides[1]);
    free(sides);
    return error;
}

// SPDX-License-Identifier: BSD-2-Clause
#include "ci/trace/summary.h"

#include <inttypes.h>
#include <stdlib.h>

static void print_stretch(FILE *out, const char *name, const struct stretch *stretch)
{
    fprintf(out,
            "%-28s %12" PRIu64 " %10" PRIu64 " %10" PRIu64 " %7" PRIu64 " %7" PRIu64 " %7" PRIu64
            " %7" PRIu64 " %6" PRIu64 " %6" PRIu64 "%s\n",
            name, stretch->cost.instructions, stretch->cost.reads, stretch->cost.writes,
            stretch->pages, stretch->flushes[SITE_FLUSH_CR3] + stretch->flushes[SITE_FLUSH_CR4],
            stretch->flushes[SITE_FLUSH_PAGE], stretch->walks, stretch->interrupts,
            stretch->exceptions, stretch->cut ? "  (cut by the limit)" : "");
}

struct line {
    uint32_t function;
    uint64_t self;
};

static void add_self(void *ctx, const struct site *site)
{
    struct line *lines = ctx;

    lines[site->function].self += site->cost.instructions;
}

static int compare_lines(const void *left, const void *right)
{
    const struct line *a = left, *b = right;

    if (a->self != b->self)
        return a->self > b->self ? -1 : 1;
    return a->function < b->function ? -1 : a->function > b->function;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_functions(FILE *out, const struct profile *profile, size_t functions_max)
{
    size_t count = sites_nr_functions(profile->sites);
    struct line *lines = calloc(count + 1, sizeof(*lines));
    uint64_t total = profile->total.instructions;

    if (!lines)
        abort();
    for (size_t i = 0; i < count; i++)
        lines[i].function = (uint32_t)i;
    sites_each(profile->sites, add_self, lines);
    qsort(lines, count, sizeof(*lines), compare_lines);
    fprintf(out, "\n%-28s %12s %6s %12s %6s %10s\n", "function", "self", "%", "inclusive", "%",
            "calls");
    for (size_t i = 0; i < count && i < functions_max && lines[i].self; i++) {
        uint32_t function = lines[i].function;
        struct function_cost cost = {0};

        if (function < profile->functions_room)
            cost = profile->functions[function];
        fprintf(out, "%-28s %12" PRIu64 " %6.2f %12" PRIu64 " %6.2f %10" PRIu64 "\n",
                sites_function_name(profile->sites, function), lines[i].self,
                percent(lines[i].self, total), cost.inclusive.instructions,
                percent(cost.inclusive.instructions, total), cost.calls);
    }
    free(lines);
}

void summary_print(FILE *out, const struct tracer *tracer, size_t functions_max)
{
    fprintf(out, "%-28s %12s %10s %10s %7s %7s %7s %7s %6s %6s\n", "stretch", "instructions",
            "reads", "writes", "pages", "full", "invlpg", "walks", "intr", "faults");
    for (size_t i = 0; i < tracer->nr_stretches; i++)
        print_stretch(out, tracer->stretches[i].name, &tracer->stretches[i]);
    print_stretch(out, "all", &tracer->all);
    print_functions(out, &tracer->profile, functions_max);
    if (tracer->skipped)
        fprintf(out, "\nLIMIT was reached: %" PRIu64 " more stretches ran without a trace\n",
                tracer->skipped);
    if (tracer->damaged)
        fprintf(out, "\n%" PRIu64 " lines of Bochs' output were damaged and are left out\n",
                tracer->damaged);
    if (tracer->profile.lost_frames)
        fprintf(out, "\nthe call stack became too deep to follow: inclusive costs are too low\n");
}

static int compare_costs(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

void summary_print_calls(FILE *out, struct profile *profile)
{
    if (profile->watched == IMAGE_NO_FUNCTION)
        return;
    const char *name = sites_function_name(profile->sites, profile->watched);
    size_t count = profile->nr_calls;

    if (!count) {
        fprintf(out, "\n%s: no complete call in the trace\n", name);
        return;
    }
    qsort(profile->calls, count, sizeof(*profile->calls), compare_costs);
    fprintf(out,
            "\n%s: %zu complete calls; instructions of one, with all that it calls: least %" PRIu64
            ", median %" PRIu64 ", most %" PRIu64 "\n",
            name, count, profile->calls[0], profile->calls[count / 2], profile->calls[count - 1]);
    for (size_t i = 0, shown = 0; i < count && shown < 8; shown++) {
        size_t first = i;

        while (i < count && profile->calls[i] == profile->calls[first])
            i++;
        fprintf(out, "%12" PRIu64 " instructions, %zu times\n", profile->calls[first], i - first);
    }
}

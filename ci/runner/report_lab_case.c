// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/report_lab.h"

#include <stdlib.h>
#include <string.h>

#include "ci/runner/markup.h"
#include "ci/runner/svg_cells.h"

#define HIGHMEM 2
#define ALWAYS_SHOWN HIGHMEM /* zones below it; it is only shown when something happens in it */

/* Does enough happen in the zone to show it? */
static bool is_shown(const struct lab_zone *zone, unsigned index)
{
    uint32_t least = UINT32_MAX, most = 0;

    for (size_t i = 0; i < zone->nr_samples; i++) {
        least = zone->samples[i].free < least ? zone->samples[i].free : least;
        most = zone->samples[i].free > most ? zone->samples[i].free : most;
    }
    return zone->nr_samples && (index < ALWAYS_SHOWN || most - least > most / 100);
}

static char *spent_text(const struct lab_spent *spent)
{
    if (spent->what == LAB_SLAB)
        return text_copy("object");
    return text(spent->what == LAB_FREE ? "free %u" : "order %u", spent->order);
}

static void put_spreads(FILE *out, const struct lab_case *run)
{
    const double below = run->noise ? (double)run->noise : 1;
    bool any_below = false;
    struct svg_spread *spreads = calloc(run->nr_spent, sizeof(*spreads));
    char *label = text("%s, %s: what allocations and frees cost", run->workload, run->name);

    if (!spreads)
        abort();
    for (size_t i = 0; i < run->nr_spent; i++) {
        const struct lab_spent *spent = &run->spent[i];

        spreads[i] = (struct svg_spread){.name = spent_text(spent),
                                         .p50 = (double)spent->p50,
                                         .p90 = (double)spent->p90,
                                         .p99 = (double)spent->p99,
                                         .max = (double)spent->max,
                                         .below = below};
        any_below = any_below || spreads[i].p50 < below;
    }
    fputs("<figure><h4>Cost of allocations and frees</h4>", out);
    svg_spreads(out, label, run->spent[0].unit, spreads, run->nr_spent);
    fputs("<figcaption>strong mark: half cost no more; box: up to 90%; small mark: 99%; end: the "
          "most",
          out);
    if (any_below)
        fputs("; hollow arrow: less than the clock can tell", out);
    fputs("</figcaption></figure>\n", out);
    for (size_t i = 0; i < run->nr_spent; i++)
        free(spreads[i].name);
    free(spreads);
    free(label);
}

static void put_costs(FILE *out, const struct lab_spent *spent, uint64_t noise)
{
    put_lab_cost_cell(out, spent->p50, noise);
    put_lab_cost_cell(out, spent->p90, noise);
    put_lab_cost_cell(out, spent->p99, noise);
    put_lab_cost_cell(out, spent->max, noise);
}

/* What was not allocated by order: frees, and objects of slabs. */
static void put_other_costs(FILE *out, const struct lab_case *run)
{
    for (size_t i = 0; i < run->nr_spent; i++) {
        char *what = spent_text(&run->spent[i]);

        if (run->spent[i].what != LAB_ALLOC) {
            fputs("<tr>", out);
            put_element(out, "td", NULL, what);
            put_number_cell(out, run->spent[i].count);
            fputs("<td></td>", out);
            put_costs(out, &run->spent[i], run->noise);
            fputs("</tr>", out);
        }
        free(what);
    }
}

static void put_orders(FILE *out, const struct lab_case *run)
{
    fputs(
        "<div class=\"wide\"><table><caption class=\"soft\">Allocations and frees</caption><thead>"
        "<tr><th>order</th><th class=\"n\">done</th><th class=\"n\">failed</th>"
        "<th class=\"n\">p50</th><th class=\"n\">p90</th><th class=\"n\">p99</th>"
        "<th class=\"n\">max</th></tr></thead><tbody>",
        out);
    for (unsigned order = 0; order < NR_ORDERS; order++) {
        const struct lab_spent *spent = lab_spent_of(run, LAB_ALLOC, order);

        if (!spent && !run->failed[order])
            continue;
        fprintf(out, "<tr><td>%u (%s)</td>", order, lab_block_sizes[order]);
        if (spent)
            put_number_cell(out, spent->count);
        else
            fputs("<td></td>", out);
        put_number_cell(out, run->failed[order]);
        if (spent)
            put_costs(out, spent, run->noise);
        else
            fputs("<td colspan=\"4\"></td>", out);
        fputs("</tr>", out);
    }
    put_other_costs(out, run);
    fputs("</tbody></table></div>\n", out);
}

static void put_below(FILE *out, const struct lab_case *run)
{
    bool any = false;

    for (unsigned zone = 0; zone < LAB_ZONES; zone++)
        any = any || run->zones[zone].has_below;
    if (!any)
        return;
    fputs("<div class=\"wide\"><table><caption class=\"soft\">Times that free memory fell below a "
          "watermark</caption><thead><tr><th>zone</th><th class=\"n\">min</th><th "
          "class=\"n\">low</th><th class=\"n\">high</th></tr></thead><tbody>",
          out);
    for (unsigned zone = 0; zone < LAB_ZONES; zone++) {
        if (!run->zones[zone].has_below)
            continue;
        fputs("<tr>", out);
        put_element(out, "td", NULL, lab_zone_name(zone));
        for (unsigned mark = 0; mark < LAB_MARKS; mark++)
            put_number_cell(out, run->zones[zone].below[mark]);
        fputs("</tr>", out);
    }
    fputs("</tbody></table></div>\n", out);
}

static void put_events(FILE *out, const struct lab_case *run)
{
    if (!run->nr_events)
        return;
    fputs("<div class=\"wide\"><table><caption class=\"soft\">What else happened</caption><tbody>",
          out);
    for (size_t i = 0; i < run->nr_events; i++) {
        fputs("<tr>", out);
        put_element(out, "td", NULL, run->events[i].name);
        put_number_cell(out, run->events[i].count);
        fputs("</tr>", out);
    }
    fputs("</tbody></table></div>\n", out);
}

/* How much memory the steps began with; false if the log does not have that of all zones. */
static bool free_at_start(const struct lab_case *run, uint64_t free[LAB_ZONES])
{
    bool any = false;

    for (unsigned i = 0; i < LAB_ZONES; i++) {
        const struct lab_zone *zone = &run->zones[i];

        free[i] = zone->nr_samples ? zone->samples[0].free : 0;
        if (zone->present && (!zone->nr_samples || zone->samples[0].done))
            return false;
        any = any || zone->nr_samples;
    }
    return any;
}

/*
 * Only that tells how large the machine was for the workload: ballast may hold most of it, and the
 * workload some from the start.
 */
static void put_start(FILE *out, const struct lab_case *run)
{
    uint64_t free_then[LAB_ZONES], lowmem = 0, lowmem_free = 0;

    if (!free_at_start(run, free_then))
        return;
    for (unsigned zone = 0; zone < HIGHMEM; zone++) {
        lowmem += run->zones[zone].present;
        lowmem_free += free_then[zone];
    }
    put_text(out, lowmem_free < lowmem / 2 ? ". Free before the first step, with ballast in place: "
                                           : ". Free before the first step: ");
    for (unsigned zone = 0, any = 0; zone < LAB_ZONES; zone++) {
        if (!run->zones[zone].nr_samples)
            continue;
        char *size = pages_text(free_then[zone]);

        put_textf(out, "%s%s %s", any++ ? ", " : "", lab_zone_name(zone), size);
        free(size);
    }
}

static void put_head(FILE *out, const struct lab_case *run)
{
    char *outcome = lab_outcome_text(run);

    fputs("<div class=\"case\"><h4>", out);
    put_text(out, run->name);
    fputs("</h4><p>", out);
    put_text(out, outcome);
    for (unsigned zone = 0, any = 0; zone < LAB_ZONES; zone++) {
        if (!run->zones[zone].known)
            continue;
        char *size = pages_text(run->zones[zone].present);

        put_textf(out, "%s%s %s", any++ ? ", " : ". Zones: ", lab_zone_name(zone), size);
        free(size);
    }
    put_start(out, run);
    fputs("</p>\n", out);
    free(outcome);
}

void put_lab_case(FILE *out, const struct lab_case *run, const struct lab_colours *colours,
                  unsigned wanted, const struct lab_detail *detail)
{
    static const unsigned by_weight[LAB_ZONES] = {1, 0, 2};

    put_head(out, run);
    if (run->zones[wanted].nr_samples)
        put_lab_orders_legend(out);
    fputs("<div class=\"charts\">\n", out);
    for (unsigned i = 0; i < LAB_ZONES; i++) {
        unsigned zone = by_weight[i];

        if (is_shown(&run->zones[zone], zone))
            put_lab_stack(out, run, zone, detail);
    }
    if (run->zones[wanted].nr_samples)
        put_lab_indexes(out, run, wanted, detail);
    /* An even number of charts lies in two columns without a hole. */
    bool together = is_shown(&run->zones[HIGHMEM], HIGHMEM);
    if (together)
        fputs("<div>\n", out);
    if (run->nr_spent)
        put_spreads(out, run);
    if (!together)
        fputs("<div>\n", out);
    put_orders(out, run);
    put_below(out, run);
    put_events(out, run);
    fputs("</div>\n</div>\n", out);
    put_lab_maps(out, run, colours, detail->cells);
    fputs("</div>\n", out);
}

// SPDX-License-Identifier: BSD-2-Clause
#include "ci/runner/lab_log.h"

#include <stdlib.h>
#include <string.h>

static const char *const zone_names[LAB_ZONES] = {"DMA", "NORMAL", "HIGHMEM"};

const char *lab_zone_name(unsigned zone)
{
    return zone_names[zone];
}

const struct lab_result *lab_result_of(const struct lab_log *log, const struct lab_case *run)
{
    return run->result ? &log->results[run->result - 1] : NULL;
}

const struct lab_spent *lab_spent_of(const struct lab_case *run, enum lab_spent_what what,
                                     unsigned order)
{
    for (size_t i = 0; i < run->nr_spent; i++) {
        if (run->spent[i].what == what && run->spent[i].order == order)
            return &run->spent[i];
    }
    return NULL;
}

const struct lab_spent *lab_main_spent(const struct lab_log *log, const struct lab_case *run)
{
    const struct lab_result *result = lab_result_of(log, run);
    const struct lab_spent *spent = NULL;

    if (result)
        return lab_spent_of(run, LAB_ALLOC, result->order);
    for (unsigned order = 0; order < NR_ORDERS && !spent; order++)
        spent = lab_spent_of(run, LAB_ALLOC, order);
    return spent;
}

static void free_case(struct lab_case *run)
{
    for (unsigned zone = 0; zone < LAB_ZONES; zone++)
        free(run->zones[zone].samples);
    for (unsigned letter = 0; letter < LAB_OWNERS; letter++)
        free(run->owners[letter]);
    for (unsigned when = 0; when < LAB_WHENS; when++) {
        for (size_t i = 0; i < run->maps[when].nr_rows; i++)
            free(run->maps[when].rows[i].cells);
        free(run->maps[when].rows);
    }
    for (size_t i = 0; i < run->nr_spent; i++)
        free(run->spent[i].unit);
    for (size_t i = 0; i < run->nr_events; i++)
        free(run->events[i].name);
    free(run->spent);
    free(run->events);
    free(run->suite);
    free(run->name);
    free(run->workload);
    free(run->unit);
}

void lab_log_free(struct lab_log *log)
{
    for (size_t i = 0; i < log->nr_cases; i++)
        free_case(&log->cases[i]);
    for (size_t i = 0; i < log->nr_results; i++) {
        free(log->results[i].workload);
        free(log->results[i].remedy);
    }
    free(log->cases);
    free(log->results);
    words_free(&log->notes);
    *log = (struct lab_log){0};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/search.h"

#include <inttypes.h>
#include <stdio.h>

#include "ci/model/shrink.h"
#include "lib/prng.h"

static uint32_t draw(void *ctx, uint32_t n)
{
    return prng_below(ctx, n);
}

static bool fails(const struct op *ops, size_t count, void *ctx, size_t *done)
{
    const struct search *search = ctx;
    struct model_result result;
    bool right = model_run(ops, count, search->broken, &result);

    *done = result.done;
    return !right;
}

bool search_run(struct search *search)
{
    struct prng prng;

    prng_seed(&prng, search->seed);
    search->count = 0;
    while (search->done < search->wanted) {
        struct model_result *result = &search->result;

        for (size_t i = 0; i < SEARCH_SEQUENCE; i++)
            search->found[i] = model_random_op(draw, &prng);
        bool right = model_run(search->found, SEARCH_SEQUENCE, search->broken, result);
        search->done += result->done;
        for (unsigned i = 0; i < MODEL_NR_COUNTS; i++)
            search->total[i] += result->count[i];
        if (right)
            continue;
        search->count = shrink(search->found, result->done, fails, search);
        model_run(search->found, search->count, search->broken, result);
        return false;
    }
    return true;
}

void search_print(const struct search *search)
{
    printf("    /* seed %" PRIu64 "%s%s: %s */\n", search->seed, search->broken ? ", broken " : "",
           search->broken ? search->broken : "", search->result.text);
    model_print(search->found, search->count);
}

static bool seed_passes(const struct search *search, bool (*enough)(const struct search *search))
{
    if (search->count) {
        search_print(search);
        return false;
    }
    if (enough(search))
        return true;
    printf("seed %" PRIu64 " has not come to all in %" PRIu64 " operations:", search->seed,
           search->done);
    for (unsigned i = 0; i < MODEL_NR_COUNTS; i++)
        printf(" %" PRIu64 " %s", search->total[i], model_count_names[i]);
    printf("\n");
    return false;
}

bool search_seeds(uint64_t ops, unsigned seeds, bool (*enough)(const struct search *search))
{
    static struct search search;

    for (unsigned seed = 1; seed <= seeds; seed++) {
        search = (struct search){.seed = seed, .wanted = ops / seeds};
        search_run(&search);
        if (!seed_passes(&search, enough))
            return false;
    }
    return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/mutation.h"

#include <stdio.h>
#include <string.h>

#include "ci/model/search.h"

#define BROKEN_OPS 300000u
#define SHRINK_SEEDS 8u

/* What was found is broken by the mutation, and by nothing else; and it can be repeated. */
static bool is_its_work(const struct search *search)
{
    struct model_result again;

    if (!model_run(search->found, search->count, NULL, &again)) {
        printf("# %s: fails without it too: %s\n", search->broken, again.text);
        return false;
    }
    if (model_run(search->found, search->count, search->broken, &again) ||
        strcmp(again.text, search->result.text) != 0) {
        printf("# %s: can't be repeated: %s\n", search->broken, again.text);
        return false;
    }
    return true;
}

static bool is_found(const struct model_mutation *mutation)
{
    static struct search search;
    bool short_enough = false;

    /* Shrinking ends where no single step helps: another sequence may come to a shorter one. */
    for (uint64_t seed = 1; seed <= SHRINK_SEEDS && !short_enough; seed++) {
        search = (struct search){.seed = seed, .wanted = BROKEN_OPS, .broken = mutation->name};
        short_enough = !search_run(&search) && search.count <= mutation->at_most;
    }
    if (!short_enough) {
        printf("# %s: not found, or not in %zu operations:\n", mutation->name, mutation->at_most);
        search_print(&search);
        return false;
    }
    printf("# %s: %zu operations: %s\n", mutation->name, search.count, search.result.text);
    return is_its_work(&search);
}

unsigned model_missed(const struct model_mutation *mutations, size_t count)
{
    unsigned missed = 0;

    for (size_t i = 0; i < count; i++)
        missed += !is_found(&mutations[i]);
    return missed;
}

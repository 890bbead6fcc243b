// SPDX-License-Identifier: BSD-2-Clause
#include "ci/oracle/view.h"

#include <stdlib.h>
#include <string.h>

#include "ci/array.h"

void view_add(struct view *view, const struct mapping *mapping)
{
    *array_add(&view->at, &view->count) = *mapping;
}

static int by_address(const void *left, const void *right)
{
    const struct mapping *a = left, *b = right;

    return a->virt < b->virt ? -1 : a->virt > b->virt;
}

void view_sort(struct view *view)
{
    if (view->count)
        qsort(view->at, view->count, sizeof(*view->at), by_address);
}

struct mapping *view_find(const struct view *view, uint32_t virt)
{
    size_t low = 0, high = view->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct mapping *mapping = &view->at[middle];

        if (virt < mapping->virt)
            high = middle;
        else if (virt - mapping->virt >= mapping->bytes)
            low = middle + 1;
        else
            return mapping;
    }
    return NULL;
}

void view_free(struct view *view)
{
    free(view->at);
    *view = (struct view){0};
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "paging/wait.h"

static const struct wait_ops *wait_ops;

void wait_set_ops(const struct wait_ops *ops)
{
    wait_ops = ops;
}

bool wait_sleep(struct wait_queue *queue)
{
    return wait_ops && wait_ops->sleep(queue);
}

void wait_wake(struct wait_queue *queue)
{
    if (wait_ops && !wait_is_empty(queue))
        wait_ops->wake(queue);
}

void wait_yield(void)
{
    if (wait_ops && wait_ops->yield)
        wait_ops->yield();
}

void wait_begins(void)
{
    if (wait_ops && wait_ops->waits)
        wait_ops->waits(true);
}

void wait_ends(void)
{
    if (wait_ops && wait_ops->waits)
        wait_ops->waits(false);
}

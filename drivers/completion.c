/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/completion.h"
#include "drivers/clock.h"
#include "drivers/irq.h"
#include "lib/errno.h"
#include "lib/x86/cpu.h"
#include "paging/wait.h"

static bool on_device(void *ctx)
{
    struct completion *c = ctx;
    bool owned = c->service(c);

    c->interrupts += owned;
    return owned;
}

static void ask(struct completion *c)
{
    uint32_t flags = irq_save();

    if (!c->done)
        c->service(c);
    irq_restore(flags);
}

void completion_begin(struct completion *c)
{
    c->done = false;
    c->interrupt_lost = false;
    c->requested = c->by_interrupt && c->line != COMPLETION_NO_LINE &&
                   (eflags_read() & EFLAGS_IF) && irq_request(c->line, on_device, c, c->name) == 0;
}

int completion_wait(struct completion *c, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while (!c->done && !deadline_passed(deadline)) {
        if (!c->requested)
            ask(c);
        wait_yield();
        cpu_relax();
    }
    if (c->done)
        return 0;
    ask(c);
    c->interrupt_lost = c->requested && c->done;
    c->lost += c->interrupt_lost;
    return c->done && !c->interrupt_lost ? 0 : -ETIMEDOUT;
}

void completion_end(struct completion *c)
{
    if (c->requested)
        irq_free(c->line, on_device, c);
    c->requested = false;
}

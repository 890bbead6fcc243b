/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/completion.h"
#include "drivers/clock.h"
#include "drivers/irq.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "paging/wait.h"

static bool on_device(void *ctx)
{
    struct completion *c = ctx;
    bool was_done = c->done, owned = c->service(c);

    /* A device that was not started yet looks done to many a driver. */
    if (!owned && !inject_on_host(completion_trust_others))
        c->done = was_done;
    c->interrupts += owned;
    c->in_this_wait += owned;
    /* Nobody else would notice: to the line, each of these interrupts was somebody's. */
    if (c->in_this_wait >= COMPLETION_STORM && !c->storm) {
        c->storm = true;
        irq_declare_stuck(c->line);
    }
    return owned;
}

/* Asks the device, unless it has said before that it is done: returns whether it had. */
static bool ask(struct completion *c)
{
    uint32_t flags = irq_save();
    bool said = c->done;

    if (!said)
        c->service(c);
    irq_restore(flags);
    return said;
}

void completion_begin(struct completion *c)
{
    bool usable = c->by_interrupt && c->line != COMPLETION_NO_LINE &&
                  (c->lost == 0 || inject(completion_trust_lost, irq)) &&
                  (eflags_read() & EFLAGS_IF);

    c->done = false;
    c->interrupt_lost = false;
    c->in_this_wait = 0;
    c->requested = usable && irq_request(c->line, on_device, c, c->name) == 0;
    c->by_line += c->requested;
}

int completion_wait(struct completion *c, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);
    bool said;

    if (c->deaf)
        return -ETIMEDOUT;
    wait_begins();
    while (!c->done && !deadline_passed(deadline)) {
        if (!c->requested || irq_is_stuck(c->line))
            ask(c);
        wait_yield();
        cpu_relax();
    }
    wait_ends();
    /* Its interrupt may come at the very end of the time. */
    said = ask(c);
    c->interrupt_lost = !said && c->requested && c->done && !irq_is_stuck(c->line);
    c->lost += c->interrupt_lost;
    return c->done && !c->interrupt_lost ? 0 : -ETIMEDOUT;
}

void completion_end(struct completion *c)
{
    if (c->requested)
        irq_free(c->line, on_device, c);
    c->requested = false;
}

void completion_forgive(struct completion *c)
{
    c->lost = 0;
    c->storm = false;
    c->interrupt_lost = false;
}

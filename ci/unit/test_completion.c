/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for a device, with a clock and an interrupt line that the test drives. */
#include "ci/unit/unit.h"

#include "drivers/clock.h"
#include "drivers/irq.h"
#include "lib/errno.h"
#include "lib/types.h"

#define LIB_X86_CPU_H
#define EFLAGS_IF BIT(9)
#define LINE 11
#define LIMIT_MS 50u
#define ASKED_MS 11u /* of what is done after 10: each question is followed by a turn of others */

static struct {
    uint64_t ms;
    bool interrupts_on;
    bool busy_line; /* no room for a handler */
    bool stuck;
    irq_handler_t handler;
    void *ctx;
    unsigned requests, frees;
    /* The device. */
    uint64_t done_at_ms, interrupt_at_ms;
    bool keeps_request;
    bool interrupts_late; /* when interrupts are switched off next after that */
    unsigned services;
} m;

static uint32_t eflags_read(void)
{
    return m.interrupts_on ? EFLAGS_IF : 0;
}

static uint32_t irq_save(void)
{
    if (m.interrupts_late && m.ms >= m.interrupt_at_ms && m.handler) {
        m.interrupts_late = false;
        m.handler(m.ctx);
    }
    return 0;
}

static void irq_restore(uint32_t flags)
{
}

static void cpu_relax(void)
{
}

int irq_request(unsigned line, irq_handler_t handler, void *ctx, const char *name)
{
    assert_int_equal(line, LINE);
    if (m.stuck)
        return -EIO;
    if (m.busy_line)
        return -ENOSPC;
    m.requests++;
    m.handler = handler;
    m.ctx = ctx;
    return 0;
}

void irq_free(unsigned line, irq_handler_t handler, const void *ctx)
{
    assert_ptr_equal(handler, m.handler);
    assert_ptr_equal(ctx, m.ctx);
    m.frees++;
    m.handler = NULL;
}

bool irq_is_stuck(unsigned line)
{
    return m.stuck;
}

void irq_declare_stuck(unsigned line)
{
    m.stuck = true;
}

deadline_t deadline_in_ms(uint32_t ms)
{
    return m.ms + ms;
}

bool deadline_passed(deadline_t deadline)
{
    return m.ms >= deadline;
}

void wait_begins(void)
{
}

void wait_ends(void)
{
}

/* Each turn of a wait takes a millisecond, in which the device may interrupt. */
void wait_yield(void)
{
    m.ms++;
    if (m.ms != m.interrupt_at_ms || !m.handler || m.interrupts_late)
        return;
    do
        m.handler(m.ctx);
    while (m.keeps_request && !m.stuck);
}

#include "drivers/completion.c"

static bool dev_service(struct completion *c)
{
    m.services++;
    c->done = m.ms >= m.done_at_ms;
    return m.ms >= m.interrupt_at_ms;
}

static struct completion start(void)
{
    memset(&m, 0, sizeof(m));
    m.interrupts_on = true;
    m.done_at_ms = m.interrupt_at_ms = 10;
    return (struct completion){
        .service = dev_service, .name = "dev", .line = LINE, .by_interrupt = true};
}

static int wait_for(struct completion *c)
{
    int err;

    completion_begin(c);
    err = completion_wait(c, LIMIT_MS);
    completion_end(c);
    assert_null(m.handler);
    return err;
}

static void by_interrupt(void **state)
{
    struct completion c = start();

    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(m.ms, 10);
    assert_int_equal(m.services, 1);
    assert_int_equal(c.interrupts, 1);
    assert_int_equal(c.by_line, 1);
    assert_int_equal(m.frees, 1);
}

/* No line, no wish, no room, interrupts off: all are asked, and none has a handler. */
static void by_asking(void **state)
{
    for (unsigned how = 0; how < 4; how++) {
        struct completion c = start();

        c.line = how == 0 ? COMPLETION_NO_LINE : LINE;
        c.by_interrupt = how != 1;
        m.busy_line = how == 2;
        m.interrupts_on = how != 3;
        assert_int_equal(wait_for(&c), 0);
        assert_int_equal(m.ms, ASKED_MS);
        assert_int_equal(c.interrupts + c.by_line + m.requests, 0);
        assert_false(c.interrupt_lost);
    }
}

static void never_done(void **state)
{
    struct completion c = start();

    m.done_at_ms = m.interrupt_at_ms = 1000;
    assert_int_equal(wait_for(&c), -ETIMEDOUT);
    assert_int_equal(m.ms, LIMIT_MS);
    assert_false(c.interrupt_lost);
    assert_int_equal(c.lost, 0);
}

/* Found out at the end of the time; from then on it is asked, until that is forgiven. */
static void lost(void **state)
{
    struct completion c = start();

    m.interrupt_at_ms = 1000;
    assert_int_equal(wait_for(&c), -ETIMEDOUT);
    assert_int_equal(m.ms, LIMIT_MS);
    assert_true(c.interrupt_lost);
    assert_true(c.done);
    assert_int_equal(c.lost, 1);
    m.ms = 0;
    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(m.ms, ASKED_MS);
    assert_false(c.interrupt_lost);
    assert_int_equal(c.by_line, 1);
    completion_forgive(&c);
    m.ms = 0;
    m.interrupt_at_ms = 10;
    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(c.by_line, 2);
}

/* When the time is over already, but before the device is asked. */
static void in_the_last_moment(void **state)
{
    struct completion c = start();

    m.interrupt_at_ms = LIMIT_MS;
    m.interrupts_late = true;
    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(m.ms, LIMIT_MS);
    assert_int_equal(c.interrupts, 1);
    assert_false(c.interrupt_lost);
    assert_int_equal(c.lost, 0);
}

/* A neighbour's interrupt, when the driver takes its device for done that was not started yet. */
static void of_a_neighbour(void **state)
{
    struct completion c = start();

    m.done_at_ms = 0;
    completion_begin(&c);
    m.ms = 5;
    assert_false(m.handler(m.ctx));
    assert_false(c.done);
    assert_int_equal(completion_wait(&c, LIMIT_MS), 0);
    completion_end(&c);
    assert_int_equal(m.ms, 10);
    assert_int_equal(c.interrupts, 1);

    /* Believed, it would have ended the transfer before its time. */
    injected = "completion_trust_others";
    c = start();
    m.done_at_ms = 0;
    completion_begin(&c);
    m.ms = 5;
    assert_false(m.handler(m.ctx));
    assert_true(c.done);
    completion_end(&c);
    injected = NULL;
}

/* The device keeps its request: its line is given up, and the transfer ends by asking. */
static void storm(void **state)
{
    struct completion c = start();

    m.keeps_request = true;
    m.interrupt_at_ms = 5;
    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(m.ms, ASKED_MS);
    assert_true(c.storm);
    assert_int_equal(c.in_this_wait, COMPLETION_STORM);
    assert_false(c.interrupt_lost);
}

/* Somebody else's storm, in the middle of the wait and before it. */
static void stuck_line(void **state)
{
    struct completion c = start();

    m.interrupt_at_ms = 1000;
    completion_begin(&c);
    m.stuck = true;
    assert_int_equal(completion_wait(&c, LIMIT_MS), 0);
    completion_end(&c);
    assert_int_equal(m.ms, ASKED_MS);
    assert_int_equal(c.lost, 0);
    assert_false(c.storm);
    m.ms = 0;
    assert_int_equal(wait_for(&c), 0);
    assert_int_equal(c.by_line, 1);
    assert_int_equal(c.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_interrupt),   cmocka_unit_test(by_asking),
        cmocka_unit_test(never_done),     cmocka_unit_test(lost),
        cmocka_unit_test(of_a_neighbour), cmocka_unit_test(storm),
        cmocka_unit_test(stuck_line),     cmocka_unit_test(in_the_last_moment),
    };

    return cmocka_run_group_tests_name("completion", tests, NULL, NULL);
}

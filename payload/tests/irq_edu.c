/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/clock.h"
#include "drivers/edu.h"
#include "drivers/irq.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/page.h"
#include "payload/tests/irq_suite.h"

#define PATTERN 0x6du
#define EDU_COST_US 150000u /* after this a transfer that was given up is over */

/* Of the running case. */
static struct page *page;

static bool has_neighbour(const struct dma_client *client)
{
    for (unsigned i = 0; i < dma_client_count(); i++) {
        const struct dma_client *other = dma_client_at(i);

        if (other != client && irq_has_line(other) &&
            other->completion->line == client->completion->line)
            return true;
    }
    return false;
}

/* An edu, one that shares its line if there is such; or NULL after a skip or an error. */
static struct dma_client *need_edu(struct test *t)
{
    struct dma_client *client = NULL;

    for (unsigned i = 0; edu_at(i); i++) {
        if (irq_has_line(edu_at(i)) && (!client || !has_neighbour(client)))
            client = edu_at(i);
    }
    if (!client) {
        test_skip(t, "no edu device with an interrupt line");
        return NULL;
    }
    page = irq_take_buffer(t);
    return page ? client : NULL;
}

/* Puts it back in order, and shows that it is. */
static void mend(struct test *t, struct dma_client *client)
{
    edu_set_fault(client, EDU_WORKS);
    client_readmit(client);
    irq_unstick(client->completion->line);
    irq_check_transfer(t, client, page, 0, true);
    irq_give_buffer();
}

void irq_case_withdrawn_device(struct test *t)
{
    struct dma_client *client = need_edu(t);
    uint32_t spurious = irq_spurious_count(), real, flags;
    unsigned line;

    if (!client)
        return;
    line = client->completion->line;
    if (irq_watch(t, line, 0, true)) {
        flags = irq_save();
        real = irq_count(line);
        edu_raise(client);
        edu_withdraw(client);
        irq_restore(flags);
        delay_us(IRQ_SETTLE_US);
        irq_judge_withdrawn(t, line, spurious, real);
        irq_unwatch(line, 0);
    }
    mend(t, client);
}

/* A request that was there before the transfer was started says nothing about it. */
void irq_case_stale_request(struct test *t)
{
    struct dma_client *client = need_edu(t);
    uint8_t *bytes;

    if (!client)
        return;
    bytes = page_address(page);
    memset(bytes, PATTERN, IRQ_BYTES);
    if (irq_check_transfer(t, client, page, 0, true)) {
        memset(bytes, 0, IRQ_BYTES);
        edu_raise(client);
        irq_check_transfer(t, client, page, 1, true);
        TEST_CHECK(t, bytes[0] == PATTERN, "byte 0 is 0x%02x, not 0x%02x: read too early", bytes[0],
                   PATTERN);
    }
    mend(t, client);
}

/* True if the last thing that was told of a device says so; the list may be full. */
static bool was_told(unsigned before, const char *what)
{
    const struct probe_result *last = probe_result_at(probe_result_count() - 1);

    return probe_result_count() == before || strstr(last->text, what);
}

/*
 * The transfer is done, and nobody says so: it is told once, made again by asking, and so are all
 * that follow.
 */
void irq_case_lost(struct test *t)
{
    struct dma_client *client = need_edu(t);
    unsigned told = probe_result_count();
    struct completion *c;
    uint32_t by_line;
    int err;

    if (!client)
        return;
    c = client->completion;
    c->by_interrupt = true;
    edu_set_fault(client, EDU_SILENT);
    err = irq_transfer(client, page, 0);
    TEST_CHECK(t, err == 0, "write with its interrupt lost: error %d: %s", -err, client->reason);
    TEST_CHECK(t, c->lost == 1, "%u lost interrupts counted, not 1", c->lost);
    TEST_CHECK(t, client->told_lost && was_told(told, "silent"), "a lost interrupt is not told");
    told = probe_result_count();
    by_line = c->by_line;
    err = irq_transfer(client, page, 1);
    TEST_CHECK(t, err == 0, "read after a lost interrupt: error %d: %s", -err, client->reason);
    TEST_CHECK(t, c->by_line == by_line, "line %u was waited for after a lost interrupt", c->line);
    TEST_CHECK(t, probe_result_count() == told, "a lost interrupt is told again");
    mend(t, client);
}

/* There and back, for what keeps what it is given; waited for to the end, and not a moment less. */
static bool goes_on(struct test *t, struct dma_client *client)
{
    uint8_t *bytes = page_address(page);
    int err;

    client->completion->by_interrupt = true;
    for (unsigned n = 0; n < 2; n++) {
        memset(bytes, n ? 0 : PATTERN, IRQ_BYTES);
        err = irq_transfer(client, page, n);
        if (!TEST_CHECK(t, err == 0 && client->completion->lost == 0,
                        "%s on the stuck line: error %d: %s", client->name, -err, client->reason))
            return false;
    }
    return TEST_CHECK(t, !client->write || bytes[0] == PATTERN,
                      "%s on the stuck line: byte 0 is 0x%02x, not 0x%02x", client->name, bytes[0],
                      PATTERN);
}

/* Transfers of the other devices on the line. Returns how many there are. */
static unsigned check_neighbours(struct test *t, const struct dma_client *culprit)
{
    unsigned found = 0;

    for (unsigned i = 0; i < dma_client_count(); i++) {
        struct dma_client *client = dma_client_at(i);

        if (client == culprit || !irq_has_line(client) ||
            client->completion->line != culprit->completion->line)
            continue;
        found++;
        if (goes_on(t, client))
            test_log(t, "%s goes on by asking", client->name);
    }
    return found;
}

/* Its driver serves it, and it does not take its request back. */
void irq_case_never_withdrawn(struct test *t)
{
    struct dma_client *client = need_edu(t);
    unsigned told = probe_result_count();
    int err;

    if (!client)
        return;
    client->completion->by_interrupt = true;
    edu_set_fault(client, EDU_STUCK);
    err = irq_transfer(client, page, 0);
    TEST_CHECK(t, err == -EIO && client->quarantined && was_told(told, "storm"),
               "a storm ended with error %d: %s", -err, client->reason);
    TEST_CHECK(t, irq_is_stuck(client->completion->line), "line %u is still open",
               client->completion->line);
    TEST_CHECK(t, irq_transfer(client, page, 1) == -ENODEV, "%s is used in quarantine",
               client->name);
    check_neighbours(t, client);
    mend(t, client);
}

/*
 * Something asserts the line that nobody asks: it is edu, without a transfer. The storm begins as
 * soon as another device opens the line, before its transfer has been started.
 */
void irq_case_neighbours_storm(struct test *t)
{
    struct dma_client *client = need_edu(t);
    unsigned line;

    if (!client)
        return;
    line = client->completion->line;
    edu_raise(client);
    if (check_neighbours(t, client) == 0)
        test_skip(t, "no other device on line %u", line);
    else
        TEST_CHECK(t, irq_is_stuck(line), "line %u is open after a storm", line);
    mend(t, client);
}

void irq_case_falls_off(struct test *t)
{
    struct dma_client *client = need_edu(t);
    int err;

    if (!client)
        return;
    edu_set_fault(client, EDU_GONE);
    err = irq_transfer(client, page, 1);
    TEST_CHECK(t, err == -EIO && client->quarantined, "a device off the bus: error %d: %s", -err,
               client->reason);
    delay_us(EDU_COST_US);
    mend(t, client);
}

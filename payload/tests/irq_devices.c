/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/string.h"
#include "drivers/irq.h"
#include "drivers/pci.h"
#include "paging/page_alloc.h"
#include "payload/tests/irq_suite.h"
#include "payload/tests/workers.h"

#define TICK_HZ 1000u /* of the threads' timer */

/* The cheapest transfer that the client makes, between `page` and the one after it. */
int irq_transfer(struct dma_client *client, struct page *page, unsigned n)
{
    uint32_t bytes = MAX(client->granule_bytes, MIN(IRQ_BYTES, client->max_bytes));

    if (client->work) {
        client->work_fill(page_address(page), bytes, n);
        return client_work(client, page, 0, bytes);
    }
    if (client->loop)
        return client_loop(client, page, client->loop_head, page, PAGE_SIZE + client->loop_head,
                           client->loop_min);
    if (client->write && n % 2 == 0)
        return client_write(client, 0, page, 0, bytes);
    if (client->read)
        return client_read(client, 0, page, 0, bytes);
    if (client->send) {
        memset(page_address(page), 0, bytes); /* silence, if it is sound */
        return client_send(client, page, 0, bytes);
    }
    return client_capture(client, page, 0, bytes);
}

bool irq_has_line(const struct dma_client *client)
{
    return client->completion && client->completion->line != COMPLETION_NO_LINE &&
           !client->quarantined;
}

/* One transfer, waited for as told; what the completion counted must fit. */
bool irq_check_transfer(struct test *t, struct dma_client *client, struct page *page, unsigned n,
                        bool by_interrupt)
{
    struct completion *c = client->completion;
    uint32_t by_line = c->by_line, interrupts = c->interrupts, lost = c->lost;
    int err;

    c->by_interrupt = by_interrupt;
    err = irq_transfer(client, page, n);
    c->by_interrupt = true;
    if (!TEST_CHECK(t, err == 0, "%s: error %d: %s", client->name, -err, client->reason))
        return false;
    if (!by_interrupt)
        return TEST_CHECK(t, c->by_line == by_line, "%s: asked for, and waited for line %u",
                          client->name, c->line);
    TEST_CHECK(t, c->lost == lost, "%s: no interrupt on line %u: %s", client->name, c->line,
               client->reason);
    TEST_CHECK(t, c->by_line > by_line, "%s: line %u was not waited for", client->name, c->line);
    return TEST_CHECK(t, c->interrupts - interrupts >= c->by_line - by_line,
                      "%s: %u waits for line %u had %u interrupts", client->name,
                      c->by_line - by_line, c->line, c->interrupts - interrupts);
}

void irq_case_devices(struct test *t)
{
    struct page *buffer = irq_take_buffer(t);
    unsigned found = 0;

    if (!buffer)
        return;
    for (unsigned i = 0; i < dma_client_count() && !test_should_stop(t); i++) {
        struct dma_client *client = dma_client_at(i);

        if (!irq_has_line(client))
            continue;
        found++;
        if (!irq_check_transfer(t, client, buffer, 0, true) ||
            !irq_check_transfer(t, client, buffer, 1, false))
            continue;
        test_log(t, "%s: by line %u and by asking", client->name, client->completion->line);
    }
    if (!found)
        test_skip(t, "no device with an interrupt line");
    irq_give_buffer();
}

static bool are_two_devices(const struct dma_client *first, const struct dma_client *second)
{
    const struct pci_device *pdev = pci_device_of(first->dev);

    return pdev && pci_device_of(second->dev) && pdev != pci_device_of(second->dev);
}

/* Two devices on one line, or false. */
static bool find_neighbours(struct dma_client **first, struct dma_client **second)
{
    for (unsigned i = 0; i < dma_client_count(); i++) {
        *first = dma_client_at(i);
        for (unsigned j = i + 1; irq_has_line(*first) && j < dma_client_count(); j++) {
            *second = dma_client_at(j);
            if (irq_has_line(*second) && are_two_devices(*first, *second) &&
                (*first)->completion->line == (*second)->completion->line)
                return true;
        }
    }
    return false;
}

static struct {
    struct dma_client *client[2];
    struct page *buffer;
    volatile unsigned at_once, most_at_once;
    int err[2];
} neighbours;

/* What a page holds for a device that keeps what it is given. */
static uint8_t pattern_of(unsigned number)
{
    return (uint8_t)(number ? 0xc5 : 0x3a);
}

/* There and back, with a page of its own; the other does the same meanwhile. */
static void thread_neighbour(void *arg)
{
    struct worker *w = arg;
    struct dma_client *client = neighbours.client[w->number];
    struct page *page = neighbours.buffer + 2 * w->number;
    uint8_t *bytes = page_address(page);

    for (unsigned i = 0; i < 2 && !neighbours.err[w->number]; i++) {
        memset(bytes, i ? 0 : pattern_of(w->number), IRQ_BYTES);
        neighbours.at_once++;
        neighbours.most_at_once = MAX(neighbours.most_at_once, neighbours.at_once);
        neighbours.err[w->number] = irq_transfer(client, page, i);
        neighbours.at_once--;
        w->rounds++;
    }
    for (unsigned i = 0; client->write && i < MIN(IRQ_BYTES, client->max_bytes); i++)
        w->wrong += bytes[i] != pattern_of(w->number);
}

void irq_case_shared_line(struct test *t)
{
    uint32_t lost = 0, interrupts = 0;

    memset(&neighbours, 0, sizeof(neighbours));
    if (!find_neighbours(&neighbours.client[0], &neighbours.client[1])) {
        test_skip(t, "no two devices share a line");
        return;
    }
    neighbours.buffer = irq_take_buffer(t);
    if (!neighbours.buffer)
        return;
    for (unsigned i = 0; i < ARRAY_SIZE(neighbours.client); i++) {
        lost -= neighbours.client[i]->completion->lost;
        interrupts -= neighbours.client[i]->completion->interrupts;
    }
    if (threads_start(TICK_HZ)) {
        test_error(t, "the timer's interrupt line has no room");
    } else {
        if (workers_start(t, ARRAY_SIZE(neighbours.client), thread_neighbour))
            workers_join(t, "wrong bytes");
        threads_stop();
        for (unsigned i = 0; i < ARRAY_SIZE(neighbours.client); i++) {
            struct dma_client *client = neighbours.client[i];

            lost += client->completion->lost;
            interrupts += client->completion->interrupts;
            TEST_CHECK(t, neighbours.err[i] == 0, "%s: error %d: %s", client->name,
                       -neighbours.err[i], client->reason);
        }
        TEST_CHECK(t, lost == 0, "%u interrupts were lost", lost);
        /* One that is done before its driver looks does not wait, and lets nobody else run. */
        test_log(t, "%s and %s on line %u: %u interrupts, up to %u transfers at a time",
                 neighbours.client[0]->name, neighbours.client[1]->name,
                 neighbours.client[0]->completion->line, interrupts, neighbours.most_at_once);
    }
    irq_give_buffer();
}

void irq_case_counts(struct test *t)
{
    for (unsigned i = 0; i < dma_client_count(); i++) {
        const struct dma_client *client = dma_client_at(i);
        char name[32];

        if (!client->completion)
            continue;
        format(name, sizeof(name), "%s_interrupts", client->name);
        test_metric(t, name, client->completion->interrupts, "count");
        format(name, sizeof(name), "%s_lost", client->name);
        test_metric(t, name, client->completion->lost, "count");
    }
    test_metric(t, "spurious", irq_spurious_count(), "count");
}

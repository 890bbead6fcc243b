/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/client_loan.h"
#include "lib/format.h"

#define METRIC_BYTES 56u

struct dma_client *client_that(bool (*fits)(const struct dma_client *client), unsigned index)
{
    for (unsigned i = 0; i < dma_client_count(); i++) {
        struct dma_client *client = dma_client_at(i);

        if (fits(client) && index-- == 0)
            return client;
    }
    return NULL;
}

unsigned clients_that(bool (*fits)(const struct dma_client *client))
{
    unsigned count = 0;

    while (client_that(fits, count))
        count++;
    return count;
}

bool client_borrow(struct test *t, struct client_loan *loan, struct dma_client *client)
{
    const struct completion *c;

    loan->client = NULL;
    if (!client) {
        test_error(t, "device %u is not there any more", test_instance(t));
        return false;
    }
    if (client->quarantined) {
        test_skip(t, "%s is quarantined: %s", client->name, client->reason);
        return false;
    }
    c = client->completion;
    *loan = (struct client_loan){
        .client = client,
        .mask = client->dev->dma_mask,
        .check_ownership = client->dev->check_ownership,
        .by_interrupt = c && c->by_interrupt,
        .before = client->dev->counters,
        .interrupts_before = c ? c->interrupts : 0,
        .lost_before = c ? c->lost : 0,
    };
    return true;
}

void client_give_back(struct client_loan *loan)
{
    struct dma_client *client = loan->client;

    if (!client)
        return;
    if (client->quiet)
        client->quiet(client);
    client->dev->check_ownership = loan->check_ownership;
    dma_set_mask(client->dev, loan->mask);
    if (client->completion)
        client->completion->by_interrupt = loan->by_interrupt;
    loan->client = NULL;
}

void client_check_reach(struct test *t, const struct dma_client *client,
                        const struct dma_counters *was, phys_addr_t phys, uint32_t bytes)
{
    const struct device *dev = client->dev;
    dma_addr_t first = phys_to_dma(phys), last = first + bytes - 1;
    uint64_t boundary = dev->segment_boundary_mask;
    bool crosses = boundary && (addr_number(first) & ~boundary) != (addr_number(last) & ~boundary);
    bool must = last > dev->dma_mask || (crosses && !client->splits_boundary);
    uint32_t bounced = dev->counters.bounced - was->bounced;
    uint32_t direct = dev->counters.direct - was->direct;

    TEST_CHECK(t, (bounced > 0) == must && (direct > 0) == !must,
               "0x%llx+%u, mask 0x%llx: %u maps bounced, %u direct", addr_number(phys), bytes,
               addr_number(dev->dma_mask), bounced, direct);
    TEST_CHECK(t, dma_live_mappings(dev) == 0, "0x%llx+%u: %u mappings left after it",
               addr_number(phys), bytes, dma_live_mappings(dev));
}

void client_metric(struct test *t, const struct dma_client *client, uint64_t value,
                   const char *unit, const char *fmt, ...)
{
    char name[METRIC_BYTES];
    int length = format(name, sizeof(name), "%s_", client->name);
    va_list args;

    va_start(args, fmt);
    vformat(name + length, sizeof(name) - (size_t)length, fmt, args);
    va_end(args);
    test_metric(t, name, value, unit);
}

void client_loan_metrics(struct test *t, const struct client_loan *loan, const char *how)
{
    const struct dma_client *client = loan->client;
    const struct dma_counters *now = &client->dev->counters;
    const struct completion *c = client->completion;

    client_metric(t, client, now->direct - loan->before.direct, "count", "%s_direct", how);
    client_metric(t, client, now->bounced - loan->before.bounced, "count", "%s_bounced", how);
    if (!c)
        return;
    client_metric(t, client, c->interrupts - loan->interrupts_before, "count", "%s_interrupts",
                  how);
    client_metric(t, client, c->lost - loan->lost_before, "count", "%s_interrupts_lost", how);
}

void clients_abandon(void)
{
    devices_quiet();
    dma_check_leaks(NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/client_loan.h"

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

void clients_abandon(void)
{
    devices_quiet();
    dma_check_leaks(NULL);
}

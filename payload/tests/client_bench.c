/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/client_bench.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "payload/tests/arena_check.h"

/* Static so that abandon finds it. */
static struct client_bench bench;

void client_bench_close(struct client_bench *b)
{
    /* Before its memory is anybody else's. */
    client_give_back(&b->loan);
    for (unsigned i = 0; i < b->sets; i++)
        dma_arenas_close(b->arena[i]);
    if (b->wanted)
        free_pages(b->wanted, b->order);
    b->wanted = NULL;
    b->client = NULL;
}

void client_bench_abandon(void)
{
    clients_abandon();
    client_bench_close(&bench);
}

struct client_bench *client_bench_open(struct test *t, struct dma_client *client, unsigned sets,
                                       unsigned order)
{
    struct client_bench *b = &bench;
    bool room;

    memset(b, 0, sizeof(*b));
    b->t = t;
    b->sets = sets;
    b->order = order;
    if (!client_borrow(t, &b->loan, client))
        return NULL;
    b->client = client;
    b->wanted = __get_free_pages(GFP_KERNEL, order);
    room = b->wanted;
    for (unsigned i = 0; i < sets && room; i++)
        room = dma_arenas_open(b->arena[i], test_prng(t)) > 0;
    if (room)
        return b;
    test_error(t, "no memory for buffers of %u bytes", PAGE_SIZE << order);
    client_bench_close(b);
    return NULL;
}

void client_bench_check_end(struct client_bench *b)
{
    for (unsigned i = 0; i < b->sets; i++)
        arenas_check_whole(b->t, b->arena[i]);
    TEST_CHECK(b->t, dma_check_leaks(b->client->dev) == 0, "%s: mappings were leaked",
               b->client->name);
}

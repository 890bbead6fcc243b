/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/dma_model.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#define MEMORY_ORDER 5u
#define MEMORY_BYTES (PAGE_SIZE << MEMORY_ORDER)
#define FIFO_ORDER 4u
#define FIFO_BYTES (PAGE_SIZE << FIFO_ORDER)

struct model {
    struct dma_client client;
    struct device dev;
    uint8_t *memory;
    uint8_t *fifo; /* between the two halves of a loop, and where what is sent ends */
};

struct limits {
    const char *name;
    dma_addr_t mask;
    uint32_t boundary;
};

static const struct limits limits[DMA_NR_MODELS] = {
    {"model24", DMA_BIT_MASK(24), DMA_BOUNDARY_64K},
    {"model28", DMA_BIT_MASK(28), DMA_BOUNDARY_4G},
    {"model32", DMA_BIT_MASK(32), DMA_BOUNDARY_4G},
    {"model36", DMA_BIT_MASK(36), 0},
};

static struct model models[DMA_NR_MODELS];

static void access_bus(dma_addr_t addr, uint8_t *memory, uint32_t bytes,
                       enum dma_data_direction dir)
{
    while (bytes > 0) {
        uint32_t in_page = offset_in_page(addr);
        uint32_t part = MIN(bytes, PAGE_SIZE - in_page);
        uint8_t *window = kmap_local_pfn(phys_to_pfn(dma_to_phys(addr)));

        if (dir == DMA_TO_DEVICE)
            memcpy(memory, window + in_page, part);
        else
            memcpy(window + in_page, memory, part);
        kunmap_local(window);
        addr += part;
        memory += part;
        bytes -= part;
    }
}

/* An address that the device has no lines for never leaves it. */
static int transfer_piece(struct model *model, uint8_t *memory, struct page *page, uint32_t offset,
                          uint32_t bytes, enum dma_data_direction dir)
{
    struct device *dev = &model->dev;
    dma_addr_t addr = dma_map_page(dev, page, offset, bytes, dir);
    int err = 0;

    if (dma_mapping_error(dev, addr))
        return client_error(&model->client, -ENOMEM, "mapping of %u bytes failed", bytes);
    if (addr + bytes - 1 > dev->dma_mask)
        err = client_error(&model->client, -ERANGE, "address 0x%llx+%u is beyond the mask",
                           addr_number(addr), bytes);
    else if (dev->segment_boundary_mask &&
             (addr_number(addr) & dev->segment_boundary_mask) + bytes - 1 >
                 dev->segment_boundary_mask)
        err = client_error(&model->client, -ERANGE, "address 0x%llx+%u crosses the boundary",
                           addr_number(addr), bytes);
    else
        access_bus(addr, memory, bytes, dir);
    dma_unmap_page_attrs(dev, addr, bytes, dir, err ? DMA_ATTR_SKIP_CPU_SYNC : 0);
    return err;
}

/* In pieces that are no longer than the boundary allows, like a driver without a gather list. */
static int transfer(struct dma_client *client, uint64_t dev_offset, struct page *page,
                    uint32_t offset, uint32_t bytes, enum dma_data_direction dir)
{
    struct model *model = container_of(client, struct model, client);
    uint8_t *memory = model->memory + (uint32_t)dev_offset;
    int err = 0;

    while (!err && bytes > 0) {
        uint32_t part = MIN(bytes, model->dev.max_segment_bytes);

        err = transfer_piece(model, memory, page, offset, part, dir);
        memory += part;
        offset += part;
        bytes -= part;
    }
    return err;
}

static int model_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                      uint32_t offset, uint32_t bytes)
{
    return transfer(client, dev_offset, page, offset, bytes, DMA_FROM_DEVICE);
}

static int model_write(struct dma_client *client, uint64_t dev_offset, struct page *page,
                       uint32_t offset, uint32_t bytes)
{
    return transfer(client, dev_offset, page, offset, bytes, DMA_TO_DEVICE);
}

static int model_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes)
{
    memcpy(buf, container_of(client, struct model, client)->memory + (uint32_t)dev_offset, bytes);
    return 0;
}

/* The model has room for so much at once. */
static int check_fifo(struct dma_client *client, uint32_t bytes)
{
    if (bytes == 0 || bytes > FIFO_BYTES)
        return client_error(client, -EINVAL, "%u bytes are no frame", bytes);
    return 0;
}

static int model_send(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    struct model *model = container_of(client, struct model, client);
    int err = check_fifo(client, bytes);

    return err ? err : transfer_piece(model, model->fifo, page, offset, bytes, DMA_TO_DEVICE);
}

static int model_capture(struct dma_client *client, struct page *page, uint32_t offset,
                         uint32_t bytes)
{
    struct model *model = container_of(client, struct model, client);
    int err = check_fifo(client, bytes);

    return err ? err : transfer_piece(model, model->fifo, page, offset, bytes, DMA_FROM_DEVICE);
}

static int model_loop(struct dma_client *client, struct page *from, uint32_t from_offset,
                      struct page *to, uint32_t to_offset, uint32_t bytes)
{
    int err = model_send(client, from, from_offset, bytes);

    return err ? err : model_capture(client, to, to_offset, bytes);
}

struct dma_client *dma_model_open(unsigned index)
{
    struct model *model = &models[index];
    const struct limits *l = &limits[index];

    if (!model->memory)
        model->memory = __get_free_pages(GFP_KERNEL | __GFP_ZERO, MEMORY_ORDER);
    if (!model->fifo)
        model->fifo = __get_free_pages(GFP_KERNEL | __GFP_ZERO, FIFO_ORDER);
    if (!model->memory || !model->fifo) {
        dma_model_close(&model->client);
        return NULL;
    }
    model->dev = (struct device){
        .name = l->name,
        .dma_mask = l->mask,
        .max_segment_bytes = l->boundary == DMA_BOUNDARY_64K ? l->boundary + 1 : MEMORY_BYTES,
        .segment_boundary_mask = l->boundary,
    };
    model->client = (struct dma_client){
        .name = l->name,
        .dev = &model->dev,
        .size_bytes = MEMORY_BYTES,
        .granule_bytes = 1,
        .max_bytes = MEMORY_BYTES,
        .align_bytes = 1,
        .read = model_read,
        .write = model_write,
        .read_pio = model_read_pio,
        .loop = model_loop,
        .loop_min = 1,
        .loop_max = FIFO_BYTES,
        .send = model_send,
        .capture = model_capture,
    };
    return &model->client;
}

void dma_model_close(struct dma_client *client)
{
    struct model *model = container_of(client, struct model, client);

    if (model->memory)
        free_pages(model->memory, MEMORY_ORDER);
    if (model->fifo)
        free_pages(model->fifo, FIFO_ORDER);
    model->memory = model->fifo = NULL;
}

const char *dma_model_name(unsigned index)
{
    return limits[index].name;
}

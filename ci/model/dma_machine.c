/* SPDX-License-Identifier: BSD-2-Clause */
#include "ci/model/dma_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/finding.h"
#include "lib/inject.h"
#include "lib/x86/percpu.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#ifndef MODEL_SANITIZED
#define MODEL_SANITIZED 0
#endif

#define LOWMEM_END MIB64(20)
#define RAM_END (GIB64(64) + MIB64(1))
#define LOW_POOL_BYTES KIB(64)
#define WIDE_POOL_BYTES KIB(32)
#define COHERENT_BYTES KIB(32)
#define RECORDS_BYTES KIB(64)

struct machine machine;
unsigned model_irqs_off;

struct page *mem_map, *highmem_map;
pfn_t max_pfn = RAM_END >> PAGE_SHIFT;
pfn_t max_low_pfn = LOWMEM_END >> PAGE_SHIFT;
struct layout layout;

static const struct region plan[NR_REGIONS] = {
    /* buffers, each around a limit: 64 KiB, and where masks of 24, 28, 32 and 36 bits end */
    {phys_make(0x20e000), MODEL_PLACE_BYTES, REGION_BUFFER, NULL},
    {phys_make(MIB64(16) - MODEL_PLACE_BYTES / 2), MODEL_PLACE_BYTES, REGION_BUFFER, NULL},
    {phys_make(MIB64(256) - MODEL_PLACE_BYTES / 2), MODEL_PLACE_BYTES, REGION_BUFFER, NULL},
    {phys_make(GIB64(4) - MODEL_PLACE_BYTES / 2), MODEL_PLACE_BYTES, REGION_BUFFER, NULL},
    {phys_make(GIB64(64) - MODEL_PLACE_BYTES / 2), MODEL_PLACE_BYTES, REGION_BUFFER, NULL},
    /* the interrupt handler's */
    {phys_make(GIB64(8)), PAGE_SIZE, REGION_BUFFER, NULL},
    {phys_make(MIB64(8) - LOW_POOL_BYTES / 2), LOW_POOL_BYTES, REGION_POOL, NULL},
    {phys_make(MIB64(17)), WIDE_POOL_BYTES, REGION_POOL, NULL},
    {phys_make(MIB64(3)), COHERENT_BYTES, REGION_COHERENT, NULL},
    {phys_make(MIB64(18)), COHERENT_BYTES, REGION_COHERENT, NULL},
    {phys_make(MIB64(19)), RECORDS_BYTES, REGION_RECORDS, NULL},
    {phys_make(MIB64(4)), PAGE_SIZE, REGION_BUFFER, NULL}, /* nobody's */
};

#define MAX_BLOCKS 64u
static struct block {
    phys_addr_t phys;
    uint32_t size;
} blocks[MAX_BLOCKS]; /* given out, in no order */
static unsigned nr_blocks;

static struct cpu processor;

struct cpu *this_cpu(void)
{
    return &processor;
}

bool inject_host(const char *name)
{
    return machine.broken && strcmp(machine.broken, name) == 0;
}

extern char __executable_start[], etext[];
extern char __start_layer_text[], __stop_layer_text[];

/*
 * True if the text has an address of the caller's code, and none of the layer's own. With
 * sanitizers the compiler makes no tail calls, on which the quick paths rely for that.
 */
static bool names_caller(const char *text)
{
    bool names = false, own = false;

    while ((text = strstr(text, "0x")) != NULL) {
        uintptr_t addr = strtoull(text, (char **)&text, 16);

        if (addr >= (uintptr_t)__start_layer_text && addr < (uintptr_t)__stop_layer_text)
            own = true;
        else
            names |= addr >= (uintptr_t)__executable_start && addr < (uintptr_t)etext;
    }
    return MODEL_SANITIZED || (names && !own);
}

void finding(const char *fmt, ...)
{
    va_list args;

    machine.findings++;
    va_start(args, fmt);
    vsnprintf(machine.finding, sizeof(machine.finding), fmt, args);
    va_end(args);
    machine.anonymous += !names_caller(machine.finding);
}

static void *reserve(size_t size, int protection)
{
    void *at = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    return at;
}

/* Lowmem is one piece for the layer; the rest it reaches by windows only. */
static void build(void)
{
    /* Descriptors are never looked into, only computed with. */
    mem_map = reserve((size_t)max_pfn * sizeof(*mem_map), PROT_NONE);
    highmem_map = mem_map + max_low_pfn;
    layout.direct_offset = (virt_t)reserve(LOWMEM_END, PROT_READ | PROT_WRITE);
    memcpy(machine.region, plan, sizeof(plan));
    for (unsigned i = 0; i < NR_REGIONS; i++) {
        struct region *region = &machine.region[i];

        region->bytes = region->phys < LOWMEM_END ? (uint8_t *)layout.direct_offset + region->phys
                                                  : reserve(region->size, PROT_READ | PROT_WRITE);
    }
}

const struct region *machine_region(phys_addr_t phys, uint32_t size)
{
    for (unsigned i = 0; i < NR_REGIONS; i++) {
        const struct region *region = &machine.region[i];

        if (phys >= region->phys && phys - region->phys < region->size &&
            size <= region->size - (phys - region->phys))
            return region;
    }
    return NULL;
}

uint8_t *machine_ram(phys_addr_t phys, uint32_t size)
{
    const struct region *region = machine_region(phys, size);

    return region ? region->bytes + (phys - region->phys) : NULL;
}

uint8_t *machine_bus(const struct device *dev, dma_addr_t addr, uint32_t size, const char **why)
{
    uint64_t block_mask = dev->segment_boundary_mask;
    uint8_t *at = machine_ram(dma_to_phys(addr), size);

    *why = "no RAM";
    if (addr > dev->dma_mask || size - 1 > dev->dma_mask - addr)
        *why = "beyond its address lines";
    else if (block_mask && (addr & block_mask) + size - 1 > block_mask)
        *why = "over its boundary";
    else
        return at;
    return NULL;
}

/* What the layer calls. */

void *kmap_local_page(struct page *page)
{
    uint8_t *at = machine_ram(page_to_phys(page), PAGE_SIZE);

    machine.windows += at != NULL;
    return at;
}

void kunmap_local(const void *addr)
{
    (void)addr;
    machine.windows--;
}

void *page_address(const struct page *page)
{
    return (uint8_t *)layout.direct_offset + page_to_phys(page);
}

static bool is_free(phys_addr_t phys, uint32_t size)
{
    for (unsigned i = 0; i < nr_blocks; i++) {
        if (phys < blocks[i].phys + blocks[i].size && blocks[i].phys < phys + size)
            return false;
    }
    return nr_blocks < MAX_BLOCKS;
}

/* A free piece of a region of this kind below `end`, a multiple of its size. */
static struct page *give_of(const struct region *region, uint32_t size)
{
    for (uint32_t at = 0; at + size <= region->size; at += size) {
        if (!is_free(region->phys + at, size))
            continue;
        blocks[nr_blocks++] = (struct block){region->phys + at, size};
        machine.pages_out += size / PAGE_SIZE;
        memset(region->bytes + at, 0, size);
        return phys_to_page(region->phys + at);
    }
    return NULL;
}

static struct page *give(enum region_kind kind, phys_addr_t end, uint32_t size)
{
    struct page *page = NULL;

    for (unsigned i = NR_REGIONS; i-- > 0 && !page;) {
        if (machine.region[i].kind == kind && machine.region[i].phys < end)
            page = give_of(&machine.region[i], size);
    }
    return page;
}

static void take_back(phys_addr_t phys, uint32_t size)
{
    for (unsigned i = 0; i < nr_blocks; i++) {
        if (blocks[i].phys != phys || blocks[i].size != size)
            continue;
        blocks[i] = blocks[--nr_blocks];
        machine.pages_out -= size / PAGE_SIZE;
        return;
    }
    finding("0x%llx+%u was freed, and never allocated", (unsigned long long)phys, size);
}

struct page *alloc_pages(gfp_t gfp, unsigned order)
{
    phys_addr_t end = (gfp & __GFP_ZONE_MASK) == GFP_DMA ? ZONE_DMA_END : LOWMEM_END;

    struct page *page = order <= MAX_ORDER ? give(REGION_COHERENT, end, PAGE_SIZE << order) : NULL;

    machine.coherent_out += page != NULL;
    machine.coherent_allocs += page != NULL;
    return page;
}

void __free_pages(struct page *page, unsigned order)
{
    machine.coherent_out--;
    take_back(page_to_phys(page), PAGE_SIZE << order);
}

void *__get_free_pages(gfp_t gfp, unsigned order)
{
    struct page *page = give(REGION_RECORDS, LOWMEM_END, PAGE_SIZE << order);

    (void)gfp;
    return page ? page_address(page) : NULL;
}

void free_pages(const void *addr, unsigned order)
{
    take_back(virt_to_phys(addr), PAGE_SIZE << order);
}

struct page *alloc_pages_in(unsigned order, phys_addr_t min, phys_addr_t max)
{
    struct page *page = NULL;

    for (unsigned i = 0; i < NR_REGIONS && !page; i++) {
        const struct region *region = &machine.region[i];

        if (region->kind == REGION_POOL && region->phys >= min &&
            region->phys + region->size <= max)
            page = give_of(region, PAGE_SIZE << order);
    }
    return page;
}

extern char __start_layer_bss[] __aligned(8), __stop_layer_bss[];

/*
 * The layer's variables as before it was ever used. Between them the address sanitizer has its
 * traps.
 */
__attribute__((no_sanitize("address"))) static void reset_layer(void)
{
    volatile uint64_t *word = (volatile uint64_t *)__start_layer_bss;

    while ((char *)(word + 1) <= __stop_layer_bss)
        *word++ = 0;
    for (volatile char *byte = (volatile char *)word; byte < __stop_layer_bss; byte++)
        *byte = 0;
}

void machine_start(const char *broken)
{
    if (!mem_map)
        build();
    machine.findings = machine.anonymous = 0;
    machine.finding[0] = '\0';
    machine.windows = model_irqs_off = machine.pages_out = 0;
    machine.coherent_out = machine.coherent_allocs = 0;
    nr_blocks = 0;
    processor = (struct cpu){0};
    machine.broken = NULL;
    reset_layer();
    dma_init();
    machine.broken = broken;
}

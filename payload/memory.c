/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/memory.h"
#include "drivers/clock.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/slab.h"
#include "paging/tlb.h"
#include "payload/cpu_facts.h"
#include "payload/report.h"
#include "payload/setup.h"
#include "payload/traps.h"

#define FOUR_GIB phys_make(GIB64(4))
#define PHYS_BITS_MIN 32u
#define PAGES_PER_MIB (MIB(1) / PAGE_SIZE)

static struct {
    uint64_t init_tsc;
    uint32_t present_pages;
    uint64_t map_bytes;
} built;

/* True if the CPU takes entries for this page of RAM, rather than fault on a reserved bit. */
static bool width_reaches(phys_addr_t phys)
{
    const void *window = (void *)fix_to_virt(FIX_SCRATCH);
    struct fault_record fault;
    bool reached;

    pte_set(&fixmap_ptes[FIX_SCRATCH],
            pte_make(ALIGN_DOWN(phys, PAGE_SIZE), PTE_PRESENT | layout.nx));
    reached = probe_read32(window, NULL, &fault);
    pte_clear(&fixmap_ptes[FIX_SCRATCH]);
    tlb_flush_page((virt_t)window);
    return reached || !(fault.error_code & PF_RESERVED);
}

/*
 * Where CPUID leaves the width open, RAM itself tells: reading it harms nothing, and an address bit
 * that the CPU lacks is a reserved bit of the entry (SDM vol. 3A, 4.4.1).
 */
static void settle_width(void)
{
    phys_addr_t ram_end = memmap_usable_end(&setup.map, PHYS_ADDR_MAX);
    char why[64];

    if (!cpu_facts.phys_bits_doubtful || ram_end <= FOUR_GIB)
        return;
    while (layout.phys_bits > PHYS_BITS_MIN && !width_reaches(ram_end - PAGE_SIZE)) {
        layout.phys_bits--;
        ram_end = memmap_usable_end(&setup.map, phys_make(BIT64(layout.phys_bits)));
    }
    format(why, sizeof(why), "the CPU faults on address bits from %u up", layout.phys_bits);
    memmap_clip(&setup.map, phys_make(BIT64(layout.phys_bits)), why, boot_note);
}

/* Room for the descriptors of all RAM; of less RAM, if lowmem has no such room. */
static struct page *take_descriptors(pfn_t *nr_pfn)
{
    phys_addr_t ram_end = memmap_usable_end(&setup.map, PHYS_ADDR_MAX);
    phys_addr_t end = MIN(ram_end, pfn_to_phys(BIT(PFN_BITS)));

    while (end >= phys_make(MIB64(1))) {
        pfn_t count = phys_to_pfn(end);
        uint64_t bytes = ALIGN_UP(page_map_bytes(count), PAGE_SIZE);
        phys_addr_t at = bytes <= addr_number(layout.lowmem_end) / 2
                             ? memmap_take(&setup.map, bytes, PAGE_SIZE, layout.lowmem_end)
                             : 0;

        if (at) {
            built.map_bytes = bytes;
            *nr_pfn = count;
            if (end < ram_end)
                memmap_clip(&setup.map, end, "no room in lowmem for its page descriptors",
                            boot_note);
            return phys_to_virt(at);
        }
        end = memmap_usable_end(&setup.map, end - addr_number(end) / 8);
    }
    return NULL;
}

static void add_ranges(pfn_t nr_pfn)
{
    /* Highest first, so that lists begin with low blocks. */
    for (unsigned i = setup.map.count; i > 0; i--) {
        unsigned cursor = i - 1;
        struct mem_range range;

        if (setup.map.range[i - 1].type == MEM_USABLE &&
            memmap_next_usable(&setup.map, &cursor, &range) && cursor == i)
            page_alloc_add_range(phys_to_pfn(range.start), MIN(phys_to_pfn(range.end), nr_pfn));
    }
}

bool memory_init(void)
{
    struct page *descriptors;
    uint64_t start;
    pfn_t nr_pfn;

    settle_width();
    descriptors = take_descriptors(&nr_pfn);
    if (!descriptors)
        return false;
    start = rdtsc();
    memset(descriptors, 0, (size_t)built.map_bytes);
    page_alloc_init(descriptors, nr_pfn, MIN(phys_to_pfn(layout.lowmem_end), nr_pfn));
    add_ranges(nr_pfn);
    built.init_tsc = rdtsc() - start;
    for (unsigned i = 0; i < MAX_NR_ZONES; i++)
        built.present_pages += zone_get((enum zone_type)i)->present_pages;
    if (!slab_init())
        return false;
    return !setup.options.slab_debug || kmalloc_set_debug(SLAB_RED_ZONE | SLAB_POISON);
}

void memory_init_cost(uint64_t *tsc, uint32_t *pages)
{
    *tsc = built.init_tsc;
    *pages = built.present_pages;
}

void memory_report(void)
{
    uint32_t low = nr_free_pages(ZONE_DMA) + nr_free_pages(ZONE_NORMAL);
    uint32_t high = nr_free_pages(ZONE_HIGHMEM);
    const char *unit = clock_tsc_counts_instructions() ? "instructions" : "cycles";

    for (unsigned i = 0; i < setup.map.count; i++)
        if (setup.map.range[i].type == MEM_USABLE)
            report_line("# RAM 0x%09llx-0x%09llx", addr_number(setup.map.range[i].start),
                        addr_number(setup.map.range[i].end) - 1);
    report_line("# layout: PAGE_OFFSET 0x%08lx high_memory 0x%08lx VMALLOC 0x%08lx-0x%08lx "
                "PKMAP_BASE 0x%08x",
                (unsigned long)layout.page_offset, (unsigned long)layout.high_memory,
                (unsigned long)layout.vmalloc_start, (unsigned long)layout.vmalloc_end,
                (uint32_t)PKMAP_BASE);
    for (unsigned i = 0; i < MAX_NR_ZONES; i++) {
        const struct zone *zone = zone_get((enum zone_type)i);

        report_line("# zone %s: frames 0x%x-0x%x, %u pages free", zone->name, zone->start_pfn,
                    zone->end_pfn, nr_free_pages((enum zone_type)i));
    }
    report_metric("memory", "lowmem_free", low / PAGES_PER_MIB, "MiB");
    report_metric("memory", "highmem_free", high / PAGES_PER_MIB, "MiB");
    report_metric("memory", "descriptors", built.map_bytes >> 20, "MiB");
    report_metric("memory", "init_per_page", built.init_tsc / built.present_pages, unit);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/tlb_area.h"
#include "lib/string.h"
#include "paging/page_alloc.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"

#define BLOCKS_ORDER 10u
#define DIRECTORIES_ORDER 1u
#define OPCODE_MOV_EAX 0xb8u   /* then the 4 bytes of the value */
#define SECOND_WORD 0xc300u    /* the last of them, 0, and a RET */
#define TAG_FACTOR 0x9e3779b1u /* odd, so that no two tags are the same in the 24 bits left */

_Static_assert(PAGE_SIZE << BLOCKS_ORDER == TLB_BLOCKS * LARGE_PAGE_SIZE, "");

/* Static so that the abandon hook finds it. */
static struct {
    struct tlb_area area;
    struct page *blocks, *tables, *directories;
    bool open;
} state;

uint32_t tlb_tag(unsigned block, unsigned page)
{
    return (block * TLB_BLOCK_PAGES + page + 1) * TAG_FACTOR << 8 | OPCODE_MOV_EAX;
}

static void write_tags(void)
{
    for (unsigned block = 0; block < TLB_BLOCKS; block++)
        for (unsigned page = 0; page < TLB_BLOCK_PAGES; page++) {
            uint32_t *word = phys_to_virt(state.area.block[block] + (uint64_t)page * PAGE_SIZE);

            word[0] = tlb_tag(block, page);
            word[1] = SECOND_WORD;
        }
}

static void fill_in(struct tlb_area *area)
{
    pte_t *directory = lowmem_page_address(state.directories);

    area->directory = page_to_phys(state.directories);
    area->spare_directory = area->directory + PAGE_SIZE;
    area->directory_entry = directory + directory_index(TLB_AREA);
    area->table = page_to_phys(state.tables);
    area->table_entry = lowmem_page_address(state.tables);
    for (unsigned i = 0; i < TLB_BLOCKS; i++)
        area->block[i] = page_to_phys(state.blocks) + (uint64_t)i * LARGE_PAGE_SIZE;
    memset(directory, 0, PAGE_SIZE << DIRECTORIES_ORDER);
    memset(area->table_entry, 0, PAGE_SIZE << TLB_AREA_TABLE_ORDER);
}

const struct tlb_area *tlb_area_open(struct test *t)
{
    state.blocks = alloc_pages(GFP_KERNEL, BLOCKS_ORDER);
    state.tables = alloc_pages(GFP_KERNEL, TLB_AREA_TABLE_ORDER);
    state.directories = alloc_pages(GFP_KERNEL, DIRECTORIES_ORDER);
    if (!state.blocks || !state.tables || !state.directories) {
        test_skip(t, "no lowmem for two blocks of 2 MiB and tables");
        tlb_area_close();
        return NULL;
    }
    fill_in(&state.area);
    write_tags();
    pgtable_set_directory(TLB_AREA, state.area.directory);
    for (unsigned i = 0; i < TLB_AREA_PAGES / PTRS_PER_TABLE; i++)
        tlb_area_use_table(i);
    state.open = true;
    return &state.area;
}

void tlb_area_use_table(unsigned table)
{
    pte_set(&state.area.directory_entry[table],
            pte_make(state.area.table + (uint64_t)table * PAGE_SIZE, PTE_PRESENT | PTE_WRITE));
}

void tlb_area_close(void)
{
    if (state.open) {
        pgtable_set_directory(TLB_AREA, 0);
        tlb_flush_global();
    }
    if (state.blocks)
        __free_pages(state.blocks, BLOCKS_ORDER);
    if (state.tables)
        __free_pages(state.tables, TLB_AREA_TABLE_ORDER);
    if (state.directories)
        __free_pages(state.directories, DIRECTORIES_ORDER);
    memset(&state, 0, sizeof(state));
}

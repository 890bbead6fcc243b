/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/tests/lowmem_spaces.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/highmem.h"
#include "paging/kmap_local.h"
#include "paging/page_alloc.h"

#define PDPT_BYTES (PTRS_PER_PDPT * sizeof(pte_t))
#define SEGMENT_LOWEST ((virt_t)0x10000000u)
#define BLOCK_PAGES (1u << MAX_ORDER)
#define USER_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER)

#define PLACE_BITS 11u /* 1536 places for page tables, 3 for directories */

struct page *lowmem_segment_page(const struct lowmem_spaces *spaces, uint32_t index)
{
    return spaces->block[index / BLOCK_PAGES] + index % BLOCK_PAGES;
}

uint32_t lowmem_segment_stamp(const struct lowmem_spaces *spaces, uint32_t index, size_t *offset)
{
    *offset = index * sizeof(uint32_t) % PAGE_SIZE;
    return hash32(page_to_pfn(lowmem_segment_page(spaces, index)) ^ spaces->salt);
}

uint32_t lowmem_space_stamp(const struct lowmem_spaces *spaces, const struct lowmem_space *space)
{
    return hash32(page_to_pfn(space->program) ^ ~spaces->salt);
}

/* Of a page: hardly two have the same, so that a wrong one is noticed. */
static uint32_t number_of(const struct lowmem_spaces *spaces, const struct lowmem_space *space,
                          uint32_t place)
{
    return ((uint32_t)(space - spaces->space) << PLACE_BITS | place) & PAGE_INDEX_MAX;
}

uint32_t lowmem_space_table_index(const struct lowmem_spaces *spaces,
                                  const struct lowmem_space *space, virt_t addr)
{
    return number_of(spaces, space, (uint32_t)((uintptr_t)addr >> LARGE_PAGE_SHIFT));
}

/* Directories stand where no user address has its table. */
static uint32_t directory_number(const struct lowmem_spaces *spaces,
                                 const struct lowmem_space *space, virt_t addr)
{
    return number_of(spaces, space, (1u << PLACE_BITS) - 1 - pdpt_index(addr));
}

/* Where in the segment the address is, in pages; all ones if it is not in what is attached. */
static uint32_t segment_index(const struct lowmem_space *space, virt_t addr)
{
    if (addr < space->segment || addr - space->segment >= space->tables * LARGE_PAGE_SIZE)
        return UINT32_MAX;
    return (uint32_t)(addr - space->segment) >> PAGE_SHIFT;
}

pte_t lowmem_space_entry(const struct lowmem_spaces *spaces, const struct lowmem_space *space,
                         virt_t addr)
{
    uint32_t index = segment_index(space, addr);
    const struct page *page =
        index == UINT32_MAX ? space->program : lowmem_segment_page(spaces, index);

    if (index == UINT32_MAX && ALIGN_DOWN(addr, PAGE_SIZE) != SPACE_PROGRAM)
        return 0;
    return page ? pte_make(page_to_phys(page), USER_FLAGS | layout.nx) : 0;
}

static void stamp_page(struct page *page, size_t offset, uint32_t stamp)
{
    char *window = kmap_local_page(page);

    *(volatile uint32_t *)(window + offset) = stamp;
    kunmap_local(window);
}

static const char *take_segment(struct lowmem_spaces *spaces, unsigned blocks)
{
    while (spaces->nr_blocks < blocks) {
        struct page *block = alloc_pages(GFP_HIGHUSER | __GFP_THISZONE, MAX_ORDER);

        if (!block)
            return "this machine has no highmem for the segment that processes share";
        page_set_owner(block, spaces->segment_owner.id, spaces->nr_blocks);
        spaces->block[spaces->nr_blocks++] = block;
    }
    for (uint32_t i = 0; i < blocks * BLOCK_PAGES; i += spaces->stamp_every) {
        size_t offset;
        uint32_t stamp = lowmem_segment_stamp(spaces, i, &offset);

        stamp_page(lowmem_segment_page(spaces, i), offset, stamp);
    }
    return NULL;
}

static uint32_t stamp_every(enum depth depth)
{
    if (depth == DEPTH_FULL)
        return 1;
    return depth == DEPTH_SMOKE ? 4 : 16;
}

const char *lowmem_spaces_open(struct lowmem_spaces *spaces, struct lab *lab, unsigned blocks)
{
    *spaces = (struct lowmem_spaces){
        .lab = lab,
        .highpte = lab_has(lab, LAB_HIGHPTE),
        .large = lab_has(lab, LAB_SMALLER),
        .owner = {.name = "page_tables", .letter = 'p'},
        .segment_owner = {.name = "segment", .letter = 'g'},
        .salt = prng_u32(lab->prng),
        .stamp_every = stamp_every(test_depth(lab->t)),
    };
    spaces->space = lab_table(lab, (uint64_t)SPACES_MAX * sizeof(*spaces->space));
    spaces->pointers = kmem_cache_create("pdpt", PDPT_BYTES, PDPT_BYTES, 0);
    if (!spaces->space || !spaces->pointers || page_owner_register(&spaces->owner) ||
        page_owner_register(&spaces->segment_owner))
        return "there is no memory, or no number, for what keeps address spaces";
    return take_segment(spaces, MIN(blocks, SEGMENT_BLOCKS_MAX));
}

/* The entry for `addr` in the space's directories; NULL if there is no directory. */
static pte_t *find_directory_entry(const struct lowmem_space *space, virt_t addr)
{
    pte_t pointer = space->pointers[pdpt_index(addr)];

    if (!(pointer & PTE_PRESENT))
        return NULL;
    return (pte_t *)phys_to_virt(pte_phys(pointer)) + directory_index(addr);
}

/* The same, with a directory if there is none; NULL if there is no memory for it. */
static pte_t *directory_entry(struct lowmem_spaces *spaces, struct lowmem_space *space, virt_t addr)
{
    struct page *page;

    if (find_directory_entry(space, addr))
        return find_directory_entry(space, addr);
    page = lab_alloc(spaces->lab, GFP_KERNEL, 0, spaces->owner.id,
                     directory_number(spaces, space, addr));
    if (!page)
        return NULL;
    memset(lowmem_page_address(page), 0, PAGE_SIZE);
    pte_set(&space->pointers[pdpt_index(addr)], pte_make(page_to_phys(page), PTE_PRESENT));
    return find_directory_entry(space, addr);
}

/* The whole of a page table, written through its window. */
static void fill_table(const struct lowmem_spaces *spaces, const struct lowmem_space *space,
                       virt_t first, pte_t *table)
{
    uint32_t index = segment_index(space, first);

    if (index == UINT32_MAX) {
        memset(table, 0, PAGE_SIZE);
        pte_set(&table[table_index(SPACE_PROGRAM)],
                lowmem_space_entry(spaces, space, SPACE_PROGRAM));
        return;
    }
    /* A table is 2 MiB of a block, so that its frames follow each other. */
    pte_t entry = lowmem_space_entry(spaces, space, first);

    for (unsigned i = 0; i < PTRS_PER_TABLE; i++, entry += PAGE_SIZE)
        pte_set(&table[i], entry);
    if (inject(pagetables_wrong_frame, lowmem_pagetables))
        pte_set(&table[PTRS_PER_TABLE - 1], entry);
}

/* Gives the 2 MiB at `addr` a table, and fills that. */
static bool add_table(struct lowmem_spaces *spaces, struct lowmem_space *space, virt_t addr)
{
    virt_t first = ALIGN_DOWN(addr, LARGE_PAGE_SIZE);
    pte_t *directory = directory_entry(spaces, space, first), *window;
    struct page *page;

    if (directory && spaces->large && segment_index(space, first) != UINT32_MAX) {
        pte_set(directory, lowmem_space_entry(spaces, space, first) | PTE_LARGE);
        return true;
    }
    page = directory ? lab_alloc(spaces->lab, spaces->highpte ? GFP_HIGHUSER : GFP_KERNEL, 0,
                                 spaces->owner.id, lowmem_space_table_index(spaces, space, first))
                     : NULL;
    if (!page)
        return false;
    window = kmap_local_page(page);
    fill_table(spaces, space, first, window);
    kunmap_local(window);
    pte_set(directory, pte_make(page_to_phys(page), USER_FLAGS));
    if (inject(pagetables_cut_address, lowmem_pagetables)) /* as qemu-system-i386 does */
        pte_set(directory, (uint32_t)*directory);
    spaces->tables++;
    return true;
}

/* The place of one that ended, or a fresh one. */
static uint32_t free_slot(struct lowmem_spaces *spaces)
{
    if (spaces->ended < spaces->nr_slots && !spaces->space[spaces->ended].pointers)
        return spaces->ended;
    for (uint32_t i = 0; spaces->nr_slots == SPACES_MAX && i < SPACES_MAX; i++)
        if (!spaces->space[i].pointers)
            return i;
    return spaces->nr_slots < SPACES_MAX ? spaces->nr_slots++ : SPACES_MAX;
}

/* The lowest address at or above SEGMENT_LOWEST, and the number of places, 2 MiB apart. */
static virt_t choose_place(const struct lowmem_spaces *spaces)
{
    uint32_t room = (uint32_t)(layout.page_offset - SEGMENT_LOWEST) / LARGE_PAGE_SIZE;
    uint32_t place = prng_below(spaces->lab->prng, room - lowmem_segment_tables(spaces));

    return SEGMENT_LOWEST + place * LARGE_PAGE_SIZE;
}

static bool load_program(struct lowmem_spaces *spaces, struct lowmem_space *space)
{
    space->program = lab_alloc(spaces->lab, GFP_HIGHUSER, 0, spaces->segment_owner.id,
                               (uint32_t)(space - spaces->space));
    if (!space->program)
        return false;
    stamp_page(space->program, 0, lowmem_space_stamp(spaces, space));
    return add_table(spaces, space, SPACE_PROGRAM);
}

/* A process begins: its pointers, its program. */
static enum lab_step begin_space(struct lowmem_spaces *spaces)
{
    uint32_t slot = free_slot(spaces);
    struct lowmem_space *space = &spaces->space[slot];
    unsigned kernel = pdpt_index(layout.page_offset);

    if (slot == SPACES_MAX)
        return LAB_OVER;
    *space = (struct lowmem_space){.segment = choose_place(spaces)};
    space->pointers = lab_kmem_alloc(spaces->lab, spaces->pointers, GFP_KERNEL | __GFP_ZERO);
    if (!space->pointers) {
        lab_note_failure(spaces->lab, GFP_KERNEL, 0);
        return LAB_WEDGED;
    }
    memcpy(&space->pointers[kernel], &pgtable_top()->pdpte[kernel],
           (PTRS_PER_PDPT - kernel) * sizeof(pte_t));
    spaces->newest = slot;
    spaces->nr_spaces++;
    if (load_program(spaces, space))
        return LAB_GOES_ON;
    lowmem_space_exit(spaces, space);
    return LAB_WEDGED;
}

bool lowmem_spaces_whole(const struct lowmem_spaces *spaces)
{
    const struct lowmem_space *newest = &spaces->space[spaces->newest];

    return !newest->pointers || newest->tables == lowmem_segment_tables(spaces);
}

enum lab_step lowmem_spaces_grow(struct lowmem_spaces *spaces)
{
    struct lowmem_space *newest = &spaces->space[spaces->newest];

    if (lowmem_spaces_whole(spaces))
        return begin_space(spaces);
    newest->tables++;
    if (add_table(spaces, newest, newest->segment + (newest->tables - 1) * LARGE_PAGE_SIZE))
        return LAB_GOES_ON;
    newest->tables--;
    return LAB_WEDGED;
}

struct lowmem_space *lowmem_spaces_any(struct lowmem_spaces *spaces, struct prng *prng)
{
    uint32_t start = prng_below(prng, MAX(spaces->nr_slots, 1u));

    for (uint32_t i = 0; i < spaces->nr_slots; i++) {
        uint32_t slot = (start + i) % spaces->nr_slots;

        if (spaces->space[slot].pointers && slot != spaces->newest)
            return &spaces->space[slot];
    }
    return NULL;
}

/* What was damaged may name any page: only those that are page tables of ours go back. */
static void free_table(struct lowmem_spaces *spaces, phys_addr_t phys)
{
    pfn_t pfn = phys_to_pfn(phys);

    if (pfn_valid(pfn) && pfn_to_page(pfn)->owner == spaces->owner.id)
        lab_free(spaces->lab, pfn_to_page(pfn), 0);
}

/* The entry goes first: nobody may find the table any more when its page is somebody else's. */
static void drop_table(struct lowmem_spaces *spaces, pte_t *directory)
{
    pte_t entry = *directory;

    if (!inject(pagetables_keep_entry, lowmem_pagetables))
        pte_clear(directory);
    if (entry & PTE_LARGE)
        return;
    free_table(spaces, pte_phys(entry));
    spaces->tables--;
}

void lowmem_space_detach(struct lowmem_spaces *spaces, struct lowmem_space *space, uint32_t tables)
{
    while (space->tables && tables--) {
        virt_t last = space->segment + --space->tables * LARGE_PAGE_SIZE;
        pte_t *directory = find_directory_entry(space, last);

        if (directory && (*directory & PTE_PRESENT))
            drop_table(spaces, directory);
    }
}

static void free_tables_below(struct lowmem_spaces *spaces, pte_t *directory)
{
    for (unsigned i = 0; i < PTRS_PER_TABLE; i++)
        if (directory[i] & PTE_PRESENT)
            drop_table(spaces, &directory[i]);
}

void lowmem_space_exit(struct lowmem_spaces *spaces, struct lowmem_space *space)
{
    for (unsigned i = 0; i < pdpt_index(layout.page_offset); i++) {
        pte_t pointer = space->pointers[i];

        if (!(pointer & PTE_PRESENT))
            continue;
        free_tables_below(spaces, phys_to_virt(pte_phys(pointer)));
        free_table(spaces, pte_phys(pointer));
    }
    if (space->program)
        lab_free(spaces->lab, space->program, 0);
    kmem_cache_free(spaces->pointers, space->pointers);
    *space = (struct lowmem_space){0};
    spaces->ended = (uint32_t)(space - spaces->space);
    spaces->nr_spaces--;
}

void lowmem_spaces_close(struct lowmem_spaces *spaces)
{
    if (cr3_read() != pgtable_top()->cr3)
        cr3_write(pgtable_top()->cr3);
    for (uint32_t i = 0; i < spaces->nr_slots; i++)
        if (spaces->space[i].pointers)
            lowmem_space_exit(spaces, &spaces->space[i]);
    if (spaces->pointers)
        kmem_cache_destroy(spaces->pointers);
    for (unsigned i = 0; i < spaces->nr_blocks; i++)
        __free_pages(spaces->block[i], MAX_ORDER);
    page_owner_unregister(&spaces->owner);
    page_owner_unregister(&spaces->segment_owner);
    *spaces = (struct lowmem_spaces){.lab = NULL};
}

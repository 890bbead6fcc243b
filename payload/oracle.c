/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/oracle.h"
#include "drivers/console.h"
#include "lib/format.h"
#include "lib/option.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/belief.h"
#include "paging/layout.h"
#include "paging/page.h"
#include "payload/cpu_facts.h"
#include "payload/report.h"
#include "payload/thread.h"

/* QEMU, docs/specs/pvpanic.rst: reading tells which events it takes, writing one is the event. */
#define PVPANIC_PORT 0x505
#define PVPANIC_PANICKED BIT(0)
#define PVPANIC_KNOWN_EVENTS (BIT(0) | BIT(1) | BIT(2))
#define CPUID_HYPERVISOR 0x40000000u
#define HYPERVISOR_NAME_BYTES 12

#define RIGHTS_MAX 8

/* Told by the caller of the next point. */
static struct {
    unsigned count;
    struct {
        virt_t virt;
        phys_addr_t phys;
    } window[ORACLE_WINDOWS_MAX];
} told;

/* Joins what fits into one line. */
struct block {
    unsigned lines;
    char line[REPORT_LINE_MAX];
    size_t length;       /* 0: no line is being made */
    struct belief first; /* a list's first page, and how far the others are apart */
    virt_t last;
    uint32_t step;
};

void oracle_window(const void *window, phys_addr_t phys)
{
    if (told.count == ORACLE_WINDOWS_MAX)
        return;
    told.window[told.count].virt = ALIGN_DOWN((virt_t)window, PAGE_SIZE);
    told.window[told.count++].phys = phys;
}

static void put_rights(char *rights, uint64_t flags)
{
    const struct {
        bool set;
        char letter;
    } letters[] = {{flags & PTE_WRITE, 'w'},
                   {!(flags & PTE_NX), 'x'},
                   {flags & PTE_USER, 'u'},
                   {flags & PTE_GLOBAL, 'g'},
                   {flags & PTE_PCD, 'C'},
                   {flags & PTE_PWT, 'T'},
                   {false, 'P'}}; /* no mapping of ours has PAT set */

    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++)
        rights[i] = (char)(letters[i].set ? letters[i].letter : '-');
    rights[ARRAY_SIZE(letters)] = '\0';
}

static void put_line(struct block *block)
{
    if (block->length == 0)
        return;
    report_record("%s", block->line);
    block->lines++;
    block->length = 0;
}

static void put_map(struct block *block, const struct belief *run)
{
    char rights[RIGHTS_MAX], phys[20] = "?";

    put_line(block);
    put_rights(rights, run->flags);
    if (run->phys != BELIEF_PHYS_UNKNOWN)
        format(phys, sizeof(phys), "%llx", addr_number(run->phys));
    report_record("# oracle map %lx %s %x %s %s %s", (unsigned long)run->virt, phys, run->pages,
                  run->flags & PTE_LARGE ? "2M" : "4K", rights, run->what);
    block->lines++;
}

/* Does the page go into the list that is being made? Then it is put there. */
static bool continue_list(struct block *block, const struct belief *run, const char *frame)
{
    uint32_t step = (uint32_t)((run->virt - block->last) >> PAGE_SHIFT);
    size_t length = strlen(frame);

    if (block->length == 0 || run->what != block->first.what || run->flags != block->first.flags ||
        step != block->step || block->length + length >= REPORT_LINE_MAX)
        return false;
    memcpy(block->line + block->length, frame, length + 1);
    block->length += length;
    block->last = run->virt;
    return true;
}

/* Windows are pages that stand alone, a guard after each: a list tells many in a line. */
static void put_window(struct block *block, const struct belief *run, uint32_t step)
{
    char rights[RIGHTS_MAX], frame[20];

    format(frame, sizeof(frame), " %llx", (unsigned long long)phys_to_pfn(run->phys));
    if (continue_list(block, run, frame))
        return;
    put_line(block);
    put_rights(rights, run->flags);
    block->length = (size_t)format(block->line, sizeof(block->line), "# oracle list %lx %x %s %s%s",
                                   (unsigned long)run->virt, step, rights, run->what, frame);
    block->first = *run;
    block->last = run->virt;
    block->step = step;
}

static void put_run(void *ctx, const struct belief *run)
{
    struct belief known = *run;

    for (unsigned i = 0; i < told.count && known.phys == BELIEF_PHYS_UNKNOWN; i++)
        if (told.window[i].virt == run->virt)
            known.phys = told.window[i].phys;
    if (known.pages == 1 && known.phys != BELIEF_PHYS_UNKNOWN && known.virt >= PKMAP_BASE)
        put_window(ctx, &known, PKMAP_STRIDE / PAGE_SIZE);
    else
        put_map(ctx, &known);
}

static void put_top(struct block *block)
{
    const struct pgtable_top *top = pgtable_top();

    report_record("# oracle top cr3 %x pdpte %llx %llx %llx %llx pae 1 pge %u nxe %u", top->cr3,
                  (unsigned long long)top->pdpte[0], (unsigned long long)top->pdpte[1],
                  (unsigned long long)top->pdpte[2], (unsigned long long)top->pdpte[3],
                  layout.global != 0, layout.nx != 0);
    block->lines++;
}

/* On other machines the port may be anything, and writing to it may do anything. */
static bool has_pvpanic(void)
{
    static const char names[][HYPERVISOR_NAME_BYTES + 1] = {"TCGTCGTCGTCG", "KVMKVMKVM\0\0\0"};
    struct cpuid_regs name = cpuid(CPUID_HYPERVISOR, 0);
    bool is_qemu = false;
    uint8_t events;

    if (!(cpuid(1, 0).ecx & CPUID1_ECX_HYPERVISOR))
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
        is_qemu |= memcmp(&name.ebx, names[i], HYPERVISOR_NAME_BYTES) == 0;
    if (!is_qemu)
        return false;
    events = inb(PVPANIC_PORT);
    return (events & PVPANIC_PANICKED) && !(events & ~PVPANIC_KNOWN_EVENTS);
}

/* The emulator stops behind one of these instructions, and nothing is executed until it goes on. */
static void stop_here(void)
{
    /* What is said must have arrived before it is asked about. */
    console_drain();
    if (has_pvpanic())
        outb(PVPANIC_PORT, PVPANIC_PANICKED);
    else
        __asm__ volatile("xchgw %%bx, %%bx" : : : "memory");
    /* QEMU stops at the end of a block of translated code, so that ends here. */
    __asm__ volatile("jmp 1f\n1:" : : : "memory");
}

/* Threads' stacks stand in areas whose pages paging keeps no book of. */
static void put_stack(void *ctx, virt_t window, struct page *stack)
{
    put_run(ctx, &(struct belief){window, page_to_phys(stack), BIT(stack->order),
                                  PTE_WRITE | layout.nx, "stack"});
}

static bool was_marked;

bool oracle_was_marked(void)
{
    return was_marked;
}

void oracle_mark(const char *point)
{
    const char *list = setup.options.oracle_points;
    struct block block = {.lines = 0};
    uint32_t flags;

    if (list[0] && !list_match(list, strlen(list), point)) {
        told.count = 0;
        return;
    }
    was_marked = true;
    flags = irq_save();
    report_line("# oracle %s begin", point);
    put_top(&block);
    belief_tell(put_run, &block);
    thread_tell_stacks(put_stack, &block);
    put_line(&block);
    report_line("# oracle %s end lines=%u", point, block.lines);
    stop_here();
    told.count = 0;
    irq_restore(flags);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flat phase: from the loader's structures to page tables. It runs with paging off on any CPU
 * from the 386 on (this folder is compiled for one), so that it can say clearly what is missing.
 * It leaves nothing but data without pointers, since the image moves once more.
 */
#include "drivers/power.h"
#include "lib/errno.h"
#include "lib/format.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/cache_type.h"
#include "paging/layout.h"
#include "paging/pgtable.h"
#include "payload/cpu_facts.h"
#include "payload/report.h"
#include "payload/setup.h"

#define FOUR_GIB phys_make(GIB64(4))
#define MAP_ENTRIES_OURS 32u /* what taking memory for ourselves may add to the map */

/* Video memory, option ROMs and the BIOS: never RAM, whatever a map says (PC/AT memory layout). */
#define LEGACY_HOLE phys_make(0xa0000)
#define BIOS_SCRATCH_END phys_make(0x10000)
#define LEGACY_HOLE_END phys_make(MIB64(1))

struct setup setup;

static uint32_t image_bytes(void)
{
    return (virt_t)image_end - (virt_t)image_start;
}

static void open_consoles(void)
{
    const struct options *options = &setup.options;
    unsigned open = 0;

    for (unsigned i = 0; i < options->nr_consoles; i++) {
        const char *spec = options->console[i];
        char text[BOOT_NOTE_TEXT_MAX];
        int error = console_add(spec, strlen(spec), &boot_facts.screen);

        if (error == 0) {
            open++;
            continue;
        }
        format(text, sizeof(text), "option console=%s: %s", spec,
               error == -EINVAL ? "not a console, or a speed that a UART can't have"
                                : "no such device answers");
        boot_note(text);
    }
    if (open == 0)
        console_default(&boot_facts.screen);
}

void say_boot_notes(void)
{
    for (unsigned i = 0; i < boot_facts.nr_notes; i++)
        report_line("# warning: %s", boot_facts.note[i]);
    if (boot_facts.notes_lost)
        report_line("# warning: %u more", boot_facts.notes_lost);
    boot_facts.nr_notes = 0;
    boot_facts.notes_lost = 0;
}

static __noreturn void refuse(const char *fmt, ...) __printf(1, 2);

/* The machine can't run the payload: one clear line, and the end. */
static void refuse(const char *fmt, ...)
{
    char text[REPORT_LINE_MAX];
    va_list args;

    say_boot_notes();
    va_start(args, fmt);
    vformat(text, sizeof(text), fmt, args);
    va_end(args);
    report_line("# paeload: REFUSED: %s", text);
    power_leave(setup.options.exit == POWER_QEMU ? POWER_QEMU : POWER_HALT, EXIT_REFUSED);
}

static void check_cpu(void)
{
    cpu_facts_read();
    if (!cpu_facts.has_cpuid)
        refuse("this CPU has no PAE (a %s)", cpu_facts.brand);
    if (!cpu_facts.has_pae)
        refuse("this CPU has no PAE (%s, signature 0x%x, features 0x%08x)", cpu_facts.brand,
               cpu_facts.signature, cpu_facts.features);
    /* Each CPU with PAE has these; an emulator can be told otherwise. */
    if (!(cpu_facts.features & CPUID1_EDX_CMOV))
        refuse("this CPU has PAE but no CMOV, which is no i686 (features 0x%08x)",
               cpu_facts.features);
    if (!(cpu_facts.features & CPUID1_EDX_TSC))
        refuse("this CPU has no time-stamp counter (features 0x%08x)", cpu_facts.features);
}

static void apply_mutations(void)
{
    for (unsigned i = 0; i < setup.options.nr_injects; i++) {
        const char *name = setup.options.inject[i];
        unsigned sites = inject_enable(name);

        if (sites)
            report_line("# inject: %s broken on purpose, in %u place%s", name, sites,
                        sites == 1 ? "" : "s");
        else
            report_line("# warning: option inject=%s: no such mutation", name);
    }
}

/*
 * BIOS and system management code of old machines write to the first 64 KiB at any time. They are
 * RAM like the rest, and mapped, but nobody gets them.
 */
static void keep_first_pages(struct memmap *map)
{
    struct mem_range range;

    for (unsigned cursor = 0; memmap_next_usable(map, &cursor, &range);) {
        if (range.start >= BIOS_SCRATCH_END)
            return;
        memmap_mark(map, range.start, MIN(range.end, BIOS_SCRATCH_END), MEM_TAKEN);
    }
}

/* The map as we will use it: trusted, within what the CPU and the options allow, without ourselves.
 */
static void take_memory_map(uint32_t image)
{
    struct memmap *map = &setup.map;
    char why[48];

    *map = boot_facts.map;
    memmap_sanitise(map, boot_note);
    if (memmap_usable_bytes(map, LEGACY_HOLE, LEGACY_HOLE_END)) {
        boot_note("memory map: RAM claimed between 0xa0000 and 0xfffff, left out");
        memmap_mark(map, LEGACY_HOLE, LEGACY_HOLE_END, MEM_RESERVED);
    }
    keep_first_pages(map);
    memmap_make_room(map, MAP_ENTRIES_OURS, boot_note);
    format(why, sizeof(why), "the CPU has %u physical address bits", cpu_facts.phys_bits);
    memmap_clip(map, phys_make(BIT64(cpu_facts.phys_bits)), why, boot_note);
    if (setup.options.mem)
        memmap_clip(map, setup.options.mem, "option mem=", NULL);
    setup.image = phys_make(image);
    if (memmap_mark(map, setup.image, setup.image + image_bytes(), MEM_TAKEN) != 0)
        refuse("the memory map has %u ranges, no room for one more", map->count);
    say_boot_notes();
}

/* Paging is off: a symbol is its physical address. */
static phys_addr_t phys_of(const char *symbol)
{
    return phys_make((uint32_t)symbol);
}

static void build_tables(void)
{
    const phys_addr_t guards[] = {phys_of(boot_stack_guard), phys_of(fault_stack_guard),
                                  phys_of(last_stack_guard)};
    const struct image_ranges image = {
        .text = phys_of(image_start),
        .text_end = phys_of(rodata_start),
        .rodata = phys_of(rodata_start),
        .rodata_end = phys_of(data_start),
        .data = phys_of(data_start),
        .data_end = phys_of(image_end),
        .guards = guards,
        .nr_guards = ARRAY_SIZE(guards),
    };
    phys_addr_t ram_end = memmap_usable_end(&setup.map, FOUR_GIB);

    layout_init((virt_t)setup.options.page_offset, MAX(ram_end, setup.image + image_bytes()));
    layout.nx = cpu_facts.has_nx ? PTE_NX : 0;
    layout.global = (cpu_facts.features & CPUID1_EDX_PGE) ? PTE_GLOBAL : 0;
    layout.write_combining =
        (cpu_facts.features & CPUID1_EDX_PAT) ? WRITE_COMBINING_BY_PAT : WRITE_COMBINING_BY_MTRR;
    layout.phys_bits = (uint8_t)cpu_facts.phys_bits;
    if (setup.image + image_bytes() > layout.lowmem_end)
        refuse("the image was loaded at 0x%llx, beyond lowmem", addr_number(setup.image));
    if (pgtable_build(&setup.map, &image, &setup.paging.cr3, &setup.paging.cr3_temporary) != 0)
        refuse("no memory for page tables: %llu KiB usable below 0x%llx",
               (unsigned long long)memmap_usable_bytes(&setup.map, 0, layout.lowmem_end) >> 10,
               addr_number(layout.lowmem_end));
    setup.paging.page_offset = (uint32_t)layout.page_offset;
}

/* What a loader may have left otherwise: caches off, long mode armed, memory types of its own. */
static void set_up_processor(void)
{
    bool has_efer = cpu_facts.extended_features & (CPUID_EXT_EDX_NX | CPUID_EXT_EDX_LM);

    wbinvd();
    cr0_write(cr0_read() & ~(CR0_CD | CR0_NW));
    cr4_write(CR4_PAE);
    /* With LME set, turning paging on would enter long mode (SDM vol. 3A, 10.8.5). */
    if (has_efer)
        wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & ~(uint64_t)(EFER_LME | EFER_NXE)) |
                            (cpu_facts.has_nx ? EFER_NXE : 0));
    if (cpu_facts.features & CPUID1_EDX_PAT)
        wrmsr(MSR_PAT, PAT_ENTRIES);
}

struct paging_switch *flat_main(uint32_t magic, uint32_t info, uint32_t image)
{
    int error = boot_facts_read(magic, (const void *)info);

    options_parse(&setup.options, boot_facts.command_line, boot_note);
    open_consoles();
    report_begin(setup.options.report);
    if (entry_tsc)
        setup.first_line_tsc = (uint32_t)rdtsc() - entry_tsc;
    if (error)
        refuse("started by no Multiboot loader: EAX is 0x%08x", magic);
    check_cpu();
    say_boot_notes();
    apply_mutations();
    take_memory_map(image);
    build_tables();

    set_up_processor();
    /* From the jump on, lowmem is at PAGE_OFFSET; nothing reads this before. */
    layout.direct_offset = (uintptr_t)layout.page_offset;
    return &setup.paging;
}

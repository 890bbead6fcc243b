/* SPDX-License-Identifier: BSD-2-Clause */
/* The paged phase: everything from the first instruction at PAGE_OFFSET to the end of the run. */
#include "drivers/acpi.h"
#include "drivers/avoid.h"
#include "drivers/clock.h"
#include "drivers/console.h"
#include "drivers/destructive.h"
#include "drivers/dma.h"
#include "drivers/irq.h"
#include "drivers/pci.h"
#include "drivers/sound.h"
#include "drivers/transfer.h"
#include "lib/prng.h"
#include "lib/x86/cpu.h"
#include "paging/layout.h"
#include "paging/pgtable.h"
#include "paging/tlb.h"
#include "payload/cpu_facts.h"
#include "payload/entry.h"
#include "payload/fault_report.h"
#include "payload/irq_notes.h"
#include "payload/memory.h"
#include "payload/report.h"
#include "payload/run.h"
#include "payload/setup.h"
#include "payload/traps.h"

#define FAULT_TEXT_MAX 64

static void settle_seed(void)
{
    if (!setup.options.seed_given)
        setup.options.seed = hash64(rdtsc());
}

static void say_machine(void)
{
    static const char *const depths[] = {
        [DEPTH_SPARSE] = "sparse", [DEPTH_SMOKE] = "smoke", [DEPTH_FULL] = "full"};

    report_line("# paeload %s seed=%llx depth=%s loader=\"%s\"", PAELOAD_VERSION,
                (unsigned long long)setup.options.seed, depths[setup.options.depth],
                boot_facts.loader_name);
    report_line("# cpu: %s, signature 0x%x, %u physical address bits, %s", cpu_facts.brand,
                cpu_facts.signature, layout.phys_bits, layout.nx ? "NX" : "no NX");
    report_line("# image: physical 0x%llx, text at %p, %llu MHz TSC%s", addr_number(setup.image),
                image_start, (unsigned long long)(clock_tsc_hz() / 1000000),
                clock_tsc_counts_instructions() ? " that counts instructions" : "");
}

/* What was asked of the lowmem laboratory, if anything. */
static void say_laboratory(void)
{
    const struct options *o = &setup.options;

    if (o->lowmem == OPTION_LOWMEM_ALL)
        report_line("# laboratory: lowmem=all");
    else if (o->lowmem)
        report_line("# laboratory: lowmem=%lluK", (unsigned long long)(o->lowmem / 1024));
    for (unsigned i = 0; i < o->nr_sizes; i++)
        report_line("# laboratory: size=%s:%llu", o->sizes[i].name,
                    (unsigned long long)o->sizes[i].value);
    for (unsigned i = 0; i < NR_OPTION_REMEDIES; i++)
        if (!(o->remedies & BIT(i)))
            report_line("# laboratory: without %s", option_remedy_names[i]);
}

static void find_acpi(void)
{
    phys_addr_t rsdp = boot_facts.rsdp_size ? virt_to_phys(boot_facts.rsdp) : 0;

    if (acpi_init(rsdp) != 0)
        report_line("# ACPI: no usable root table%s", rsdp ? " where the loader pointed" : "");
}

/* A name that no driver knows is a slip of the hand that nobody should find out by its result. */
static void say_unknown_media(void)
{
    char name[OPTION_TEXT_MAX];

    for (unsigned i = 0; destructive_unknown(i, name, sizeof(name)); i++)
        report_line("# warning: option destructive=%s: no driver here writes to such a medium",
                    name);
}

/* The same: who wants a device left alone has to know if it was not. */
static void say_unknown_avoided(void)
{
    const char *why = avoid_matches("pci") ? "not met with, and avoid=pci kept from looking on PCI"
                                           : "no driver and no PCI function here is called so";
    char name[OPTION_TEXT_MAX];

    for (unsigned i = 0; avoid_unknown(i, name, sizeof(name)); i++)
        report_line("# warning: option avoid=%s: %s", name, why);
}

static void say_unknown_audible(void)
{
    char name[OPTION_TEXT_MAX];

    for (unsigned i = 0; sound_unknown(i, name, sizeof(name)); i++)
        report_line("# warning: option audible=%s: no sound device here is called so", name);
}

static void init_dma(void)
{
    if (dma_init() != 0) {
        report_line("# error: no memory for the DMA bounce pools");
        report_count_error();
    }
}

/* A device that leads a driver astray costs that step, not the run. */
static bool guarded(const char *step, void (*fn)(void))
{
    char what[FAULT_TEXT_MAX];

    if (fault_guard_hook(fn, what, sizeof(what)))
        return true;
    report_line("# error: %s ended by a %s", step, what);
    report_count_error();
    return false;
}

/*
 * What was being looked at when a fault ended the search may be at work still: a client that is not
 * known yet, whose memory is nobody's any more.
 */
static void stop_devices(void)
{
    devices_quiet();
    pci_stop_masters();
}

static void say_probe(const struct probe_result *result)
{
    report_line("# device: %s: %s", result->driver, result->text);
}

/* The last line, if the machine stands still. */
static void say_probing(const char *driver, const char *where)
{
    report_line("# probing: %s%s%s", driver, where ? " at " : "", where ? where : "");
}

void paged_main(void)
{
    bool clock_is_measured;

    pgtable_enter_paging();
    tlb_init();
    traps_init();
    if (!memory_init()) {
        console_enter_paging();
        fault_stop("no memory for page descriptors");
    }
    console_enter_paging();
    say_boot_notes();
    clock_is_measured = clock_init();
    settle_seed();
    say_machine();
    say_laboratory();
    if (!clock_is_measured)
        report_line("# warning: the PIT does not answer; the TSC is taken for %llu MHz",
                    (unsigned long long)(clock_tsc_hz() / 1000000));
    memory_report();
    guarded("the search for ACPI tables", find_acpi);
    irq_init();
    irq_enable();
    init_dma();
    probe_set_hook(say_probe);
    destructive_init(setup.options.destructive);
    sound_set_audible(setup.options.audible);
    avoid_init(setup.options.avoid);
    if (setup.options.probes)
        probe_set_announcer(say_probing);
    if (!guarded("the search for devices", devices_probe))
        guarded("stopping them", stop_devices);
    say_unknown_avoided();
    say_unknown_media();
    say_unknown_audible();
    irq_tell_stuck(0);
    run_suites();
    run_leave();
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/fault_report.h"
#include "lib/x86/cpu.h"
#include "paging/pgtable.h"
#include "paging/preempt.h"
#include "payload/report.h"
#include "payload/run.h"
#include "payload/symbols.h"

#define CASE_INDENT 4
#define BACKTRACE_MAX 16

static bool reporting; /* a fault while reporting a fault: say less */

const char *fault_vector_name(unsigned vector)
{
    static const char *const names[NR_EXCEPTIONS] = {
        [0] = "divide error",
        [1] = "debug exception",
        [2] = "NMI",
        [3] = "breakpoint",
        [4] = "overflow",
        [5] = "bound range exceeded",
        [6] = "invalid opcode",
        [7] = "device not available",
        [8] = "double fault",
        [10] = "invalid TSS",
        [11] = "segment not present",
        [12] = "stack-segment fault",
        [13] = "general protection",
        [14] = "page fault",
        [16] = "x87 error",
        [17] = "alignment check",
        [18] = "machine check",
        [19] = "SIMD exception",
    };

    if (vector < NR_EXCEPTIONS && names[vector])
        return names[vector];
    return "unknown exception";
}

static void report_walk(uint32_t addr)
{
    struct page_walk walk;

    pgtable_walk(cr3_read(), (virt_t)addr, &walk);
    report_note(CASE_INDENT, "walk 0x%08x: PDPTE %016llx PDE %016llx PTE %016llx", addr,
                (unsigned long long)walk.pdpte, (unsigned long long)walk.pde,
                (unsigned long long)walk.pte);
    if (walk.present)
        report_note(CASE_INDENT, "walk: physical 0x%llx, %s%s%s", addr_number(walk.phys),
                    walk.size == LARGE_PAGE_SIZE ? "2 MiB" : "4 KiB",
                    walk.writable ? ", writable" : ", read-only",
                    walk.no_execute ? ", no execute" : "");
    else
        report_note(CASE_INDENT, "walk: not mapped, ended at level %u of 3", walk.levels);
}

static void report_place(const char *what, uint32_t addr)
{
    struct symbol_place place;

    if (symbol_find(addr, &place))
        report_note(CASE_INDENT, "%s 0x%08x %s+0x%x", what, addr, place.name, place.offset);
    else
        report_note(CASE_INDENT, "%s 0x%08x", what, addr);
}

/* Follows saved frame pointers as long as they can be read and go upwards. */
static void report_backtrace(uint32_t eip, uint32_t ebp)
{
    report_place("at", eip);
    for (unsigned i = 0; i < BACKTRACE_MAX && ebp; i++) {
        uint32_t next, from;

        if (!probe_read32((void *)ebp, &next, NULL) ||
            !probe_read32((void *)(ebp + sizeof(next)), &from, NULL))
            return;
        report_place("from", from);
        if (next <= ebp)
            return;
        ebp = next;
    }
}

void fault_report_on_stack(const struct trap_frame *frame, uint32_t esp)
{
    uint32_t address = cr2_read();

    report_note(CASE_INDENT, "unexpected %s (vector %u), error code 0x%x, EIP 0x%08x",
                fault_vector_name(frame->vector), frame->vector, frame->error_code, frame->eip);
    if (reporting)
        return;
    reporting = true;
    report_note(CASE_INDENT, "EAX %08x EBX %08x ECX %08x EDX %08x", frame->eax, frame->ebx,
                frame->ecx, frame->edx);
    report_note(CASE_INDENT, "ESI %08x EDI %08x EBP %08x ESP %08x EFLAGS %08x", frame->esi,
                frame->edi, frame->ebp, esp, frame->eflags);
    report_note(CASE_INDENT, "CR0 %08x CR2 %08x CR3 %08x CR4 %08x", cr0_read(), address, cr3_read(),
                cr4_read());
    if (frame->vector == VECTOR_PF || frame->vector == VECTOR_DF)
        report_walk(address);
    report_backtrace(frame->eip, frame->ebp);
    reporting = false;
}

void fault_report_reset(void)
{
    reporting = false;
}

void fault_report(const struct trap_frame *frame)
{
    /* Within one ring the processor pushes no ESP: the frame's end is where it was. */
    fault_report_on_stack(frame, (uint32_t)(frame + 1));
}

void fault_stop(const char *why)
{
    report_line("# error: %s, the run ends here", why);
    report_count_error();
    preempt_disable(); /* what the way out allocates must not wait, or ask caches on this stack */
    run_leave();
}

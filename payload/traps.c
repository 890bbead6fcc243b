/* SPDX-License-Identifier: BSD-2-Clause */
#include "payload/traps.h"
#include "drivers/irq.h"
#include "drivers/pit.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "paging/kmap_local.h"
#include "paging/page_guard.h"
#include "payload/cpu_facts.h"
#include "payload/entry.h"
#include "payload/fault_report.h"
#include "payload/thread.h"

/* SDM vol. 3A, 3.4.5 and 7.2.2: descriptor bits, high word */
#define SEG_CODE_FLAGS 0x00cf9a00u /* present, code, readable, 32-bit, 4 KiB granular, 4 GiB */
#define SEG_DATA_FLAGS 0x00cf9200u /* present, data, writable, the same */
#define SEG_TSS_FLAGS 0x00008900u  /* present, available 32-bit TSS, byte granular */
#define SEG_LIMIT_ALL 0x0000ffffu

#define GATE_INTERRUPT 0x8e00u /* SDM vol. 3A, figure 6-2: present, DPL 0, 32-bit, IF cleared */
#define GATE_TASK 0x8500u

#define STUB_BYTES 16u
#define IDT_VECTORS 256u

enum gdt_index { GDT_NULL, GDT_CODE, GDT_DATA, GDT_PERCPU, GDT_TSS, GDT_FAULT_TSS, GDT_ENTRIES };
#define SELECTOR(index) ((uint16_t)((index)*8u))

/* SDM vol. 3A, figure 7-2 */
struct tss {
    uint32_t previous;
    uint32_t esp0, ss0, esp1, ss1, esp2, ss2;
    uint32_t cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t debug_trap, io_map_base;
};

/* What guard_call() keeps, in the order that trap_entry.S knows. */
struct guard_context {
    uint32_t ebx, esi, edi, ebp, esp;
};

/* An instruction that may fault, and where to go on then. */
struct fixup {
    uint32_t at, to;
};

extern const char trap_stubs[], trap_ignore[], double_fault_task[], guard_abort_ecx[];
void trap_handle(struct trap_frame *frame);
void double_fault_handle(void);
bool guard_call(guarded_fn fn, void *ctx, struct guard_context *context);
__noreturn void guard_abort(struct guard_context *context);

static struct cpu boot_cpu;
static struct tss main_tss, fault_tss;
static uint64_t gdt[GDT_ENTRIES];
static uint64_t idt[IDT_VECTORS];

/* The one guarded call, and what ended it. Thread context of the boot processor. */
static struct {
    bool active;
    bool expects_vector;
    bool was_expected;
    unsigned expected_vector;
    uint32_t expected_low, expected_high;
    struct guard_context context;
    char what[64];
} guard;

static uint64_t segment(uint32_t base, uint32_t limit, uint32_t flags)
{
    uint32_t low = (base << 16) | (limit & 0xffff);
    uint32_t high = (base & 0xff000000) | ((base >> 16) & 0xff) | flags;

    return (uint64_t)high << 32 | low;
}

static void set_gate(unsigned vector, const void *target, uint16_t selector, uint32_t kind)
{
    uint32_t offset = (uint32_t)target;

    idt[vector] = (uint64_t)((offset & 0xffff0000) | kind) << 32 |
                  ((uint32_t)selector << 16 | (offset & 0xffff));
}

static void load_tables(void)
{
    struct __packed {
        uint16_t limit;
        uint32_t base;
    } gdtr = {sizeof(gdt) - 1, (uint32_t)gdt}, idtr = {sizeof(idt) - 1, (uint32_t)idt};

    __asm__ volatile("lgdt %0\n"
                     "ljmp %2, $1f\n"
                     "1: movl %3, %%eax\n"
                     "movl %%eax, %%ds\n"
                     "movl %%eax, %%es\n"
                     "movl %%eax, %%ss\n"
                     "movl %4, %%eax\n"
                     "movl %%eax, %%fs\n"
                     "xorl %%eax, %%eax\n"
                     "movl %%eax, %%gs\n"
                     "lldt %%ax\n"
                     "lidt %1\n"
                     :
                     : "m"(gdtr), "m"(idtr), "i"(SELECTOR(GDT_CODE)), "i"(SELECTOR(GDT_DATA)),
                       "i"(SELECTOR(GDT_PERCPU))
                     : "eax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR(GDT_TSS)) : "memory");
}

void traps_init(void)
{
    boot_cpu.self = &boot_cpu;
    kmap_local_init(&boot_cpu);
    main_tss = (struct tss){.ss0 = SELECTOR(GDT_DATA),
                            .esp0 = (uint32_t)boot_stack_end,
                            .cr3 = cr3_read(),
                            .io_map_base = sizeof(struct tss)};
    fault_tss = (struct tss){
        .cr3 = cr3_read(),
        .eip = (uint32_t)double_fault_task,
        .eflags = 2, /* the bit that is always set */
        .esp = (uint32_t)fault_stack_end,
        .es = SELECTOR(GDT_DATA),
        .cs = SELECTOR(GDT_CODE),
        .ss = SELECTOR(GDT_DATA),
        .ds = SELECTOR(GDT_DATA),
        .fs = SELECTOR(GDT_PERCPU),
        .io_map_base = sizeof(struct tss),
    };
    gdt[GDT_CODE] = segment(0, SEG_LIMIT_ALL, SEG_CODE_FLAGS);
    gdt[GDT_DATA] = segment(0, SEG_LIMIT_ALL, SEG_DATA_FLAGS);
    gdt[GDT_PERCPU] = segment((uint32_t)&boot_cpu, SEG_LIMIT_ALL, SEG_DATA_FLAGS);
    gdt[GDT_TSS] = segment((uint32_t)&main_tss, sizeof(main_tss) - 1, SEG_TSS_FLAGS);
    gdt[GDT_FAULT_TSS] = segment((uint32_t)&fault_tss, sizeof(fault_tss) - 1, SEG_TSS_FLAGS);
    for (unsigned vector = 0; vector < NR_VECTORS; vector++)
        set_gate(vector, trap_stubs + vector * STUB_BYTES, SELECTOR(GDT_CODE), GATE_INTERRUPT);
    /* Firmware may have left an interrupt pending at a vector of its own. */
    for (unsigned vector = NR_VECTORS; vector < IDT_VECTORS; vector++)
        set_gate(vector, trap_ignore, SELECTOR(GDT_CODE), GATE_INTERRUPT);
    set_gate(VECTOR_DF, NULL, SELECTOR(GDT_FAULT_TSS), GATE_TASK);
    load_tables();
    /* A machine check is then an exception like others, not a shutdown without a word. */
    if (cpu_facts.features & CPUID1_EDX_MCE)
        cr4_write(cr4_read() | CR4_MCE);
}

/* True if somebody waits for a fault at this very place; the frame then goes on there. */
static bool fixed_up(struct trap_frame *frame)
{
    struct cpu *cpu = this_cpu();
    uint32_t address = frame->vector == VECTOR_PF ? cr2_read() : 0;
    uint32_t to = 0;

    if (frame->vector != VECTOR_PF && frame->vector != VECTOR_GP)
        return false;
    table_for_each (fixup, struct fixup, f) {
        if (f->at == frame->eip)
            to = f->to;
    }
    if (!to && cpu->probe_return_eip && frame->vector == VECTOR_PF && frame->eip == address)
        to = cpu->probe_return_eip;
    if (!to)
        return false;
    cpu->probe = (struct fault_record){.hit = true,
                                       .vector = (uint8_t)frame->vector,
                                       .error_code = frame->error_code,
                                       .address = address};
    frame->eip = to;
    return true;
}

static bool is_expected(unsigned vector, uint32_t address)
{
    return guard.active && guard.expects_vector && guard.expected_vector == vector &&
           address >= guard.expected_low && address < guard.expected_high;
}

/* Notes what ended the guarded call, before going back to its caller. */
static void leave_guard(unsigned vector, uint32_t eip, uint32_t address)
{
    guard.was_expected = is_expected(vector, address);
    guard.active = false;
    this_cpu()->irq_depth = 0;
    this_cpu()->preempt_count = 0;
    this_cpu()->probe_return_eip = 0;
    fault_report_reset();
    format(guard.what, sizeof(guard.what), "%s at EIP 0x%08x, address 0x%08x",
           fault_vector_name(vector), eip, address);
}

static void handle_fault(struct trap_frame *frame)
{
    uint32_t address = frame->vector == VECTOR_PF ? cr2_read() : frame->eip;

    if (frame->vector == VECTOR_PF &&
        page_guard_fault((virt_t)address, frame->error_code & PF_WRITE, (const void *)frame->eip))
        return;
    if (fixed_up(frame))
        return;
    if (!is_expected(frame->vector, address))
        fault_report(frame);
    if (!guard.active)
        fault_stop("a fault outside of any case");
    leave_guard(frame->vector, frame->eip, address);
    guard_abort(&guard.context);
}

void trap_handle(struct trap_frame *frame)
{
    if (frame->vector < NR_EXCEPTIONS) {
        handle_fault(frame);
        return;
    }
    this_cpu()->irq_depth++;
    irq_dispatch(frame->vector - IRQ_BASE_VECTOR);
    this_cpu()->irq_depth--;
    thread_interrupt_exit();
}

/* On the stack of the double fault's own task. The main TSS holds the state that faulted. */
void double_fault_handle(void)
{
    struct trap_frame frame = {
        .edi = main_tss.edi,
        .esi = main_tss.esi,
        .ebp = main_tss.ebp,
        .ebx = main_tss.ebx,
        .edx = main_tss.edx,
        .ecx = main_tss.ecx,
        .eax = main_tss.eax,
        .vector = VECTOR_DF,
        .eip = main_tss.eip,
        .cs = main_tss.cs,
        .eflags = main_tss.eflags,
    };

    if (!is_expected(VECTOR_DF, cr2_read()))
        fault_report_on_stack(&frame, main_tss.esp);
    if (!guard.active)
        fault_stop("a double fault outside of any case");
    leave_guard(VECTOR_DF, main_tss.eip, cr2_read());
    /* Go on in guard_abort(), with a stack that it takes from the context itself. */
    main_tss.ecx = (uint32_t)&guard.context;
    main_tss.eip = (uint32_t)guard_abort_ecx;
    main_tss.esp = guard.context.esp;
    main_tss.eflags &= ~(EFLAGS_IF | EFLAGS_NT | EFLAGS_TF);
}

bool fault_guard(guarded_fn fn, void *ctx, char *what, size_t size)
{
    uint32_t flags = eflags_read();
    bool done;

    guard.active = true;
    guard.expects_vector = false;
    guard.was_expected = false;
    done = guard_call(fn, ctx, &guard.context);
    guard.active = false;
    if (!done) {
        str_copy(what, size, guard.what);
        if (!guard.was_expected) {
            pit_stop();
            irq_abandon_all();
        }
        irq_restore(flags);
    }
    return done;
}

static void call_hook(void *ctx)
{
    void (*hook)(void) = ctx;

    hook();
}

bool fault_guard_hook(void (*hook)(void), char *what, size_t size)
{
    return fault_guard(call_hook, hook, what, size);
}

void fault_expect(unsigned vector, uint32_t low, uint32_t high)
{
    guard.expects_vector = true;
    guard.expected_vector = vector;
    guard.expected_low = low;
    guard.expected_high = high;
}

bool fault_was_expected(void)
{
    return guard.was_expected;
}

static bool probe_result(uint32_t done, struct fault_record *fault)
{
    const struct fault_record none = {0};

    if (fault)
        *fault = done ? none : this_cpu()->probe;
    return done;
}

bool probe_read32(const volatile void *addr, uint32_t *value, struct fault_record *fault)
{
    uint32_t done, read;

    __asm__ volatile("call probe_read_at" : "=a"(done), "=d"(read) : "a"(addr) : "memory");
    if (done && value)
        *value = read;
    return probe_result(done, fault);
}

bool probe_write32(volatile void *addr, uint32_t value, struct fault_record *fault)
{
    uint32_t done;

    __asm__ volatile("call probe_write_at" : "=a"(done) : "a"(addr), "d"(value) : "memory");
    return probe_result(done, fault);
}

bool probe_exec(const volatile void *addr, struct fault_record *fault)
{
    struct cpu *cpu = this_cpu();
    uint32_t done;

    __asm__ volatile("call probe_exec_at"
                     : "=a"(done)
                     : "a"(addr), "d"(&cpu->probe_return_eip)
                     : "memory", "ecx");
    cpu->probe_return_eip = 0;
    return probe_result(done, fault);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_X86_CPU_H
#define LIB_X86_CPU_H

/* The processor's own words: flags, control registers, CPUID, MSRs, the time-stamp counter. */

#include "lib/types.h"

#define EFLAGS_TF BIT(8)
#define EFLAGS_IF BIT(9)
#define EFLAGS_NT BIT(14)
#define EFLAGS_AC BIT(18)
#define EFLAGS_ID BIT(21)

/* SDM vol. 3A, 2.5 */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)

#define MSR_EFER 0xc0000080u
#define EFER_LME BIT(8)
#define EFER_NXE BIT(11)

#define MSR_PAT 0x277u

/* CPUID.01H:EDX and CPUID.80000001H:EDX (SDM vol. 2A, CPUID; AMD APM vol. 3, E.4.1) */
#define CPUID1_ECX_HYPERVISOR BIT(31)
#define CPUID1_EDX_TSC BIT(4)
#define CPUID1_EDX_MSR BIT(5)
#define CPUID1_EDX_PAE BIT(6)
#define CPUID1_EDX_MCE BIT(7)
#define CPUID1_EDX_PGE BIT(13)
#define CPUID1_EDX_CMOV BIT(15)
#define CPUID1_EDX_PAT BIT(16)
#define CPUID1_EDX_PSE36 BIT(17)
#define CPUID_EXT_EDX_NX BIT(20)
#define CPUID_EXT_EDX_LM BIT(29)

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint32_t eflags_read(void)
{
    uint32_t flags;
    __asm__ volatile("pushfl; popl %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline void eflags_write(uint32_t flags)
{
    __asm__ volatile("pushl %0; popfl" : : "r"(flags) : "memory", "cc");
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" : : : "memory");
}

/* Interrupts off; returns what irq_restore() wants. Pairs nest. A unit test has no interrupts. */
static inline uint32_t irq_save(void)
{
    uint32_t flags = 0;

#if !__STDC_HOSTED__
    flags = eflags_read();
    irq_disable();
#endif
    return flags;
}

static inline void irq_restore(uint32_t flags)
{
#if !__STDC_HOSTED__
    if (flags & EFLAGS_IF)
        irq_enable();
#else
    (void)flags;
#endif
}

static inline void cpu_halt(void)
{
    __asm__ volatile("hlt" : : : "memory");
}

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline uint32_t cr0_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr0, %0" : "=r"(value));
    return value;
}

static inline void cr0_write(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr0" : : "r"(value) : "memory");
}

static inline uint32_t cr2_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr2, %0" : "=r"(value));
    return value;
}

static inline uint32_t cr3_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr3, %0" : "=r"(value));
    return value;
}

static inline void cr3_write(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(value) : "memory");
}

static inline uint32_t cr4_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr4, %0" : "=r"(value));
    return value;
}

static inline void cr4_write(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr4" : : "r"(value) : "memory");
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint64_t value;
    __asm__ volatile("rdmsr" : "=A"(value) : "c"(msr));
    return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "A"(value) : "memory");
}

/*
 * The time-stamp counter. Not serialising: what is measured should be long against the pipeline.
 * Under an emulator that counts instructions it is the number of instructions executed.
 */
static inline uint64_t rdtsc(void)
{
    uint64_t value;
    __asm__ volatile("rdtsc" : "=A"(value) : : "memory");
    return value;
}

/* Caches written back and emptied: what is read next comes from memory itself. Slow. */
static inline void wbinvd(void)
{
    __asm__ volatile("wbinvd" : : : "memory");
}

/* All that stands before is done, memory and page walks included, before anything behind begins. */
static inline void serialize(void)
{
    uint32_t eax = 0, ecx = 0;
    __asm__ volatile("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx", "memory");
}

static inline void invlpg(virt_t addr)
{
    __asm__ volatile("invlpg (%0)" : : "r"(addr) : "memory");
}

#endif

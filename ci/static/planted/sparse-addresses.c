/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Planted faults for sparse: each function mixes two kinds of address, or one with a number, and
 * gcc has nothing against any of them. ci/sparse.mk expects an error on each line marked so,
 * and none elsewhere.
 */
#include "drivers/dma.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"
#include "paging/page.h"

static phys_addr_t some_phys(void)
{
    return pfn_to_phys(1) + PAGE_SIZE;
}

static void want_phys(phys_addr_t phys)
{
    (void)phys;
}

static void want_dma(dma_addr_t addr)
{
    (void)addr;
}

static void want_pfn(pfn_t pfn)
{
    (void)pfn;
}

static void want_virt(virt_t addr)
{
    (void)addr;
}

static void want_pointer(const void *pointer)
{
    (void)pointer;
}

static void want_number(uint64_t number)
{
    (void)number;
}

static uint32_t device_memory(void)
{
    uint32_t __iomem *regs = ioremap(some_phys(), PAGE_SIZE);

    want_pointer(regs);     /* PLANTED: passed as a normal pointer */
    return *regs +          /* PLANTED: dereferenced */
           regs[1] +        /* PLANTED: the same */
           readl(regs + 2); /* as it should be */
}

static void device_memory_from_memory(uint32_t *memory)
{
    writel(1, memory); /* PLANTED: memory is no device's */
}

static void phys_as_other(phys_addr_t phys)
{
    dma_addr_t addr = phys;      /* PLANTED */
    want_dma(phys);              /* PLANTED */
    want_dma(phys + PAGE_SIZE);  /* PLANTED */
    want_dma((dma_addr_t)phys);  /* PLANTED: a cast alone is not enough */
    want_pfn(phys);              /* PLANTED */
    want_virt(phys);             /* PLANTED */
    want_virt((virt_t)phys);     /* PLANTED */
    want_pointer((void *)phys);  /* PLANTED: not without phys_to_virt() */
    want_number(phys);           /* PLANTED */
    want_number((uint64_t)phys); /* PLANTED: only addr_number() says that it is meant */
    want_dma(addr);
}

static void dma_as_other(dma_addr_t addr)
{
    want_phys(addr);                    /* PLANTED */
    want_pfn(addr);                     /* PLANTED */
    want_pointer((void *)addr);         /* PLANTED */
    want_pfn(phys_to_pfn(addr));        /* PLANTED */
    want_dma(phys_to_dma(some_phys())); /* as it should be */
}

static void others_as_phys(pfn_t pfn, virt_t virt, uint64_t number, void *pointer)
{
    want_phys(pfn);                  /* PLANTED */
    want_phys(virt);                 /* PLANTED */
    want_phys(number);               /* PLANTED */
    want_phys((phys_addr_t)number);  /* PLANTED */
    want_phys(pointer);              /* PLANTED */
    want_dma(virt_to_phys(pointer)); /* PLANTED */
    want_virt(pfn);                  /* PLANTED */
    want_virt(number);               /* PLANTED */
    want_phys(phys_make(number));    /* as it should be */
}

static __used void use(void)
{
    uint32_t word = device_memory();

    device_memory_from_memory(&word);
    phys_as_other(some_phys());
    dma_as_other(phys_to_dma(some_phys()));
    others_as_phys(1, FIXADDR_START, 1, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_ADDRESS_H
#define LIB_ADDRESS_H

/*
 * The kinds of address, which do not mix.
 *
 *   phys_addr_t   what the memory controller sees
 *   dma_addr_t    what a device puts on the bus
 *   virt_t        a linear address, as something to compute with
 *   T __iomem *   a pointer into device memory: for readl() and its like, never to be dereferenced
 *   pfn_t         page frame number: phys_addr_t >> 12
 *
 * The compiler takes the first three for integers, and so it must be: with PAE a physical address
 * is 64 bits wide and no pointer holds it. sparse (`make sparse`, part of `make test`) takes the
 * same three for pointers to bytes of address spaces of their own. By that, all that makes sense of
 * an address stays as it is written (address + bytes, the bytes between two, which one is lower,
 * is it 0), while passing one for another, or a plain number for one, comparing two of different
 * kinds, and computing what no address is (the sum of two, a product, some bits of one) are errors.
 *
 * One kind becomes another in a few places only, each a function with a name:
 *
 *   - pfn_to_phys(), phys_to_pfn(): paging/page.h
 *   - phys_to_virt(), virt_to_phys(): paging/layout.h
 *   - phys_to_dma(), dma_to_phys(): drivers/dma.h
 *   - pte_make(), pte_phys(): paging/pte.h
 *   - phys_make(), dma_make(), here: from a number out of a register, a table or a test
 *   - addr_number(), here: to a number, to print it or to look at its bits
 */

#include <stdint.h>

#ifdef __CHECKER__
#define __force __attribute__((force))
#define __iomem __attribute__((noderef, address_space(__iomem)))
#define __phys __attribute__((noderef, address_space(__phys)))
#define __dma __attribute__((noderef, address_space(__dma)))
typedef char __phys *phys_addr_t;
typedef char __dma *dma_addr_t;
typedef struct virt_byte {
    char byte;
} * virt_t;
#else
#define __force
#define __iomem
typedef uint64_t phys_addr_t;
typedef uint64_t dma_addr_t;
typedef uintptr_t virt_t;
#endif

typedef uint32_t pfn_t;

/* A number that is a physical address, or a bus address, because its source says so. */
#define phys_make(number) ((__force phys_addr_t)(number))
#define dma_make(number) ((__force dma_addr_t)(number))
#define PHYS_ADDR_MAX phys_make(UINT64_MAX)

/* Any kind of address as a number; for %llx as it is. */
#define addr_number(address) ((__force unsigned long long)(address))

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_LOOPBACK_H
#define DRIVERS_LOOPBACK_H

/*
 * Devices that send into themselves: what their drivers have in common.
 *
 * A network card in internal loopback fetches a frame from memory and writes the same frame to
 * memory, and nothing gets to the wire. The frame is the caller's bytes from the first to the last,
 * addresses and type too, for the receiver is told to take any. A driver brings a table of what its
 * device is like and the functions that program it; mapping, bus mastering, waiting and ending are
 * done here, in this order:
 *
 *     map both buffers, bus mastering on
 *     start()     loopback set and read back, receiver and transmitter on, the frame handed over
 *     is_done()   by interrupt or asked, until both halves are
 *     check()     what the device says of it
 *     stop()      the device told to stand still, before memory changes hands; quiet() on failure
 *     bus mastering off, unmap both
 *
 * A device is known only after a first frame, addressed to itself, has come back: some emulators
 * have the loopback bit and send to the outside all the same.
 */

#include "drivers/pci.h"
#include "drivers/transfer.h"

#define LOOPBACK_LIMIT_MS 1000u /* for one transfer; 1514 bytes at 10 Mbit/s take 1.2 ms */
#define LOOPBACK_RING_BYTES 4096u
#define LOOPBACK_NAME_BYTES 12u /* a driver's name has at most 9 characters */
#define LOOPBACK_DEVICES 2u     /* of a kind, that are used */
#define ETHERNET_ADDRESS_BYTES 6u
#define ETHERNET_MIN_BYTES 60u /* of a frame without its check sequence (IEEE 802.3, 3.2.8) */
#define ETHERNET_MAX_BYTES 1514u
#define ETHERNET_FCS_BYTES 4u

struct loopback;

/* What a kind of device is like. */
struct loopback_kind {
    struct loopback *devices; /* LOOPBACK_DEVICES of them, all zero */
    const char *about;        /* for the report: "RTL8139" */
    uint8_t bar;              /* of the registers */
    enum pci_bar_kind bar_kind;
    uint32_t window_bytes; /* of the registers that are used */
    uint8_t mask_bits;
    uint32_t min, max, head, tail, align; /* dma_client's loop_min to loop_tail, align_bytes */
    /*
     * Resets the device and finds out whether it is what its number says; sets l->station, if it
     * has such a thing. Returns 0, or a negative errno with client.reason.
     */
    int (*identify)(struct loopback *l);
    /*
     * Sends `bytes` from `from` to `to`, with loopback_started() in front of what sets the device
     * to work. Returns 0, or a negative errno with client.reason, and then nothing was sent.
     */
    int (*start)(struct loopback *l, dma_addr_t from, dma_addr_t to, uint32_t bytes);
    /*
     * Takes and withdraws what the device has to say, in its own bits; 0 if it has nothing.
     * Context: interrupts off, from before start() on to after stop(), whenever anybody on its line
     * has a request.
     */
    uint32_t (*acknowledge)(struct loopback *l);
    /* Are both halves done, or has one failed? Context: the same, after loopback_started(). */
    bool (*is_done)(struct loopback *l);
    /* After both halves are done: 0, or a negative errno with client.reason. */
    int (*check)(struct loopback *l, uint32_t bytes);
    /* Makes the device stand still: no address that start() was given is used any more. */
    void (*stop)(struct loopback *l);
    /* Undoes what stop() leaves set up for the next frame. NULL if that is nothing. */
    void (*quiet)(struct loopback *l);
    /* Writes the registers that tell why nothing came to l->client.reason, after `what`. */
    void (*explain)(struct loopback *l, const char *what);
};

struct loopback {
    struct dma_client client;
    struct completion completion;
    char name[LOOPBACK_NAME_BYTES]; /* "e1000", and "e1000_2" of the second card of the kind */
    const struct loopback_kind *kind;
    struct pci_device *pdev;
    uint8_t __iomem *regs; /* of a memory BAR */
    uint16_t port;         /* of an I/O BAR */
    uint8_t *ring;         /* LOOPBACK_RING_BYTES of coherent memory for descriptors, zeroed */
    dma_addr_t ring_dma;   /* below 4 GiB */
    uint8_t station[ETHERNET_ADDRESS_BYTES];
    uint32_t spare_bytes;     /* of a receive ring, which the driver keeps free; from 0 on */
    bool in_trial;            /* a frame that is addressed to `station` */
    volatile bool busy;       /* in a transfer, bus master */
    uint16_t command;         /* the command register before that */
    volatile bool started;    /* and not stopped */
    volatile uint32_t events; /* what acknowledge() gave since then */
    /* For drivers with a quiet(): */
    bool set_up;                   /* from the first start() to quiet() */
    uint32_t tx_at, rx_at, rx_end; /* the frame's first descriptors, and past its last */
    uint32_t before;               /* what is to be put back */
};

/*
 * For start(): from now on the transfer is under way. Its line may be another device's too, whose
 * interrupts ask before that, when descriptors still say that the last transfer is done.
 */
static inline void loopback_started(struct loopback *l)
{
    l->events = 0;
    l->started = true;
}

/* Descriptors at `at` bytes into the ring, as words, and where the device finds them. */
static inline volatile uint32_t *loopback_words(const struct loopback *l, uint32_t at)
{
    return (volatile uint32_t *)(l->ring + at);
}

static inline uint32_t loopback_ring_address(const struct loopback *l, uint32_t at)
{
    return (uint32_t)addr_number(l->ring_dma + at);
}

/* The probe function of a driver whose `kind` is a struct loopback_kind. Context: thread. */
int loopback_probe(struct pci_device *pdev, const struct pci_driver *driver);

#endif

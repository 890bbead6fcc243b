/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_TRANSFER_H
#define DRIVERS_TRANSFER_H

/*
 * What every device that moves data by DMA looks like to a test: a DMA client.
 *
 * A driver's probe registers one client for each device that works. Each moves
 * data between pages and its medium or memory, by DMA and through the mapping API, in as many ways
 * as destroy nothing. Nothing here ever writes to a disk that the boot option destructive= does not
 * name.
 *
 * Different clients are used from different threads at the same time, one client by one thread at a
 * time: what two clients share (a controller, a command register) their driver locks, and lets
 * others run while it waits (drivers/yield_lock.h, drivers/completion.h).
 *
 * Drivers print nothing. What a probe found is left as one line a device: the payload prints those
 * lines through its hook, and a suite that finds no client gives them as its reason.
 */

#include "drivers/completion.h"
#include "drivers/dma.h"
#include "lib/types.h"

#define DMA_CLIENT_REASON_BYTES 96
#define PROBE_TEXT_BYTES 104

struct dma_client {
    const char *name;
    struct device *dev;
    uint64_t size_bytes;    /* of the readable medium or device memory */
    uint32_t granule_bytes; /* offsets and lengths are multiples of this: 512 for disks */
    uint32_t max_bytes;     /* most in one call */
    uint32_t align_bytes;   /* a buffer's address must be a multiple of this */
    uint32_t cost_ms;       /* what a transfer costs roughly, for budgets */
    bool splits_boundary; /* has a gather list: a buffer that crosses a boundary need not bounce */
    /*
     * Device to memory, by DMA: `bytes` from `dev_offset` of the device to `offset` bytes into
     * `page` (a contiguous block when it is more than a page). Returns 0 or a negative errno, and
     * then `reason` says why.
     */
    int (*read)(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                uint32_t bytes);
    /* Memory to device, by DMA. NULL where it would not be safe. */
    int (*write)(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                 uint32_t bytes);
    /*
     * The same bytes as read() another way, to an address that the CPU can use: by the processor
     * or, with `pio_by_adapter`, by a PIO command whose data the adapter itself puts into a page of
     * lowmem, one region at a time and asked for its end: AHCI knows no other. NULL if none.
     */
    bool pio_by_adapter;
    int (*read_pio)(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes);
    /*
     * Memory to memory, through a device that sends into itself (a network card in internal
     * loopback, a DMA engine): `bytes` (loop_min to loop_max) from `from_offset` of `from` arrive
     * at `to_offset` of `to`. Around them the device may write into loop_head bytes in front and
     * loop_tail behind, which must be the buffer's too. NULL if it is no such device.
     */
    int (*loop)(struct dma_client *client, struct page *from, uint32_t from_offset, struct page *to,
                uint32_t to_offset, uint32_t bytes);
    uint32_t loop_min, loop_max, loop_head, loop_tail;
    /*
     * Memory to where no processor can read it back (sound that is played): 0 once all bytes have
     * been fetched. NULL if it is no such device.
     */
    int (*send)(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);
    /* From there to memory (sound that is recorded): all bytes are written, with what is unknown.
     */
    int (*capture)(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);
    /*
     * Memory that the device reads and writes back changed, in place. Contents are the device's to
     * choose: work_fill() makes some that it can work on from `noise`, and work_check() says what
     * came of them: where the first byte lies that is not what it must be, or -1. NULL, all three,
     * if it is no such device.
     */
    int (*work)(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);
    void (*work_fill)(uint8_t *to, uint32_t bytes, uint32_t noise);
    int32_t (*work_check)(const uint8_t *given, const uint8_t *found, uint32_t bytes);
    /*
     * What send() takes, for those who listen on the far side (ci/runner/wav.h): "s16x2" is signed
     * samples of 16 bits, little-endian, of two channels; "s8x1" of 8 bits, of one; then "loops"
     * for a device that may begin the same anew before it is stopped.
     */
    const char *stream;
    bool muted; /* nobody hears it, and it may not come out on the far side */
    /* How ends of transfers are learned: by interrupt, if there is a line. NULL: by asking only. */
    struct completion *completion;
    /* Motor off, bus mastering off: the client is not needed for a while. NULL if nothing to do. */
    void (*quiet)(struct dma_client *client);
    char reason[DMA_CLIENT_REASON_BYTES];
    bool quarantined; /* not used any more; `reason` says why */
    bool told_lost;   /* that its interrupts don't come */
    uint8_t distrust; /* bad answers weigh CLIENT_BAD_WEIGHT each, and a good one takes 1 off */
    uint8_t silent, wrong; /* of the bad answers since distrust was 0: none at all, and nonsense */
};

/*
 * The operations, for all but drivers. What a driver returns says who is to blame:
 *
 *     -EIO, -ENXIO, -EROFS  the medium: the drive itself has answered that it can't
 *     -EPROTO               the device, its controller or the bus: it reports a fault of its own,
 * or what can't be (more bytes than were asked for, a position elsewhere) -ETIMEDOUT            the
 * device does not answer others                nobody: the device was not asked
 *
 * If its PCI function could still drive the bus after one of them, that is -EPROTO, and it can't
 * any more. The operations of a device in quarantine fail with -ENODEV. There goes one that does
 * not take its interrupt back, one that has left the bus, and one that gives bad answers (-EPROTO,
 * -ETIMEDOUT) CLIENT_MAX_BAD times in a row, or not in a row but oftener than each
 * CLIENT_BAD_WEIGHT + 1st time. A transfer whose interrupt was lost is told by a probe_report(),
 * once a device, and made again by asking.
 */
#define CLIENT_MAX_BAD 3u
#define CLIENT_BAD_WEIGHT 4u
int client_read(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                uint32_t bytes);
int client_write(struct dma_client *client, uint64_t dev_offset, struct page *page, uint32_t offset,
                 uint32_t bytes);
int client_read_pio(struct dma_client *client, uint64_t dev_offset, void *buf, uint32_t bytes);
int client_loop(struct dma_client *client, struct page *from, uint32_t from_offset, struct page *to,
                uint32_t to_offset, uint32_t bytes);
int client_send(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);
int client_capture(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);
int client_work(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes);

/*
 * Takes a device out of use that hangs, floods a line or answers nonsense: it is quieted, a
 * probe_report() says why, and all that anybody asks of it from now on fails. Returns `error`.
 * Context: thread.
 */
int client_quarantine(struct dma_client *client, int error, const char *fmt, ...) __printf(3, 4);

/*
 * For drivers: judges what a device says it has left of `bytes`. 0 for nothing, else -EPROTO with
 * the number as the reason.
 */
int client_judge_residue(struct dma_client *client, uint32_t left, uint32_t bytes);

/* For tests that broke it on purpose: all is forgotten that speaks against it. */
void client_readmit(struct dma_client *client);

/*
 * Makes a client known. It stays for ever. With DMA_MAX_CLIENTS known already, it is not, which a
 * probe_report() says.
 */
#define DMA_MAX_CLIENTS 48u
void dma_client_register(struct dma_client *client);
unsigned dma_client_count(void);
struct dma_client *dma_client_at(unsigned index);

/*
 * The name of a driver's device number `index`: "ac97", and "ac97_2" of the second one.
 *   name, size: gets it, terminated, cut if it is too long
 */
void client_name_format(char *name, size_t size, const char *driver, unsigned index);

/* Sets client->reason and returns `error`. */
int client_error(struct dma_client *client, int error, const char *fmt, ...) __printf(3, 4);

/*
 * A device that can't be enumerated: its probe looks for it where PCs have it. Bounded in time,
 * leaves one probe_report().
 */
struct isa_driver {
    const char *name;
    int (*probe)(void);
};

/*
 * Finds every device: 8237, ISA drivers in the table `isa_driver`, then PCI, where first all that
 * the firmware left as bus master is stopped, and its drivers in the table `pci_driver`. Context:
 * paged phase, once, after dma_init() and clock_init().
 */
void devices_probe(void);

/* Calls quiet() of every client. No thread may be in a transfer, except one that is gone. */
void devices_quiet(void);

/* What a probe came to. `result` is 0 for a working device, else the negative errno. */
struct probe_result {
    const char *driver;
    int result;
    char text[PROBE_TEXT_BYTES];
};
void probe_report(const char *driver, int result, const char *fmt, ...) __printf(3, 4);
unsigned probe_result_count(void);
const struct probe_result *probe_result_at(unsigned index);

/*
 * For who looks for one that hangs the machine: what is about to be probed, and where (NULL for
 * where PCs have it), is told before it is touched. NULL, as it is at first, for nobody.
 */
void probe_set_announcer(void (*announcer)(const char *driver, const char *where));
void probe_announce(const char *driver, const char *where);

/* Where results are told as they come, one line each without a line end; NULL for nowhere. */
void probe_set_hook(void (*hook)(const struct probe_result *result));

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_UHCI_H
#define DRIVERS_UHCI_H

/*
 * A UHCI controller as a reader and writer of memory, with no USB involved.
 *
 * Once a millisecond the controller reads an entry of its frame list, follows it to queue heads and
 * from there to transfer descriptors, and writes back what became of each. With no port enabled,
 * none of that reaches a wire: every transfer is addressed to nobody, times out, and is written
 * back as that. So the descriptors themselves are the data: the controller has read the right bytes
 * if it does what they say, and has written the right ones if the status is theirs.
 *
 *     FRBASEADD -> frame list -> QH 0 -> QH 1 -> ... -> QH n -> QH of the end     coherent memory
 *                                 |       |              |       |
 *                                TD 0    TD 1           TD n    TD of the end
 *                                 caller's memory, one mapping
 *
 * The descriptor of the end comes last in each frame, is tried as often as any, and interrupts:
 * when it is done, all are.
 *
 * A controller that firmware uses (its SMI is on, it runs, or a port is enabled) is reported and
 * left alone. No port is touched, and the registers are put back after each run. (Universal Host
 * Controller Interface Design Guide 1.1, chapters 2 and 3.)
 */

#include "drivers/transfer.h"
#include "lib/prng.h"
#include "lib/types.h"

/* A transfer descriptor; little endian, at a multiple of 16 bytes. */
struct uhci_td {
    uint32_t link;
    uint32_t status; /* control bits of the caller, and what the controller makes of it */
    uint32_t token;
    uint32_t buffer;
};

#define UHCI_TD_BYTES 16u
#define UHCI_MAX_TDS 64u

#define UHCI_LINK_END BIT(0)

/* Status word (3.2.2). The controller keeps the upper part as the caller has it. */
#define UHCI_TD_SHORT_DETECT BIT(29)
#define UHCI_TD_ERRORS_SHIFT 27u /* tries left, two bits; 0 in the caller's would mean for ever */
#define UHCI_TD_ERRORS_MASK (BIT(27) | BIT(28))
#define UHCI_TD_LOW_SPEED BIT(26)
#define UHCI_TD_INTERRUPT BIT(24)
#define UHCI_TD_ACTIVE BIT(23)
#define UHCI_TD_STALLED BIT(22)
#define UHCI_TD_TIMEOUT BIT(18)
#define UHCI_TD_LENGTH_MASK 0x7ffu

/* Token word (3.2.3): IN is all that this driver is for, since it fetches no data. */
#define UHCI_TOKEN_IN 0x69u
#define UHCI_TOKEN_ADDRESS_SHIFT 8u
#define UHCI_TOKEN_ENDPOINT_SHIFT 15u
#define UHCI_TOKEN_NO_DATA (0x7ffu << 21) /* maximum length 0 */

/*
 * A random descriptor that may be given to a controller, and what must have become of one that was:
 * those that are active time out and are written back so, with the caller's control bits in the
 * same word; the others are passed over and keep every bit (3.2.2). Of the bits that a controller
 * may set or not, the outcome has those that `is` has.
 */
struct uhci_td uhci_td_draw(struct prng *prng);
struct uhci_td uhci_td_outcome(const struct uhci_td *was, const struct uhci_td *is);

/* The same for clients: see work_fill() and work_check() of struct dma_client. */
void uhci_td_fill(uint8_t *to, uint32_t bytes, uint32_t noise);
int32_t uhci_td_check(const uint8_t *given, const uint8_t *found, uint32_t bytes);

struct uhci;

/* The controllers found fit for use. */
unsigned uhci_count(void);
struct uhci *uhci_at(unsigned index);

/*
 * The controller as a DMA client, whose work() are descriptors, 1 to UHCI_MAX_TDS of them. Those
 * that are active must be IN tokens without data, with link ended and 1 to 3 tries. work() returns
 * 0 when all were worked on, or with the reason -ENOMEM, -ETIMEDOUT, or -EPROTO for what the
 * controller reports. One whose registers read all ones is not there any more, and quarantined.
 * Bus mastering is on during the call only.
 */
struct dma_client *uhci_client(struct uhci *hc);

/* The frame (0 to 1023) that the next runs begin in; 0 at first. */
void uhci_begin_at(struct uhci *hc, unsigned frame);

/* Queues, in all runs, whose element pointer was advanced over a descriptor that failed. */
unsigned uhci_advanced(const struct uhci *hc);

/* True if the registers are as they were found: stopped, no interrupts, ports untouched. */
bool uhci_is_restored(struct uhci *hc, const char **what);

#endif

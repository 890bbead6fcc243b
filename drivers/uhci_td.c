/* SPDX-License-Identifier: BSD-2-Clause */
/* What a descriptor may hold, and what the controller makes of it. */
#include "drivers/uhci.h"
#include "lib/string.h"

#define MAX_TRIES 3u
#define MAX_ADDRESS 127u
#define NR_ENDPOINTS 16u

/* The controller's own bits of the status word, which it may set when a try fails. */
#define MAY_CHANGE (UHCI_TD_STALLED | UHCI_TD_LENGTH_MASK)
#define MUST_CHANGE (UHCI_TD_ACTIVE | UHCI_TD_TIMEOUT | UHCI_TD_ERRORS_MASK)

struct uhci_td uhci_td_draw(struct prng *prng)
{
    uint32_t control = prng_u32(prng) & (UHCI_TD_SHORT_DETECT | UHCI_TD_LOW_SPEED);
    uint32_t tries = 1 + prng_below(prng, MAX_TRIES);
    uint32_t address = 1 + prng_below(prng, MAX_ADDRESS);
    uint32_t endpoint = prng_below(prng, NR_ENDPOINTS);

    control |= tries << UHCI_TD_ERRORS_SHIFT;
    if (prng_below(prng, 8) == 0)
        control |= UHCI_TD_INTERRUPT;
    if (prng_below(prng, 4) > 0)
        control |= UHCI_TD_ACTIVE;
    else
        control |= prng_u32(prng) & (UHCI_TD_LENGTH_MASK | UHCI_TD_STALLED | UHCI_TD_TIMEOUT);
    return (struct uhci_td){
        .link = UHCI_LINK_END,
        .status = control,
        .token = UHCI_TOKEN_IN | UHCI_TOKEN_NO_DATA | address << UHCI_TOKEN_ADDRESS_SHIFT |
                 endpoint << UHCI_TOKEN_ENDPOINT_SHIFT,
        .buffer = prng_u32(prng),
    };
}

struct uhci_td uhci_td_outcome(const struct uhci_td *was, const struct uhci_td *is)
{
    struct uhci_td wanted = *was;

    if (!(was->status & UHCI_TD_ACTIVE))
        return wanted;
    wanted.status =
        (was->status & ~MUST_CHANGE & ~MAY_CHANGE) | UHCI_TD_TIMEOUT | (is->status & MAY_CHANGE);
    /* Bochs says that it stalled, not why, and forgets whether short packets matter. */
    if ((is->status & (UHCI_TD_STALLED | UHCI_TD_TIMEOUT)) == UHCI_TD_STALLED)
        wanted.status &= ~(UHCI_TD_TIMEOUT | UHCI_TD_SHORT_DETECT);
    return wanted;
}

void uhci_td_fill(uint8_t *to, uint32_t bytes, uint32_t noise)
{
    struct prng prng;

    prng_seed(&prng, noise);
    for (uint32_t at = 0; at + UHCI_TD_BYTES <= bytes; at += UHCI_TD_BYTES) {
        const struct uhci_td td = uhci_td_draw(&prng);

        memcpy(to + at, &td, UHCI_TD_BYTES);
    }
}

int32_t uhci_td_check(const uint8_t *given, const uint8_t *found, uint32_t bytes)
{
    for (uint32_t at = 0; at + UHCI_TD_BYTES <= bytes; at += UHCI_TD_BYTES) {
        struct uhci_td was, is, wanted;

        memcpy(&was, given + at, UHCI_TD_BYTES);
        memcpy(&is, found + at, UHCI_TD_BYTES);
        wanted = uhci_td_outcome(&was, &is);
        for (uint32_t i = 0; i < UHCI_TD_BYTES; i++) {
            if (found[at + i] != ((const uint8_t *)&wanted)[i])
                return (int32_t)(at + i);
        }
    }
    return -1;
}

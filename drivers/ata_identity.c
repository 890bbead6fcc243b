/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/ata_identity.h"
#include "lib/types.h"

#define MODE_MULTIWORD_DMA 0x20u
#define MODE_ULTRA_DMA 0x40u

/* Words */
#define ID_MODEL 27u
#define ID_MODEL_CHARS 40u
#define ID_CAPABILITIES 49u
#define ID_CAP_DMA BIT(8)
#define ID_CAP_LBA BIT(9)
#define ID_VALID_WORDS 53u
#define ID_VALID_ULTRA BIT(2) /* word 88 means something */
#define ID_SECTORS_LOW 60u
#define ID_SECTORS_HIGH 61u
#define ID_MULTIWORD_DMA 63u
#define ID_COMMAND_SETS 83u
#define ID_VALID_MASK 0xc000u /* the two upper bits are 01 in a word that means something */
#define ID_VALID_SETS 0x4000u
#define ID_SET_LBA48 BIT(10)
#define ID_ULTRA_DMA 88u
#define ID_SECTORS48 100u
#define ID_SECTORS48_WORDS 4u
/* Words 63 and 88: the modes there are, and from bit 8 on the one that is selected */
#define ID_MODES_MASK 0xffu
#define ID_SELECTED_SHIFT 8
#define NR_MULTIWORD_MODES 3u
#define NR_ULTRA_MODES 7u

/* The model's text: bytes swapped in each word, blanks at its end. */
static void take_model(const uint16_t *words, char *text)
{
    unsigned end = 0;

    for (unsigned i = 0; i < ID_MODEL_CHARS; i++) {
        uint16_t word = words[ID_MODEL + i / 2];
        char c = (char)(i % 2 ? word : word >> 8);

        text[i] = (char)(c < ' ' || c > '~' ? ' ' : c);
        if (text[i] != ' ')
            end = i + 1;
    }
    text[end] = '\0';
}

/* The highest of the modes in the bit map, or -1. */
static int best_mode(uint32_t modes, unsigned nr_modes)
{
    for (unsigned mode = nr_modes; mode-- > 0;) {
        if (modes & BIT(mode))
            return (int)mode;
    }
    return -1;
}

static void take_dma_mode(const uint16_t *words, struct ata_identity *id)
{
    uint16_t multiword = words[ID_MULTIWORD_DMA];
    uint16_t ultra = (words[ID_VALID_WORDS] & ID_VALID_ULTRA) ? words[ID_ULTRA_DMA] : 0;
    int mode = best_mode(ultra >> ID_SELECTED_SHIFT, NR_ULTRA_MODES);

    id->dma_mode_is_set = true;
    if (mode >= 0) {
        id->dma_mode = (uint8_t)(MODE_ULTRA_DMA | mode);
        return;
    }
    mode = best_mode(multiword >> ID_SELECTED_SHIFT, NR_MULTIWORD_MODES);
    if (mode < 0) {
        id->dma_mode_is_set = false;
        mode = best_mode(multiword & ID_MODES_MASK, NR_MULTIWORD_MODES);
    }
    id->dma_mode = mode < 0 ? 0 : (uint8_t)(MODE_MULTIWORD_DMA | mode);
}

/* The sectors that 48 bits reach, or 0 for a drive that has no such commands. */
static uint64_t take_sectors48(const uint16_t *words)
{
    uint64_t sectors = 0;

    if ((words[ID_COMMAND_SETS] & ID_VALID_MASK) != ID_VALID_SETS ||
        !(words[ID_COMMAND_SETS] & ID_SET_LBA48))
        return 0;
    for (unsigned i = 0; i < ID_SECTORS48_WORDS; i++)
        sectors |= (uint64_t)words[ID_SECTORS48 + i] << (16 * i);
    return MIN(sectors, ATA_LBA48_SECTORS);
}

void ata_take_identity(const uint16_t *words, struct ata_identity *id)
{
    uint32_t sectors = words[ID_SECTORS_LOW] | (uint32_t)words[ID_SECTORS_HIGH] << 16;
    uint64_t sectors48 = take_sectors48(words);

    _Static_assert(sizeof(id->model) == ID_MODEL_CHARS + 1, "the model's text and its end");
    take_model(words, id->model);
    id->sectors = MIN(sectors, ATA_LBA28_SECTORS);
    id->has_lba48 = sectors48 != 0;
    id->sectors_all = sectors48 ? sectors48 : id->sectors;
    id->has_dma = words[ID_CAPABILITIES] & ID_CAP_DMA;
    id->has_lba = words[ID_CAPABILITIES] & ID_CAP_LBA;
    take_dma_mode(words, id);
}

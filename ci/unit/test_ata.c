/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ATA commands against a model of a channel with two drives: who counts as there, which DMA mode is
 * taken, what a reset leaves. The model knows the reading commands only: any other fails the test.
 */
#include "ci/unit/stub_clock.h"
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static void outw(uint16_t port, uint16_t value);
static void insw(uint16_t port, void *buffer, uint32_t count);

#include "drivers/ata.c"

#include "drivers/ata_identity.c"

#define ID_WORDS ATA_ID_WORDS

#define COMMAND_BASE 0x1f0u
#define CONTROL_PORT 0x3f6u

struct model_drive {
    bool present, atapi, refuses_modes, dead;
    uint16_t words[ID_WORDS];
    uint8_t mode; /* of SET FEATURES */
    uint8_t status;
    unsigned words_left;
};

static struct {
    struct model_drive drives[ATA_UNITS];
    uint8_t regs[8];
    uint8_t control;
    uint8_t empty_status; /* of a channel without drives */
    uint64_t busy_until_us;
    bool in_reset;
    uint64_t status_valid_us;
    unsigned nr_resets;
    unsigned packet_words; /* that came */
    uint8_t sense;         /* what the packet gives */
    bool interrupt_at_dma; /* whether it was on when READ DMA came */
} model;

static struct ata_channel channel;
static struct ata_identity identity;

static bool is_empty(void)
{
    return !model.drives[0].present && !model.drives[1].present;
}

static bool is_busy(void)
{
    return now_us < model.busy_until_us;
}

static struct model_drive *selected(void)
{
    return &model.drives[model.regs[REG_DEVICE] >> 4 & 1];
}

static uint8_t status(void)
{
    assert_false(model.in_reset);
    assert_true(now_us >= model.status_valid_us);
    if (is_empty())
        return model.empty_status;
    if (is_busy())
        return ATA_STATUS_BSY;
    return selected()->present ? selected()->status : 0;
}

static uint8_t inb(uint16_t port)
{
    unsigned reg = port - COMMAND_BASE;

    if (port == CONTROL_PORT || reg == REG_STATUS)
        return status();
    assert_true(reg > REG_DATA && reg < REG_STATUS);
    return is_empty() || is_busy() ? model.empty_status : model.regs[reg];
}

static void insw(uint16_t port, void *buffer, uint32_t count)
{
    struct model_drive *drive = selected();

    assert_int_equal(port, COMMAND_BASE);
    assert_true(status() & ATA_STATUS_DRQ);
    assert_int_equal(count, ID_WORDS);
    memcpy(buffer, drive->words, sizeof(drive->words));
    drive->words_left -= count;
    if (!drive->words_left)
        drive->status = ATA_STATUS_DRDY;
}

static void take_command(struct model_drive *drive, uint8_t command)
{
    drive->status = ATA_STATUS_DRDY;
    switch (command) {
    case ATA_COMMAND_IDENTIFY:
        drive->status |= drive->atapi ? ATA_STATUS_ERR : ATA_STATUS_DRQ;
        drive->words_left = ID_WORDS;
        if (drive->atapi) {
            model.regs[REG_LBA_MID] = ATAPI_MID;
            model.regs[REG_LBA_HIGH] = ATAPI_HIGH;
        }
        break;
    case ATA_COMMAND_SET_FEATURES:
        assert_int_equal(model.regs[REG_FEATURES], ATA_FEATURE_TRANSFER_MODE);
        if (drive->refuses_modes)
            drive->status |= ATA_STATUS_ERR;
        else
            drive->mode = model.regs[REG_COUNT];
        break;
    case ATA_COMMAND_READ_SECTORS:
        drive->status |= ATA_STATUS_DRQ;
        drive->words_left = (model.regs[REG_COUNT] ? model.regs[REG_COUNT] : 256) * SECTOR_WORDS;
        break;
    case ATA_COMMAND_PACKET:
        drive->status |= drive->atapi ? ATA_STATUS_DRQ : ATA_STATUS_ERR;
        model.packet_words = 0;
        break;
    case ATA_COMMAND_READ_DMA:
        model.interrupt_at_dma = !(model.control & CONTROL_NIEN);
        break;
    default:
        fail_msg("command 0x%02x", command);
    }
    if (drive->dead)
        model.busy_until_us = UINT64_MAX;
}

static void outb(uint16_t port, uint8_t value)
{
    if (port == CONTROL_PORT) {
        if (model.in_reset && !(value & CONTROL_SRST)) {
            model.nr_resets++;
            model.regs[REG_DEVICE] = 0;
            model.busy_until_us = now_us + 50000;
            model.status_valid_us = now_us + 2000;
            for (unsigned i = 0; i < ATA_UNITS; i++) {
                model.drives[i].status = ATA_STATUS_DRDY;
                model.drives[i].mode = 0;
            }
        }
        model.in_reset = value & CONTROL_SRST;
        model.control = value;
        return;
    }
    assert_true(port > COMMAND_BASE && port < COMMAND_BASE + 8);
    if (is_empty() || is_busy())
        return;
    if (port - COMMAND_BASE == REG_COMMAND) {
        if (selected()->present)
            take_command(selected(), value);
        return;
    }
    model.regs[port - COMMAND_BASE] = value;
}

static void outw(uint16_t port, uint16_t value)
{
    struct model_drive *drive = selected();

    assert_int_equal(port, COMMAND_BASE);
    assert_true(drive->status & ATA_STATUS_DRQ);
    assert_int_equal(value, 0);
    if (++model.packet_words < PACKET_WORDS)
        return;
    drive->status = ATA_STATUS_DRDY | (model.sense ? ATA_STATUS_ERR : 0);
    model.regs[REG_ERROR] = model.sense << SENSE_KEY_SHIFT;
}

static void start(unsigned nr_drives)
{
    memset(&model, 0, sizeof(model));
    now_us = 0;
    model.empty_status = STATUS_FLOATING;
    channel = (struct ata_channel){.command = COMMAND_BASE, .control = CONTROL_PORT};
    for (unsigned i = 0; i < nr_drives; i++) {
        uint16_t *words = model.drives[i].words;

        model.drives[i].present = true;
        model.drives[i].status = ATA_STATUS_DRDY;
        words[ID_MODEL] = 'A' << 8 | 'B';
        words[ID_CAPABILITIES] = ID_CAP_DMA | ID_CAP_LBA;
        words[ID_SECTORS_HIGH] = 1;
        words[ID_MULTIWORD_DMA] = 0x0007;
    }
}

static void absent(void **state)
{
    static const uint8_t floating[] = {STATUS_FLOATING, STATUS_PULLED_DOWN, 0};

    for (unsigned i = 0; i < ARRAY_SIZE(floating); i++) {
        start(0);
        model.empty_status = floating[i];
        assert_int_equal(ata_identify(&channel, 0, &identity), -ENODEV);
        assert_true(now_us < 1000);
    }
    start(1);
    assert_int_equal(ata_identify(&channel, 0, &identity), 0);
    assert_int_equal(ata_identify(&channel, 1, &identity), -ENODEV);
}

static void starting_up(void **state)
{
    start(2);
    model.busy_until_us = 4000000;
    assert_int_equal(ata_identify(&channel, 1, &identity), 0);
    assert_string_equal(identity.model, "AB");
    assert_int_equal(identity.sectors, 0x10000);

    start(1);
    model.busy_until_us = UINT64_MAX;
    assert_int_equal(ata_identify(&channel, 0, &identity), -EBUSY);
    assert_in_range(now_us, 5000000, 6000000);
}

static void fails(void **state)
{
    start(1);
    model.drives[0].atapi = true;
    assert_int_equal(ata_identify(&channel, 0, &identity), -ENOSYS);
    start(1);
    model.drives[0].dead = true;
    assert_int_equal(ata_identify(&channel, 0, &identity), -ETIMEDOUT);
}

static void media(void **state)
{
    start(1);
    model.drives[0].atapi = true;
    assert_int_equal(ata_test_unit_ready(&channel, 0), 0);
    assert_int_equal(model.packet_words, PACKET_WORDS);
    model.sense = ATA_SENSE_NOT_READY;
    assert_int_equal(ata_test_unit_ready(&channel, 0), ATA_SENSE_NOT_READY);
    model.drives[0].atapi = false;
    assert_int_equal(ata_test_unit_ready(&channel, 0), -EIO);
    model.drives[0].dead = true;
    assert_int_equal(ata_test_unit_ready(&channel, 0), -ETIMEDOUT);
}

/* Each of the 256 command bytes that is not in the list is refused, and never seen by the drive. */
static void only_reads(void **state)
{
    static const uint8_t writes[] = {0x30, 0x34, 0x35, 0x39, 0x3d, 0x61, 0xc5, 0xca, 0xce,
                                     0xe9, 0xf4, 0x06, 0x92, 0x93, 0xb0, 0xb1, 0xc0};
    unsigned nr_safe = 0;

    for (unsigned command = 0; command < 256; command++)
        nr_safe += ata_command_is_safe((uint8_t)command);
    assert_int_equal(nr_safe, 7);
    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
        assert_false(ata_command_is_safe(writes[i]));
        start(1);
        assert_int_equal(ata_command(&channel, 0, writes[i], 7, 1), -EPERM);
    }
}

static void large_disks(void **state)
{
    uint16_t *words = model.drives[0].words;

    start(1);
    assert_int_equal(ata_identify(&channel, 0, &identity), 0);
    assert_false(identity.has_lba48);
    assert_int_equal(identity.sectors_all, 0x10000);
    start(1);
    words[83] = 0x4400;
    words[100] = 0x1234;
    words[102] = 0x0002;
    assert_int_equal(ata_identify(&channel, 0, &identity), 0);
    assert_true(identity.has_lba48);
    assert_int_equal(identity.sectors_all, 0x200001234);
    start(1);
    words[83] = 0xc400; /* not valid */
    words[100] = 1;
    assert_int_equal(ata_identify(&channel, 0, &identity), 0);
    assert_false(identity.has_lba48);
}

static void check_mode(uint16_t valid, uint16_t multiword, uint16_t ultra, uint8_t mode, bool set)
{
    uint16_t *words = model.drives[0].words;

    start(1);
    words[ID_VALID_WORDS] = valid;
    words[ID_MULTIWORD_DMA] = multiword;
    words[ID_ULTRA_DMA] = ultra;
    assert_int_equal(ata_identify(&channel, 0, &identity), 0);
    assert_int_equal(identity.dma_mode, mode);
    if (mode)
        assert_int_equal(identity.dma_mode_is_set, set);
    assert_int_equal(channel.dma_mode[0], set ? mode : 0);
}

static void modes(void **state)
{
    check_mode(4, 0x0007, 0x203f, 0x45, true);
    check_mode(4, 0x0407, 0x003f, 0x22, true);
    check_mode(4, 0x0107, 0x003f, 0x20, true);
    check_mode(0, 0x0007, 0xffff, 0x22, false);
    check_mode(0, 0x0003, 0, 0x21, false);
    check_mode(0, 0x0001, 0, 0x20, false);
    check_mode(4, 0x0000, 0x003f, 0, false);
}

static void setting_a_mode(void **state)
{
    start(2);
    assert_int_equal(ata_set_dma_mode(&channel, 1, 0x22), 0);
    assert_int_equal(model.drives[1].mode, 0x22);
    assert_int_equal(model.drives[0].mode, 0);
    model.drives[0].refuses_modes = true;
    assert_int_equal(ata_set_dma_mode(&channel, 0, 0x22), -EIO);
    assert_int_equal(channel.dma_mode[0], 0);
    model.drives[1].dead = true;
    assert_int_equal(ata_set_dma_mode(&channel, 1, 0x21), -ETIMEDOUT);
    assert_int_equal(channel.dma_mode[1], 0x22);
}

static void reset(void **state)
{
    start(2);
    model.drives[0].words[ID_VALID_WORDS] = ID_VALID_ULTRA;
    model.drives[0].words[ID_ULTRA_DMA] = 0x041f;
    ata_identify(&channel, 0, &identity);
    ata_set_dma_mode(&channel, 1, 0x22);
    ata_reset(&channel);
    assert_int_equal(model.nr_resets, 1);
    assert_int_equal(model.drives[0].mode, 0x42);
    assert_int_equal(model.drives[1].mode, 0x22);
    assert_true(model.control & CONTROL_NIEN);
}

static void interrupt(void **state)
{
    uint8_t sectors[2 * ATA_SECTOR_BYTES];

    start(1);
    assert_int_equal(ata_command(&channel, 0, ATA_COMMAND_READ_DMA, 7, 256), 0);
    assert_true(model.interrupt_at_dma);
    assert_int_equal(model.regs[REG_COUNT], 0);
    ata_end_dma(&channel);
    assert_int_equal(model.control, CONTROL_NIEN);
    assert_int_equal(ata_read_sectors(&channel, 0, 0x0fedcba, 2, sectors), 0);
    assert_int_equal(model.control, CONTROL_NIEN);
    assert_int_equal(model.regs[REG_LBA_MID], 0xdc);
    assert_memory_equal(sectors + ATA_SECTOR_BYTES, model.drives[0].words, ATA_SECTOR_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent),         cmocka_unit_test(starting_up),
        cmocka_unit_test(fails),          cmocka_unit_test(modes),
        cmocka_unit_test(setting_a_mode), cmocka_unit_test(reset),
        cmocka_unit_test(interrupt),      cmocka_unit_test(media),
        cmocka_unit_test(only_reads),     cmocka_unit_test(large_disks),
    };

    return cmocka_run_group_tests_name("ata", tests, NULL, NULL);
}

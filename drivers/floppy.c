/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floppy controller (82077AA and compatible) at port 0x3f0, first drive, read only, its data
 * by channel 2 of the 8237. Commands are those of the 82077AA data sheet, chapter 5.
 *
 * Every wait has a deadline, so neither an absent controller nor one without an interrupt line can
 * hang the machine. The end of a seek is waited for by interrupt 6, because asking too early is not
 * harmless everywhere (Bochs forgets the seek); without an interrupt it is asked for after a while.
 * Results are polled. The motor is started by the first read and runs until
 * quiet(). Its spin-up is not waited for in advance: a read that fails while the disk is still
 * slow is retried.
 */
#include "drivers/clock.h"
#include "drivers/irq.h"
#include "drivers/isa_dma.h"
#include "drivers/transfer.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"

#define PORT_DOR 0x3f2u  /* digital output register */
#define PORT_MSR 0x3f4u  /* main status register */
#define PORT_FIFO 0x3f5u /* commands, their parameters, results */
#define PORT_DIR 0x3f7u  /* read: digital input register */
#define PORT_CCR 0x3f7u  /* write: configuration control register */

#define DOR_NOT_RESET BIT(2)
#define DOR_DMA_GATE BIT(3)
#define DOR_MOTOR BIT(4) /* of the first drive */
#define MSR_RQM BIT(7)   /* the FIFO is ready */
#define MSR_DIO BIT(6)   /* and has something to be read */
#define MSR_BUSY BIT(4)  /* in a command */
#define MSR_ABSENT 0xffu
#define DIR_DISK_CHANGE BIT(7)

#define COMMAND_SPECIFY 0x03u
#define COMMAND_RECALIBRATE 0x07u
#define COMMAND_SENSE_INTERRUPT 0x08u
#define COMMAND_SEEK 0x0fu
#define COMMAND_READ_DATA 0x46u /* double density, one track */
#define COMMAND_READ_ID 0x4au

/* Step rate, head unload and load times: slow enough for any drive. Bit 0 of the second is 0: DMA.
 */
#define SPECIFY_STEP_UNLOAD 0xafu
#define SPECIFY_LOAD_DMA 0x04u

#define ST0_CODE_MASK 0xc0u
#define ST0_CODE_NORMAL 0x00u
#define ST0_CODE_INVALID 0x80u /* of SENSE INTERRUPT: there is none */
#define ST0_SEEK_END BIT(5)
#define SECTOR_SIZE_CODE 2u /* 128 << 2 bytes */
#define DATA_LENGTH_UNUSED 0xffu

#define NR_RESULTS 7u /* of READ DATA and READ ID: ST0, ST1, ST2, C, H, R, N */
#define NR_RESET_INTERRUPTS 4u

#define CMOS_INDEX 0x70u
#define CMOS_DATA 0x71u
#define CMOS_FLOPPY_TYPES 0x10u /* first drive in the upper half */

#define DMA_CHANNEL 2u
#define IRQ_LINE 6u
#define DRIVE 0u
#define SECTOR_BYTES 512u
#define NR_HEADS 2u
#define MAX_BYTES KIB(128)

#define RESET_HOLD_US 20u
#define RESET_LIMIT_MS 200u
#define BYTE_LIMIT_MS 100u
#define SEEK_LIMIT_MS 3000u /* 80 steps of 6 ms, and the head settles */
#define READ_LIMIT_MS 1500u /* a controller gives up after two revolutions: 400 ms */
#define SPIN_UP_MS 300u
#define NO_INTERRUPT_MS 600u /* longer than any seek takes */
#define READ_ATTEMPTS 4u
#define POLL_US 20u
#define TRANSFER_COST_MS 15u

/* What a medium can be in a drive of each CMOS type, the likeliest first. */
struct format {
    uint8_t cmos_type;
    uint8_t cylinders;
    uint8_t sectors; /* a track */
    uint8_t rate;    /* for the configuration control register */
    uint8_t gap;     /* between sectors, as READ DATA wants it */
};

#define RATE_500K 0u
#define RATE_300K 1u
#define RATE_250K 2u
#define RATE_1M 3u

#define TYPE_360K 1u

static const struct format formats[] = {
    {4, 80, 18, RATE_500K, 0x1b}, {4, 80, 9, RATE_250K, 0x2a}, {2, 80, 15, RATE_500K, 0x1b},
    {3, 80, 9, RATE_250K, 0x2a},  {1, 40, 9, RATE_250K, 0x2a}, {5, 80, 36, RATE_1M, 0x1b},
    {5, 80, 18, RATE_500K, 0x1b}, {5, 80, 9, RATE_250K, 0x2a}, {6, 80, 36, RATE_1M, 0x1b},
    {6, 80, 18, RATE_500K, 0x1b}, {6, 80, 9, RATE_250K, 0x2a},
};

struct floppy {
    struct device dev;
    struct dma_client client;
    const struct format *format;
    unsigned cmos_type;
    bool motor_on;
    int cylinder;              /* where the heads are, or -1 */
    volatile bool interrupted; /* since arm_interrupt() */
    uint8_t result[NR_RESULTS];
};

/* Whoever reads holds channel 2 of the 8237 meanwhile, which serves as the lock. */
static struct floppy the_floppy;

static unsigned cmos_drive_type(void)
{
    uint32_t flags = irq_save();
    unsigned types;

    outb(CMOS_INDEX, CMOS_FLOPPY_TYPES);
    types = inb(CMOS_DATA);
    irq_restore(flags);
    return types >> 4;
}

/* Waits until the FIFO is ready in the direction that `dio` says. */
static int wait_fifo(uint8_t dio, uint32_t limit_ms)
{
    deadline_t deadline = deadline_in_ms(limit_ms);

    while ((inb(PORT_MSR) & (MSR_RQM | MSR_DIO)) != (MSR_RQM | dio)) {
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        delay_us(POLL_US);
    }
    return 0;
}

static int send(const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        int err = wait_fifo(0, BYTE_LIMIT_MS);

        if (err)
            return err;
        outb(PORT_FIFO, bytes[i]);
    }
    return 0;
}

/* Reads a result: the first byte may take `limit_ms`, the others are there then. */
static int receive(uint8_t *bytes, unsigned count, uint32_t limit_ms)
{
    for (unsigned i = 0; i < count; i++) {
        int err = wait_fifo(MSR_DIO, i == 0 ? limit_ms : BYTE_LIMIT_MS);

        if (err)
            return err;
        bytes[i] = inb(PORT_FIFO);
    }
    return 0;
}

static bool on_interrupt(void *ctx)
{
    struct floppy *fd = ctx;

    fd->interrupted = true; /* it is withdrawn by SENSE INTERRUPT or by reading the result */
    return true;
}

/* Before the command that will interrupt. */
static void arm_interrupt(struct floppy *fd)
{
    fd->interrupted = false;
}

/* Returns when the interrupt came, or when it must be taken for lost. */
static void wait_interrupt(const struct floppy *fd)
{
    deadline_t deadline = deadline_in_ms(NO_INTERRUPT_MS);

    while (!fd->interrupted && !deadline_passed(deadline))
        cpu_relax();
}

/* Asks for the cause of an interrupt. Returns 0 and ST0 and the cylinder, -EAGAIN if none came. */
static int sense_interrupt(uint8_t *st0, uint8_t *cylinder)
{
    static const uint8_t command[] = {COMMAND_SENSE_INTERRUPT};
    int err = send(command, sizeof(command));

    if (!err)
        err = receive(st0, 1, BYTE_LIMIT_MS);
    if (err)
        return err;
    if ((*st0 & ST0_CODE_MASK) == ST0_CODE_INVALID)
        return -EAGAIN;
    return receive(cylinder, 1, BYTE_LIMIT_MS);
}

static void set_motor(struct floppy *fd, bool on)
{
    outb(PORT_DOR, (uint8_t)(DOR_NOT_RESET | DOR_DMA_GATE | DRIVE | (on ? DOR_MOTOR : 0)));
    fd->motor_on = on;
}

/* Brings the controller into a known state from any other. The motor is off and the heads are
 * anywhere. */
static int reset(struct floppy *fd)
{
    static const uint8_t specify[] = {COMMAND_SPECIFY, SPECIFY_STEP_UNLOAD, SPECIFY_LOAD_DMA};
    deadline_t deadline;
    uint8_t st0, cylinder;
    unsigned seen = 0;
    int err;

    outb(PORT_DOR, 0);
    delay_us(RESET_HOLD_US);
    arm_interrupt(fd);
    set_motor(fd, false);
    fd->cylinder = -1;
    wait_interrupt(fd);
    err = wait_fifo(0, RESET_LIMIT_MS);
    deadline = deadline_in_ms(RESET_LIMIT_MS);
    /* One interrupt for each of the four drives that there could be; some clones give fewer. */
    while (!err && seen < NR_RESET_INTERRUPTS && !deadline_passed(deadline)) {
        err = sense_interrupt(&st0, &cylinder);
        if (!err)
            seen++;
        if (err == -EAGAIN) {
            err = 0;
            if (seen)
                break;
        }
    }
    if (!err && fd->format)
        outb(PORT_CCR, fd->format->rate);
    return err ? err : send(specify, sizeof(specify));
}

/* Sends SEEK or RECALIBRATE and waits for its end at `cylinder`. */
static int move_heads(struct floppy *fd, const uint8_t *command, unsigned count, uint8_t cylinder)
{
    deadline_t deadline = deadline_in_ms(SEEK_LIMIT_MS);
    uint8_t st0, reached;
    int err;

    fd->cylinder = -1;
    arm_interrupt(fd);
    err = send(command, count);
    while (!err) {
        wait_interrupt(fd);
        err = sense_interrupt(&st0, &reached);
        if (!err && (st0 & ST0_SEEK_END)) {
            if ((st0 & ST0_CODE_MASK) != ST0_CODE_NORMAL || reached != cylinder)
                return -EIO;
            fd->cylinder = cylinder;
            return 0;
        }
        if (err == -EAGAIN)
            err = 0;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        arm_interrupt(fd);
    }
    return err;
}

static int recalibrate(struct floppy *fd)
{
    static const uint8_t command[] = {COMMAND_RECALIBRATE, DRIVE};
    int err = move_heads(fd, command, sizeof(command), 0);

    /* Older controllers stop after 77 steps, short of track 0 on an 80-track drive. */
    return err == -EIO ? move_heads(fd, command, sizeof(command), 0) : err;
}

static int seek(struct floppy *fd, uint8_t cylinder)
{
    uint8_t command[] = {COMMAND_SEEK, DRIVE, cylinder};

    if (fd->cylinder == cylinder)
        return 0;
    return move_heads(fd, command, sizeof(command), cylinder);
}

/*
 * Starts the motor and makes sure that there is a disk: the change line goes away only by a step
 * with a disk in the drive. Returns 0, or -ENXIO without one.
 */
static int start_drive(struct floppy *fd)
{
    int err;

    if (!fd->motor_on)
        set_motor(fd, true);
    if (fd->cylinder < 0) {
        err = recalibrate(fd);
        if (err)
            return client_error(&fd->client, err, "no track 0 found");
    }
    if (fd->cmos_type == TYPE_360K || !(inb(PORT_DIR) & DIR_DISK_CHANGE))
        return 0;
    err = seek(fd, 1);
    if (!err)
        err = seek(fd, 0);
    if (err)
        return client_error(&fd->client, err, "seek failed");
    if (inb(PORT_DIR) & DIR_DISK_CHANGE)
        return client_error(&fd->client, -ENXIO, "no disk in the drive");
    return 0;
}

/* One run of sectors within a track, to a bus address. sector: from 1 on. */
static int read_run_once(struct floppy *fd, uint8_t cylinder, uint8_t head, uint8_t sector,
                         dma_addr_t addr, uint32_t bytes)
{
    const uint8_t side = inject(floppy_other_side, dma_bounce) ? head ^ 1 : head;
    const char *refused = isa_dma_refusal(DMA_CHANNEL, addr, bytes);
    const uint8_t command[] = {
        COMMAND_READ_DATA,
        (uint8_t)(side << 2 | DRIVE),
        cylinder,
        side,
        sector,
        SECTOR_SIZE_CODE,
        fd->format->sectors,
        fd->format->gap,
        DATA_LENGTH_UNUSED,
    };
    uint32_t left;
    int err;

    if (refused)
        return client_error(&fd->client, -ERANGE, "8237 refuses 0x%llx+%u: %s",
                            (unsigned long long)addr, bytes, refused);
    err = seek(fd, cylinder);
    if (err)
        return client_error(&fd->client, err, "seek to cylinder %u failed", cylinder);
    err = isa_dma_start(DMA_CHANNEL, addr, bytes, DMA_FROM_DEVICE);
    if (err)
        return client_error(&fd->client, err, "8237 channel %u does not start", DMA_CHANNEL);
    err = send(command, sizeof(command));
    if (!err)
        err = receive(fd->result, NR_RESULTS, READ_LIMIT_MS);
    left = isa_dma_stop(DMA_CHANNEL);
    if (err) {
        reset(fd);
        return client_error(&fd->client, err, "READ DATA hangs, MSR 0x%02x", inb(PORT_MSR));
    }
    if ((fd->result[0] & ST0_CODE_MASK) != ST0_CODE_NORMAL)
        return client_error(&fd->client, -EIO, "C%u H%u S%u: ST0 %02x ST1 %02x ST2 %02x", cylinder,
                            head, sector, fd->result[0], fd->result[1], fd->result[2]);
    if (left)
        return client_error(&fd->client, -EIO, "C%u H%u S%u: 8237 has %u of %u bytes left",
                            cylinder, head, sector, left, bytes);
    return 0;
}

static int read_run(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                    uint32_t bytes)
{
    uint32_t per_track = fd->format->sectors;
    uint8_t cylinder = (uint8_t)(lba / (per_track * NR_HEADS));
    uint8_t head = (uint8_t)(lba / per_track % NR_HEADS);
    uint8_t sector = (uint8_t)(lba % per_track + 1);
    dma_addr_t addr = dma_map_page(&fd->dev, page, offset, bytes, DMA_FROM_DEVICE);
    int err = -EIO;

    if (dma_mapping_error(&fd->dev, addr))
        return client_error(&fd->client, -ENOMEM, "mapping of %u bytes failed", bytes);
    for (unsigned attempt = 0; attempt < READ_ATTEMPTS && err && err != -ERANGE; attempt++) {
        if (attempt > 0) {
            delay_us(SPIN_UP_MS * 1000);
            err = start_drive(fd);
            if (!err)
                err = recalibrate(fd);
            if (err)
                break;
        }
        err = read_run_once(fd, cylinder, head, sector, addr, bytes);
    }
    dma_unmap_page(&fd->dev, addr, bytes, DMA_FROM_DEVICE);
    return err;
}

/* All of the request, a run for each track that it touches. Context: channel 2 is ours. */
static int read_runs(struct floppy *fd, uint32_t lba, struct page *page, uint32_t offset,
                     uint32_t bytes)
{
    int err = start_drive(fd);

    while (!err && bytes > 0) {
        uint32_t track_left = fd->format->sectors - lba % fd->format->sectors;
        uint32_t run = MIN(bytes, track_left * SECTOR_BYTES);

        err = read_run(fd, lba, page, offset, run);
        lba += run / SECTOR_BYTES;
        offset += run;
        bytes -= run;
    }
    return err;
}

static int floppy_read(struct dma_client *client, uint64_t dev_offset, struct page *page,
                       uint32_t offset, uint32_t bytes)
{
    struct floppy *fd = container_of(client, struct floppy, client);
    int err;

    if (bytes == 0 || bytes > client->max_bytes || (dev_offset | bytes) % SECTOR_BYTES ||
        dev_offset > client->size_bytes - bytes)
        return client_error(client, -EINVAL, "%u bytes at %llu are no sectors of this disk", bytes,
                            (unsigned long long)dev_offset);
    err = isa_dma_request(DMA_CHANNEL, client->name);
    if (err)
        return client_error(client, err, "8237 channel %u is not to be had", DMA_CHANNEL);
    irq_request(IRQ_LINE, on_interrupt, fd, client->name);
    err = read_runs(fd, (uint32_t)(dev_offset / SECTOR_BYTES), page, offset, bytes);
    irq_free(IRQ_LINE, on_interrupt, fd);
    isa_dma_free(DMA_CHANNEL);
    return err;
}

static void floppy_quiet(struct dma_client *client)
{
    set_motor(container_of(client, struct floppy, client), false);
}

/*
 * Finds the format whose data rate the medium answers to, by READ ID. Formats of one drive type
 * differ in their rate. Returns 0, or -EIO.
 */
static int find_format(struct floppy *fd)
{
    static const uint8_t read_id[] = {COMMAND_READ_ID, DRIVE};

    for (unsigned attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
            int err;

            if (formats[i].cmos_type != fd->cmos_type)
                continue;
            outb(PORT_CCR, formats[i].rate);
            err = send(read_id, sizeof(read_id));
            if (!err)
                err = receive(fd->result, NR_RESULTS, READ_LIMIT_MS);
            if (err)
                return err;
            if ((fd->result[0] & ST0_CODE_MASK) == ST0_CODE_NORMAL) {
                fd->format = &formats[i];
                return 0;
            }
        }
        delay_us(SPIN_UP_MS * 1000);
    }
    return -EIO;
}

static int probe_medium(struct floppy *fd)
{
    int err = reset(fd);

    if (err)
        return client_error(&fd->client, err, "no answer to reset, MSR 0x%02x", inb(PORT_MSR));
    err = start_drive(fd);
    if (err)
        return err;
    err = find_format(fd);
    if (err)
        return client_error(&fd->client, err, "no readable disk, ST0 %02x ST1 %02x", fd->result[0],
                            fd->result[1]);
    return 0;
}

static int floppy_probe(void)
{
    struct floppy *fd = &the_floppy;
    int err;

    fd->cmos_type = cmos_drive_type();
    if (inb(PORT_MSR) == MSR_ABSENT) {
        probe_report("floppy", -ENODEV, "no controller at port 0x3f0");
        return -ENODEV;
    }
    if (fd->cmos_type == 0) {
        probe_report("floppy", -ENODEV, "controller at port 0x3f0, but no drive says the CMOS");
        return -ENODEV;
    }
    fd->dev = (struct device){
        .name = "floppy",
        .dma_mask = DMA_BIT_MASK(24),
        .max_segment_bytes = ISA_DMA_BOUNDARY_8BIT + 1,
        .segment_boundary_mask = ISA_DMA_BOUNDARY_8BIT,
    };
    fd->client = (struct dma_client){
        .name = "floppy",
        .dev = &fd->dev,
        .granule_bytes = SECTOR_BYTES,
        .max_bytes = MAX_BYTES,
        .align_bytes = 1,
        .cost_ms = TRANSFER_COST_MS,
        .read = floppy_read,
        .quiet = floppy_quiet,
    };
    irq_request(IRQ_LINE, on_interrupt, fd, "floppy");
    err = probe_medium(fd);
    irq_free(IRQ_LINE, on_interrupt, fd);
    set_motor(fd, false);
    if (err) {
        probe_report("floppy", err, "%s", fd->client.reason);
        return err;
    }
    fd->client.size_bytes =
        (uint64_t)fd->format->cylinders * NR_HEADS * fd->format->sectors * SECTOR_BYTES;
    dma_client_register(&fd->client);
    probe_report("floppy", 0, "%u cylinders, %u sectors a track, 8237 channel %u",
                 fd->format->cylinders, fd->format->sectors, DMA_CHANNEL);
    return 0;
}

TABLE_ENTRY(isa_driver, struct isa_driver) = {
    .name = "floppy",
    .probe = floppy_probe,
};

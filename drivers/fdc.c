/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/fdc.h"
#include "drivers/clock.h"
#include "drivers/irq.h"
#include "lib/errno.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/wait.h"

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
#define MSR_ABSENT 0xffu
#define DIR_DISK_CHANGE BIT(7)

#define COMMAND_SPECIFY 0x03u
#define COMMAND_SENSE_DRIVE 0x04u
#define COMMAND_RECALIBRATE 0x07u
#define COMMAND_SENSE_INTERRUPT 0x08u
#define COMMAND_SEEK 0x0fu
#define COMMAND_VERSION 0x10u
#define COMMAND_PERPENDICULAR 0x12u
#define COMMAND_CONFIGURE 0x13u
#define COMMAND_WRITE_DATA 0x45u /* double density, one track */
#define COMMAND_READ_DATA 0x46u  /* the same */
#define COMMAND_READ_ID 0x4au

#define VERSION_ENHANCED 0x90u

/*
 * Step rate, head unload and load times: slow enough for any drive. A step takes 3 ms at 1 Mbit/s,
 * 6 at 500, 10 at 300 and 12 at 250 kbit/s. Bit 0 of the second is 0: DMA.
 */
#define SPECIFY_STEP_UNLOAD 0xafu
#define SPECIFY_LOAD_DMA 0x04u

/*
 * No seeks of its own; FIFO on, with a threshold of 8 bytes, so that the DMA may be late by as
 * many; no polling of drives, whose interrupts nobody asked for.
 */
#define CONFIGURE_NO_POLLING BIT(4)
#define CONFIGURE_THRESHOLD(bytes) ((bytes)-1u)
#define FIFO_THRESHOLD 8u

/* GAP and WGATE: the long gaps and the preerase of 2.88 MB media. */
#define PERPENDICULAR_ON 0x03u
#define PERPENDICULAR_OFF 0x00u

#define ST0_CODE_MASK 0xc0u
#define ST0_CODE_NORMAL 0x00u
#define ST0_CODE_INVALID 0x80u /* of SENSE INTERRUPT: there is none */
#define ST0_SEEK_END BIT(5)
#define ST1_OVERRUN BIT(4)
#define ST1_NO_DATA BIT(2)
#define ST1_NOT_WRITABLE BIT(1)
#define ST1_NO_ADDRESS_MARK BIT(0)
#define ST1_DATA_ERROR BIT(5)
#define ST1_MEDIUM (ST1_NO_DATA | ST1_NO_ADDRESS_MARK | ST1_DATA_ERROR)
#define ST1_END_OF_TRACK BIT(7) /* the last sector of the run came, no terminal count */
#define ST3_WRITE_PROTECTED BIT(6)
#define SECTOR_SIZE_CODE 2u /* 128 << 2 bytes */
#define DATA_LENGTH_UNUSED 0xffu
#define RESULT_CYLINDER 3u

#define NR_RESET_INTERRUPTS 4u
#define IRQ_LINE 6u
#define DRIVE 0u

#define RESET_HOLD_US 20u
#define RESET_LIMIT_MS 200u
#define BYTE_LIMIT_MS 100u
/* The longest seek: 80 steps of 12 ms, and the head settles. */
#define NO_INTERRUPT_MS 1200u
#define SEEK_LIMIT_MS 3000u    /* more than two of them */
#define COMMAND_LIMIT_MS 1500u /* a controller gives up after two revolutions: 400 ms */
#define POLL_US 20u

bool fdc_is_present(void)
{
    return inb(PORT_MSR) != MSR_ABSENT;
}

uint8_t fdc_status(void)
{
    return inb(PORT_MSR);
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

/* The request is withdrawn by SENSE INTERRUPT or by reading the result, not here. */
static bool on_interrupt(void *ctx)
{
    struct fdc *fdc = ctx;

    if (!fdc->armed || fdc->interrupted)
        return false;
    fdc->interrupted = true;
    return true;
}

/* Before anything that will interrupt. */
static void arm_interrupt(struct fdc *fdc)
{
    fdc->interrupted = false;
    fdc->armed = true;
}

static void disarm_interrupt(struct fdc *fdc)
{
    fdc->armed = false;
}

/* Returns when the interrupt came, or when it must be taken for lost. */
static void wait_interrupt(struct fdc *fdc)
{
    deadline_t deadline = deadline_in_ms(NO_INTERRUPT_MS);

    wait_begins();
    while (!fdc->interrupted && !deadline_passed(deadline))
        cpu_relax();
    wait_ends();
    disarm_interrupt(fdc);
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

/* A command with results has come to its end when there is something to be read. */
static bool fdc_service(struct completion *c)
{
    bool was_done = c->done;

    if ((inb(PORT_MSR) & (MSR_RQM | MSR_DIO)) == (MSR_RQM | MSR_DIO))
        c->done = true;
    return c->done && !was_done;
}

void fdc_begin(struct fdc *fdc, const char *name)
{
    disarm_interrupt(fdc);
    fdc->completion.service = fdc_service;
    fdc->completion.name = name;
    fdc->completion.line = IRQ_LINE;
    /* Without a handler everything works as without an interrupt line: slowly. */
    (void)irq_request(IRQ_LINE, on_interrupt, fdc, name);
}

void fdc_end(struct fdc *fdc)
{
    irq_free(IRQ_LINE, on_interrupt, fdc);
}

void fdc_set_motor(struct fdc *fdc, bool on)
{
    outb(PORT_DOR, (uint8_t)(DOR_NOT_RESET | DOR_DMA_GATE | DRIVE | (on ? DOR_MOTOR : 0)));
    fdc->motor_on = on;
}

void fdc_hold(struct fdc *fdc)
{
    outb(PORT_DOR, 0);
    fdc->motor_on = false;
    fdc->held = true;
    fdc->cylinder = -1;
}

int fdc_set_rate(struct fdc *fdc, enum fdc_rate rate)
{
    const uint8_t perpendicular[] = {
        COMMAND_PERPENDICULAR,
        rate == FDC_RATE_1M ? PERPENDICULAR_ON : PERPENDICULAR_OFF,
    };

    outb(PORT_CCR, (uint8_t)rate);
    fdc->rate = (uint8_t)rate;
    return fdc->enhanced && fdc->perpendicular ? send(perpendicular, sizeof(perpendicular)) : 0;
}

/* What the controller forgot in reset. An old one answers VERSION as an invalid command. */
static int configure(struct fdc *fdc, enum fdc_rate rate)
{
    static const uint8_t specify[] = {COMMAND_SPECIFY, SPECIFY_STEP_UNLOAD, SPECIFY_LOAD_DMA};
    static const uint8_t get_version[] = {COMMAND_VERSION};
    static const uint8_t set_up[] = {COMMAND_CONFIGURE, 0,
                                     CONFIGURE_NO_POLLING | CONFIGURE_THRESHOLD(FIFO_THRESHOLD), 0};
    uint8_t version;
    int err = send(get_version, sizeof(get_version));

    if (!err)
        err = receive(&version, 1, BYTE_LIMIT_MS);
    if (err)
        return err;
    fdc->enhanced = version == VERSION_ENHANCED;
    if (fdc->enhanced)
        err = send(set_up, sizeof(set_up));
    if (!err)
        err = fdc_set_rate(fdc, rate);
    return err ? err : send(specify, sizeof(specify));
}

int fdc_reset(struct fdc *fdc, enum fdc_rate rate)
{
    deadline_t deadline;
    uint8_t st0, cylinder;
    unsigned seen = 0;
    int err;

    fdc_hold(fdc);
    delay_us(RESET_HOLD_US);
    arm_interrupt(fdc);
    fdc_set_motor(fdc, false);
    fdc->held = false;
    wait_interrupt(fdc);
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
    return err ? err : configure(fdc, rate);
}

bool fdc_disk_changed(void)
{
    return inb(PORT_DIR) & DIR_DISK_CHANGE;
}

/* Sends SEEK or RECALIBRATE and waits for its end at `cylinder`. */
static int move_heads(struct fdc *fdc, const uint8_t *command, unsigned count, uint8_t cylinder)
{
    deadline_t deadline = deadline_in_ms(SEEK_LIMIT_MS);
    uint8_t st0 = 0, reached;
    int err;

    fdc->cylinder = -1;
    arm_interrupt(fdc);
    err = send(command, count);
    while (!err) {
        wait_interrupt(fdc);
        err = sense_interrupt(&st0, &reached);
        fdc->st0 = st0;
        if (!err && (st0 & ST0_SEEK_END)) {
            if ((st0 & ST0_CODE_MASK) != ST0_CODE_NORMAL || reached != cylinder)
                return -EIO;
            fdc->cylinder = cylinder;
            return 0;
        }
        if (err == -EAGAIN)
            err = 0;
        if (deadline_passed(deadline))
            return -ETIMEDOUT;
        arm_interrupt(fdc);
    }
    disarm_interrupt(fdc);
    return err;
}

int fdc_recalibrate(struct fdc *fdc)
{
    static const uint8_t command[] = {COMMAND_RECALIBRATE, DRIVE};
    int err = move_heads(fdc, command, sizeof(command), 0);

    /* Older controllers stop after 77 steps, short of track 0 on an 80-track drive. */
    return err == -EIO ? move_heads(fdc, command, sizeof(command), 0) : err;
}

int fdc_seek(struct fdc *fdc, uint8_t cylinder)
{
    const uint8_t command[] = {COMMAND_SEEK, DRIVE, cylinder};

    if (fdc->cylinder == cylinder)
        return 0;
    return move_heads(fdc, command, sizeof(command), cylinder);
}

/*
 * A command that ends with all results. Returns 0, or -ETIMEDOUT. The interrupt belongs to the
 * completion, or to nobody but the drive: then it is taken and forgotten.
 */
static int run_command(struct fdc *fdc, const uint8_t *command, unsigned count)
{
    struct completion *c = &fdc->completion;
    int err;

    arm_interrupt(fdc);
    completion_begin(c);
    err = send(command, count);
    if (!err)
        err = completion_wait(c, COMMAND_LIMIT_MS);
    completion_end(c);
    if (!err || c->interrupt_lost) {
        int result = receive(fdc->result, FDC_NR_RESULTS, BYTE_LIMIT_MS);

        err = err ? err : result;
    }
    disarm_interrupt(fdc);
    return err;
}

static bool ended_well(const struct fdc *fdc)
{
    return (fdc->result[0] & ST0_CODE_MASK) == ST0_CODE_NORMAL;
}

int fdc_read_id(struct fdc *fdc, uint8_t *cylinder)
{
    static const uint8_t command[] = {COMMAND_READ_ID, DRIVE};
    int err = run_command(fdc, command, sizeof(command));

    if (err)
        return err;
    *cylinder = fdc->result[RESULT_CYLINDER];
    return ended_well(fdc) ? 0 : -EIO;
}

int fdc_is_write_protected(struct fdc *fdc, bool *is)
{
    static const uint8_t command[] = {COMMAND_SENSE_DRIVE, DRIVE};
    uint8_t st3 = 0;
    int err = send(command, sizeof(command));

    if (!err)
        err = receive(&st3, 1, BYTE_LIMIT_MS);
    *is = st3 & ST3_WRITE_PROTECTED;
    return err;
}

int fdc_transfer(struct fdc *fdc, const struct fdc_run *run, bool to_disk)
{
    const uint8_t command[] = {
        to_disk ? COMMAND_WRITE_DATA : COMMAND_READ_DATA,
        (uint8_t)(run->head << 2 | DRIVE),
        run->cylinder,
        run->head,
        run->sector,
        SECTOR_SIZE_CODE,
        run->last,
        run->gap,
        DATA_LENGTH_UNUSED,
    };
    int err = run_command(fdc, command, sizeof(command));

    if (err || ended_well(fdc))
        return err;
    if (to_disk && (fdc->result[1] & ST1_NOT_WRITABLE))
        return -EROFS;
    if (fdc->result[1] == ST1_END_OF_TRACK)
        return -ENOSPC;
    /* An overrun may leave a checksum unread; the sector itself need not be bad. */
    return (fdc->result[1] & ST1_MEDIUM) && !(fdc->result[1] & ST1_OVERRUN) ? -EIO : -EPROTO;
}

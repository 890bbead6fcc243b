/* SPDX-License-Identifier: BSD-2-Clause */
/* The floppy driver against a model of the controller, its drive and its disk. */
#include "ci/unit/unit.h"

#define LIB_X86_IO_H
#define LIB_X86_CPU_H
static uint8_t inb(uint16_t port);
static void outb(uint16_t port, uint8_t value);
static uint32_t irq_save(void)
{
    return 0;
}
static void irq_restore(uint32_t flags)
{
}
static void cpu_relax(void)
{
}
static bool interrupts_on;
#define EFLAGS_IF BIT(9)
static uint32_t eflags_read(void)
{
    return interrupts_on ? EFLAGS_IF : 0;
}

#include "drivers/completion.c"
#include "drivers/fdc.c"
#include "drivers/floppy_drive.c"
#include "drivers/floppy.c"

#define STEP_US 12000u /* the slowest step rate: 250 kbit/s */
#define NOTHING UINT8_MAX

static uint64_t now_us;

static struct {
    /* What it is. */
    uint8_t cmos;
    bool old;         /* a 765 */
    bool no_irq_line; /* interrupts come nowhere */
    bool has_disk, turns;
    uint8_t rate, tracks, sectors;
    bool wide; /* tracks are two steps apart */
    /* What it does. */
    uint8_t dor, ccr, pcn, at;
    uint8_t in[9], out[7];
    unsigned nr_in, nr_out, out_at;
    unsigned resets_pending; /* interrupts after reset that nobody asked for yet */
    bool hung, seeking, seek_ended, irq, changed;
    uint64_t seek_end_us, motor_on_us;
    uint8_t perpendicular, configured;
    unsigned nr_read_ids;
    uint8_t read_status1; /* ST1 of READ DATA */
    bool dma_short;
    bool write_protected;
    unsigned nr_writes;
} m;

#define MAX_HANDLERS 2u
static struct {
    irq_handler_t fn;
    void *ctx;
} handlers[MAX_HANDLERS];
static unsigned nr_handlers;
static unsigned nr_unclaimed;
static const char *channel_owner;
static bool channel_open;
static struct dma_client *registered;
static int probe_error;
static bool allow_fd0;
static char probe_text[160];

static void raise_irq(void)
{
    bool claimed = false;

    m.irq = true;
    if (m.no_irq_line || !nr_handlers || !(m.dor & DOR_DMA_GATE))
        return;
    for (unsigned i = 0; i < nr_handlers; i++)
        claimed |= handlers[i].fn(handlers[i].ctx);
    nr_unclaimed += !claimed;
}

static void pass_time(uint64_t us)
{
    now_us += us;
    if (m.seeking && now_us >= m.seek_end_us) {
        m.seeking = false;
        m.seek_ended = true;
        raise_irq();
    }
}

deadline_t deadline_in_ms(uint32_t ms)
{
    return now_us + ms * UINT64_C(1000);
}

bool deadline_passed(deadline_t deadline)
{
    pass_time(50);
    return now_us > deadline;
}

void delay_us(uint32_t us)
{
    pass_time(us);
}

int irq_request(unsigned line, irq_handler_t h, void *ctx, const char *name)
{
    assert_int_equal(line, 6);
    assert_in_range(nr_handlers, 0, MAX_HANDLERS - 1);
    handlers[nr_handlers].fn = h;
    handlers[nr_handlers++].ctx = ctx;
    return 0;
}

void irq_free(unsigned line, irq_handler_t h, const void *ctx)
{
    for (unsigned i = 0; i < nr_handlers; i++) {
        if (handlers[i].fn == h && handlers[i].ctx == ctx)
            handlers[i] = handlers[--nr_handlers];
    }
}

bool irq_is_stuck(unsigned line)
{
    assert_int_equal(line, 6);
    return false;
}

void irq_declare_stuck(unsigned line)
{
    fail_msg("line %u declared stuck", line);
}

bool isa_dma_is_present(void)
{
    return true;
}

void wait_begins(void)
{
}

void wait_ends(void)
{
}

void wait_yield(void)
{
}

bool destructive_allows(const char *name)
{
    assert_string_equal(name, "fd0");
    return allow_fd0;
}

const char *isa_dma_refusal(unsigned channel, dma_addr_t addr, uint32_t bytes)
{
    return NULL;
}

int isa_dma_request(unsigned channel, const char *owner)
{
    if (channel_owner)
        return -EBUSY;
    channel_owner = owner;
    return 0;
}

void isa_dma_free(unsigned channel)
{
    assert_false(channel_open);
    channel_owner = NULL;
}

int isa_dma_start(unsigned channel, dma_addr_t addr, uint32_t bytes, enum dma_data_direction dir)
{
    assert_non_null(channel_owner);
    channel_open = true;
    return 0;
}

int isa_dma_start_unchecked(unsigned channel, dma_addr_t addr, uint32_t bytes,
                            enum dma_data_direction dir, unsigned flags)
{
    return isa_dma_start(channel, addr, bytes, dir);
}

void isa_dma_resume(unsigned channel)
{
    channel_open = true;
}

bool isa_dma_took_tc(unsigned channel)
{
    return !m.dma_short;
}

uint32_t isa_dma_stop(unsigned channel)
{
    channel_open = false;
    return m.dma_short ? 1 : 0;
}

dma_addr_t dma_map_page(struct device *dev, struct page *page, uint32_t offset, uint32_t size,
                        enum dma_data_direction dir)
{
    return offset;
}

static unsigned long unmap_attrs; /* of the last */

void dma_unmap_page_attrs(struct device *dev, dma_addr_t addr, uint32_t size,
                          enum dma_data_direction dir, unsigned long attrs)
{
    unmap_attrs = attrs;
}

int client_judge_residue(struct dma_client *client, uint32_t left, uint32_t bytes)
{
    return left ? client_error(client, -EPROTO, "%u bytes left of %u", left, bytes) : 0;
}

void probe_report(const char *driver, int result, const char *fmt, ...)
{
    va_list args;

    probe_error = result;
    va_start(args, fmt);
    vsnprintf(probe_text, sizeof(probe_text), fmt, args);
    va_end(args);
}

void dma_client_register(struct dma_client *client)
{
    registered = client;
}

static void answer(const uint8_t *bytes, unsigned count)
{
    memcpy(m.out, bytes, count);
    m.nr_out = count;
    m.out_at = 0;
}

/* The cylinder's number under the heads, or NOTHING. */
static uint8_t under_heads(void)
{
    uint8_t cylinder = (uint8_t)(m.wide ? m.at / 2 : m.at);

    if (m.ccr != m.rate || cylinder >= m.tracks || (m.wide && m.at % 2))
        return NOTHING;
    return cylinder;
}

static void start_seek(uint8_t to)
{
    /* A 1.2 MB drive has a few tracks more than 80. */
    unsigned steps = to > m.at ? to - m.at : m.at - to;

    m.seeking = true;
    m.seek_ended = false;
    m.seek_end_us = now_us + steps * STEP_US + 15000;
    m.at = m.pcn = to;
    if (m.has_disk && steps)
        m.changed = false;
}

static void results(uint8_t st0, uint8_t st1, uint8_t cylinder)
{
    const uint8_t all[] = {st0, st1, 0, cylinder, 0, 1, 2};

    answer(all, sizeof(all));
    raise_irq();
}

static void execute(void)
{
    const uint8_t id = under_heads();
    uint8_t reply[2];

    switch (m.in[0]) {
    case COMMAND_SENSE_INTERRUPT:
        assert_false(m.seeking); /* Bochs forgets the seek then */
        m.irq = false;
        if (m.resets_pending) {
            reply[0] = (uint8_t)(0xc0 | (4 - m.resets_pending--));
            reply[1] = m.pcn;
        } else if (m.seek_ended) {
            m.seek_ended = false;
            reply[0] = ST0_SEEK_END;
            reply[1] = m.pcn;
        } else {
            reply[0] = ST0_CODE_INVALID;
            answer(reply, 1);
            break;
        }
        answer(reply, 2);
        break;
    case COMMAND_VERSION:
        reply[0] = m.old ? ST0_CODE_INVALID : VERSION_ENHANCED;
        answer(reply, 1);
        break;
    case COMMAND_CONFIGURE:
        assert_false(m.old);
        m.configured = m.in[2];
        break;
    case COMMAND_PERPENDICULAR:
        assert_false(m.old);
        m.perpendicular = m.in[1];
        break;
    case COMMAND_RECALIBRATE:
        start_seek(0);
        break;
    case COMMAND_SEEK:
        start_seek(m.in[2]);
        break;
    case COMMAND_SENSE_DRIVE:
        assert_true(m.dor & DOR_MOTOR);
        reply[0] = m.write_protected ? ST3_WRITE_PROTECTED : 0;
        answer(reply, 1);
        break;
    case COMMAND_READ_ID:
    case COMMAND_READ_DATA:
    case COMMAND_WRITE_DATA:
        assert_true(m.dor & DOR_MOTOR);
        m.nr_read_ids += m.in[0] == COMMAND_READ_ID;
        if (!m.turns) {
            m.hung = true;
            break;
        }
        if (m.in[0] == COMMAND_WRITE_DATA)
            assert_true(now_us - m.motor_on_us >= FLOPPY_SPIN_UP_MS * 1000);
        m.nr_writes += m.in[0] == COMMAND_WRITE_DATA && !m.write_protected;
        if (m.in[0] == COMMAND_WRITE_DATA && m.write_protected)
            results(0x40, ST1_NOT_WRITABLE, id);
        else if (m.in[0] == COMMAND_READ_ID)
            results(id == NOTHING ? 0x40 : 0, id == NOTHING ? ST1_NO_ADDRESS_MARK : 0, id);
        else if (id == NOTHING || id != m.in[2] || m.in[4] > m.sectors)
            results(0x40, ST1_NO_DATA, id);
        else
            results(m.read_status1 ? 0x40 : 0, m.read_status1, id);
        break;
    }
}

static unsigned length_of(uint8_t command)
{
    switch (command) {
    case COMMAND_SPECIFY:
    case COMMAND_SEEK:
        return 3;
    case COMMAND_RECALIBRATE:
    case COMMAND_PERPENDICULAR:
    case COMMAND_READ_ID:
    case COMMAND_SENSE_DRIVE:
        return 2;
    case COMMAND_CONFIGURE:
        return 4;
    case COMMAND_READ_DATA:
    case COMMAND_WRITE_DATA:
        return 9;
    default:
        return 1;
    }
}

static uint8_t inb(uint16_t port)
{
    switch (port) {
    case CMOS_DATA:
        return (uint8_t)(m.cmos << 4);
    case PORT_MSR:
        if (!(m.dor & DOR_NOT_RESET) || m.hung)
            return 0;
        return (uint8_t)(MSR_RQM | (m.nr_out > m.out_at ? MSR_DIO : 0));
    case PORT_FIFO:
        assert_true(m.out_at < m.nr_out);
        return m.out[m.out_at++];
    case PORT_DIR:
        return m.changed ? DIR_DISK_CHANGE : 0;
    }
    fail_msg("port 0x%x is nobody's", port);
    return 0;
}

static void outb(uint16_t port, uint8_t value)
{
    switch (port) {
    case PORT_DOR:
        if ((value & DOR_MOTOR) && !(m.dor & DOR_MOTOR))
            m.motor_on_us = now_us;
        if (!(value & DOR_NOT_RESET)) {
            m.hung = m.seeking = m.seek_ended = false;
            m.nr_in = m.nr_out = m.out_at = m.pcn = 0;
            m.configured = m.perpendicular = 0;
        }
        if ((value & DOR_NOT_RESET) && !(m.dor & DOR_NOT_RESET)) {
            m.resets_pending = 4;
            m.dor = value;
            raise_irq();
        }
        m.dor = value;
        break;
    case PORT_CCR:
        m.ccr = value;
        break;
    case PORT_FIFO:
        assert_true(m.dor & DOR_NOT_RESET);
        assert_false(m.hung || m.out_at < m.nr_out);
        m.in[m.nr_in++] = value;
        if (m.nr_in == length_of(m.in[0])) {
            m.nr_in = 0;
            execute();
        }
        break;
    }
}

/* A drive of this type, its heads far out, with this medium, as firmware leaves it. */
static void build(uint8_t cmos, uint8_t rate, uint8_t tracks, uint8_t sectors, bool wide)
{
    memset(&m, 0, sizeof(m));
    memset(&the_floppy, 0, sizeof(the_floppy));
    m.cmos = cmos;
    m.has_disk = m.turns = m.changed = true;
    m.rate = rate;
    m.tracks = tracks;
    m.sectors = sectors;
    m.wide = wide;
    m.at = 79;
    m.ccr = FDC_RATE_250K;
    nr_handlers = 0;
    allow_fd0 = false;
    interrupts_on = true;
    channel_owner = NULL;
    channel_open = false;
    nr_unclaimed = 0;
    registered = NULL;
    probe_text[0] = '\0';
}

static int read_at(uint32_t lba, uint32_t sectors)
{
    return registered->read(registered, lba * UINT64_C(512), NULL, 0, sectors * 512);
}

static void expect_size(unsigned tracks, unsigned sectors)
{
    assert_int_equal(floppy_probe(), 0);
    assert_non_null(registered);
    assert_int_equal(registered->size_bytes, tracks * 2 * sectors * 512);
    assert_false(m.dor & DOR_MOTOR);
    assert_int_equal(nr_handlers, 0);
    registered->completion->by_interrupt = !m.no_irq_line;
    for (uint32_t lba = 0; lba < tracks * 2 * sectors; lba += 7)
        assert_int_equal(read_at(lba, 1), 0);
    assert_int_equal(read_at(tracks * 2 * sectors - 50, 50), 0);
    registered->quiet(registered);
    assert_false(m.dor & DOR_MOTOR);
    assert_null(channel_owner);
    assert_int_equal(nr_unclaimed, 0);
}

static void test_media(void **state)
{
    static const struct {
        uint8_t cmos, rate, tracks, sectors;
        bool wide;
    } media[] = {
        {TYPE_1440K, FDC_RATE_500K, 80, 18, false}, {TYPE_1440K, FDC_RATE_250K, 80, 9, false},
        {TYPE_1200K, FDC_RATE_500K, 80, 15, false}, {TYPE_1200K, FDC_RATE_300K, 80, 9, false},
        {TYPE_1200K, FDC_RATE_300K, 40, 9, true},   {TYPE_1200K, FDC_RATE_250K, 80, 9, false},
        {TYPE_1200K, FDC_RATE_300K, 40, 9, false},  {TYPE_720K, FDC_RATE_250K, 80, 9, false},
        {TYPE_360K, FDC_RATE_250K, 40, 9, false},   {TYPE_2880K, FDC_RATE_1M, 80, 36, false},
        {TYPE_2880K, FDC_RATE_500K, 80, 18, false}, {TYPE_2880K_ALSO, FDC_RATE_250K, 80, 9, false},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(media); i++) {
        for (unsigned variant = 0; variant < 4; variant++) {
            build(media[i].cmos, media[i].rate, media[i].tracks, media[i].sectors, media[i].wide);
            m.old = variant & 1;
            m.no_irq_line = variant & 2;
            expect_size(media[i].tracks, media[i].sectors);
            assert_int_equal(m.configured, m.old ? 0 : 0x17);
            assert_int_equal(m.perpendicular, !m.old && media[i].rate == FDC_RATE_1M ? 3 : 0);
        }
    }
}

static void test_no_disk(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    m.has_disk = m.turns = false;
    assert_int_equal(floppy_probe(), -ENXIO);
    assert_string_equal(probe_text, "no disk in the drive");
    assert_false(m.dor & DOR_MOTOR);

    build(0, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), -ENODEV);
}

/* READ ID counts index pulses to give up, and there are none. */
static void test_nothing_turns(void **state)
{
    uint64_t start = now_us;

    (void)state;
    build(TYPE_360K, FDC_RATE_250K, 40, 9, false);
    m.turns = false;
    assert_int_equal(floppy_probe(), -ETIMEDOUT);
    assert_false(m.hung);
    assert_false(m.dor & DOR_MOTOR);
    assert_int_equal(m.nr_read_ids, 1);

    build(TYPE_2880K, FDC_RATE_250K, 80, 9, false);
    m.turns = false;
    assert_int_equal(floppy_probe(), -ETIMEDOUT);
    assert_int_equal(m.nr_read_ids, 3);
    assert_in_range(now_us - start, 1, 20000000);
    assert_false(m.hung);
}

static void test_bad_medium(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), 0);
    m.read_status1 = ST1_DATA_ERROR;
    assert_int_equal(read_at(100, 3), -EIO);
    m.read_status1 = ST1_OVERRUN;
    assert_int_equal(read_at(100, 3), -EPROTO);
    m.read_status1 = 0;
    m.dma_short = true;
    assert_int_equal(read_at(100, 3), -EPROTO);
    assert_int_equal(unmap_attrs, DMA_ATTR_SKIP_CPU_SYNC);
    m.dma_short = false;
    assert_int_equal(read_at(100, 3), 0);
    assert_int_equal(unmap_attrs, 0);
    m.turns = false;
    assert_int_equal(read_at(100, 3), -ETIMEDOUT);
    m.turns = true;
    assert_int_equal(read_at(100, 3), 0);
    assert_int_equal(nr_unclaimed, 0);
}

/* A fault ended a read: quiet() gives back what it held, and the drive can be read again. */
static void test_quiet_in_a_read(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), 0);
    assert_int_equal(read_at(100, 3), 0);
    assert_int_equal(isa_dma_request(FDC_DMA_CHANNEL, registered->name), 0);
    the_floppy.works = true;
    fdc_begin(&the_floppy.drive.fdc, "floppy");
    assert_int_equal(isa_dma_start(FDC_DMA_CHANNEL, 0, 512, DMA_FROM_DEVICE), 0);
    assert_int_equal(read_at(100, 3), -EBUSY);
    registered->quiet(registered);
    assert_null(channel_owner);
    assert_int_equal(nr_handlers, 0);
    assert_int_equal(m.dor, 0);
    registered->quiet(registered);
    assert_int_equal(read_at(1000, 40), 0);
}

/* Interrupts that nobody waits for are left to whoever shares the line. */
static void test_claims(void **state)
{
    struct fdc *fdc = &the_floppy.drive.fdc;

    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    fdc_begin(fdc, "floppy");
    assert_false(on_interrupt(fdc));
    arm_interrupt(fdc);
    assert_true(on_interrupt(fdc));
    assert_false(on_interrupt(fdc));
    disarm_interrupt(fdc);
    assert_false(on_interrupt(fdc));
    fdc_end(fdc);
}

/* Nothing is written to a medium that nobody named, nor to one whose tab says no. */
static void test_writes(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), 0);
    assert_null(registered->write);

    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    allow_fd0 = m.write_protected = true;
    assert_int_equal(floppy_probe(), 0);
    assert_non_null(strstr(probe_text, "write-protected"));
    assert_null(registered->write);

    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    allow_fd0 = true;
    assert_int_equal(floppy_probe(), 0);
    assert_non_null(strstr(probe_text, "may be written to"));
    assert_int_equal(registered->write(registered, 17 * 512, NULL, 0, 2 * 512), 0);
    assert_int_equal(m.nr_writes, 2);
    m.write_protected = true;
    assert_int_equal(registered->write(registered, 0, NULL, 0, 512), -EROFS);
    assert_int_equal(m.nr_writes, 2);
}

/* Another disk than the one that was found is nobody's to read or write. */
static void test_changed_disk(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    allow_fd0 = true;
    assert_int_equal(floppy_probe(), 0);
    assert_int_equal(read_at(0, 1), 0);
    registered->quiet(registered);
    m.changed = true;
    assert_int_equal(read_at(0, 1), -ENXIO);
    assert_non_null(strstr(registered->reason, "changed"));
    assert_int_equal(registered->write(registered, 0, NULL, 0, 512), -ENXIO);
    assert_int_equal(m.nr_writes, 0);
    registered->quiet(registered);
    assert_int_equal(read_at(0, 1), -ENXIO);

    /* While the controller was in reset, and the heads nobody knows where. */
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), 0);
    fdc_hold(&the_floppy.drive.fdc);
    m.changed = true;
    assert_int_equal(read_at(0, 1), -ENXIO);
}

/* With the line dead a read is made again, by asking, and so are all that come. */
static void test_lost_interrupt(void **state)
{
    (void)state;
    build(TYPE_1440K, FDC_RATE_500K, 80, 18, false);
    assert_int_equal(floppy_probe(), 0);
    completion_forgive(registered->completion);
    assert_int_equal(read_at(0, 1), 0);
    m.no_irq_line = true;
    assert_int_equal(read_at(0, 1), 0);
    assert_int_equal(registered->completion->lost, 1);
    assert_non_null(strstr(registered->reason, "without an interrupt"));
    assert_int_equal(read_at(0, 1), 0);
    assert_int_equal(registered->completion->lost, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_media),           cmocka_unit_test(test_no_disk),
        cmocka_unit_test(test_nothing_turns),   cmocka_unit_test(test_bad_medium),
        cmocka_unit_test(test_quiet_in_a_read), cmocka_unit_test(test_claims),
        cmocka_unit_test(test_writes),          cmocka_unit_test(test_changed_disk),
        cmocka_unit_test(test_lost_interrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

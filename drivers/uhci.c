/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/uhci.h"
#include "drivers/clock.h"
#include "drivers/pci.h"
#include "lib/errno.h"
#include "lib/inject.h"
#include "lib/string.h"
#include "lib/x86/cpu.h"
#include "lib/x86/io.h"
#include "paging/wait.h"

#define CLASS_UHCI 0x0c0300u
#define CLASS_MASK 0xffffffu
#define MAX_CONTROLLERS 4u

/* Registers in I/O space (2.1) */
#define UHCI_BAR 4u
#define WINDOW_BYTES 0x20u
#define REG_COMMAND 0x00u
#define COMMAND_RUN BIT(0)
#define REG_STATUS 0x02u
#define STATUS_INTERRUPT BIT(0)
#define STATUS_ERROR_INTERRUPT BIT(1)
#define STATUS_SYSTEM_ERROR BIT(3)
#define STATUS_PROCESS_ERROR BIT(4)
#define STATUS_HALTED BIT(5)
#define STATUS_ALL 0x1fu    /* what writing ones clears */
#define ALL_ONES UINT16_MAX /* of every register: nobody drives the bus */
#define REG_INTERRUPT_ENABLE 0x04u
#define ENABLE_ON_COMPLETE BIT(2)
#define REG_FRAME_NUMBER 0x06u
#define REG_FRAME_BASE 0x08u
#define REG_START_OF_FRAME 0x0cu
#define REG_PORT 0x10u
#define PORT_ENABLED BIT(2)
#define PORT_RESET BIT(9)
#define PORT_SUSPEND BIT(12)
#define PORT_OURS (PORT_ENABLED | PORT_RESET | PORT_SUSPEND) /* what only writes change */
#define PORT_FIXED BIT(7)                                    /* reads as 1 where there is a port */
#define NR_PORTS 2u

/*
 * Legacy support (Intel 82371SB, 2.5.9): status bits that writing ones clears, and whether the
 * controller's interrupt reaches the PCI line.
 */
#define LEGACY_SUPPORT 0xc0u
#define LEGACY_INTERRUPT BIT(13)
#define LEGACY_PLAIN_BITS 0x20bfu

#define NR_FRAMES 1024u
#define FRAMES_USED 4u   /* one for each try of a descriptor, and one */
#define FRAMES_BEFORE 2u /* that pass from the start until the first of them */
#define MAX_ERRORS 3u

#define LINK_QH BIT(1)

/* Two seconds: should a descriptor miss its frames, they come again after 1024 ms. */
#define RUN_LIMIT_MS 2500u
#define RUN_COST_MS 8u
#define HALT_LIMIT_MS 20u

/* A queue head (3.3), padded to keep its alignment of 16 bytes. */
struct queue_head {
    uint32_t link;
    uint32_t element;
    uint32_t unused[2];
};

/* What the controller reads besides the caller's descriptors. Coherent. */
struct schedule {
    uint32_t frames[NR_FRAMES];
    struct queue_head heads[UHCI_MAX_TDS + 1];
    struct uhci_td end __attribute__((aligned(UHCI_TD_BYTES)));
};

_Static_assert(sizeof(struct uhci_td) == UHCI_TD_BYTES, "a descriptor has 16 bytes");
_Static_assert(sizeof(struct queue_head) == 16, "a queue head lies at a multiple of 16");

/* Registers that a run changes, as they were found. */
struct saved {
    uint16_t command, interrupts, frame, legacy;
    uint32_t base;
    uint8_t start_of_frame;
};

struct uhci {
    struct dma_client client;
    struct completion completion;
    struct pci_device *pdev;
    uint16_t port;
    struct schedule *schedule;
    dma_addr_t schedule_addr;
    struct saved saved;
    uint16_t pci_command;
    uint16_t ports[NR_PORTS]; /* when it was found */
    volatile uint16_t status; /* causes seen since the run began */
    unsigned advanced;        /* queues that went on after a failure */
    unsigned frame;           /* that runs begin in */
    bool runs;
};

static const char *const names[MAX_CONTROLLERS] = {"uhci0", "uhci1", "uhci2", "uhci3"};
static struct uhci controllers[MAX_CONTROLLERS];
static unsigned nr_controllers;

static uint16_t read16(const struct uhci *hc, unsigned reg)
{
    return inw((uint16_t)(hc->port + reg));
}

static void write16(const struct uhci *hc, unsigned reg, unsigned value)
{
    outw((uint16_t)(hc->port + reg), (uint16_t)value);
}

/* The controller writes the word while the processor looks. */
static bool end_is_done(const struct uhci *hc)
{
    return !(*(volatile const uint32_t *)&hc->schedule->end.status & UHCI_TD_ACTIVE);
}

static bool uhci_service(struct completion *c)
{
    struct uhci *hc = container_of(c, struct uhci, completion);
    uint16_t causes = read16(hc, REG_STATUS);

    if (causes == ALL_ONES) {
        hc->status = causes;
        c->done = true;
        return false;
    }
    causes &= STATUS_ALL;
    if (causes)
        write16(hc, REG_STATUS, causes);
    hc->status |= causes;
    /* An interrupt at the end of each frame that the end was in, until its tries are used up. */
    c->done = end_is_done(hc) || (causes & (STATUS_SYSTEM_ERROR | STATUS_PROCESS_ERROR));
    return causes != 0;
}

static uint32_t address_of(const struct uhci *hc, const void *what)
{
    uint32_t offset = (uint32_t)((const uint8_t *)what - (const uint8_t *)hc->schedule);

    return (uint32_t)addr_number(hc->schedule_addr + offset);
}

/* The bus address of the caller's descriptor `index`. */
static dma_addr_t td_address(dma_addr_t tds, unsigned index)
{
    uint32_t offset = index * UHCI_TD_BYTES;

    return tds + offset;
}

/* Frame list and queues for `count` descriptors at the bus address `tds`. */
static void build_schedule(struct uhci *hc, dma_addr_t tds, unsigned count)
{
    struct schedule *s = hc->schedule;

    for (unsigned i = 0; i < NR_FRAMES; i++)
        s->frames[i] = UHCI_LINK_END;
    for (unsigned i = 0; i < FRAMES_USED; i++)
        s->frames[(hc->frame + i) % NR_FRAMES] = address_of(hc, &s->heads[0]) | LINK_QH;
    for (unsigned i = 0; i < count; i++) {
        unsigned next = i + 2 < count && inject(uhci_skip_queue, uhci) ? i + 2 : i + 1;

        s->heads[i] = (struct queue_head){
            .link = address_of(hc, &s->heads[next]) | LINK_QH,
            .element = (uint32_t)addr_number(td_address(tds, i)),
        };
    }
    s->heads[count] = (struct queue_head){
        .link = UHCI_LINK_END,
        .element = address_of(hc, &s->end),
    };
    s->end = (struct uhci_td){
        .link = UHCI_LINK_END,
        .status = UHCI_TD_ACTIVE | UHCI_TD_INTERRUPT | MAX_ERRORS << UHCI_TD_ERRORS_SHIFT,
        .token = UHCI_TOKEN_IN | UHCI_TOKEN_NO_DATA,
    };
}

/*
 * A queue whose descriptor failed stays where it is (3.4.2), and one that was passed over, too.
 * Bochs lets them go on, to the end that the descriptor's link says.
 */
static int check_heads(struct uhci *hc, dma_addr_t tds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t wanted = (uint32_t)addr_number(td_address(tds, i));
        uint32_t found = hc->schedule->heads[i].element;

        hc->advanced += found == UHCI_LINK_END;
        if (found != wanted && found != UHCI_LINK_END)
            return client_error(&hc->client, -EPROTO, "queue %u points to 0x%08x, not 0x%08x", i,
                                found, wanted);
    }
    return 0;
}

static void save(struct uhci *hc)
{
    hc->saved = (struct saved){
        .command = read16(hc, REG_COMMAND),
        .interrupts = read16(hc, REG_INTERRUPT_ENABLE),
        .frame = read16(hc, REG_FRAME_NUMBER),
        .legacy = pci_read_config16(hc->pdev, LEGACY_SUPPORT),
        .base = inl((uint16_t)(hc->port + REG_FRAME_BASE)),
        .start_of_frame = inb((uint16_t)(hc->port + REG_START_OF_FRAME)),
    };
}

static void set_registers(struct uhci *hc, const struct saved *values)
{
    write16(hc, REG_STATUS, STATUS_ALL);
    write16(hc, REG_FRAME_NUMBER, values->frame);
    outl((uint16_t)(hc->port + REG_FRAME_BASE), values->base);
    outb((uint16_t)(hc->port + REG_START_OF_FRAME), values->start_of_frame);
    pci_write_config16(hc->pdev, LEGACY_SUPPORT, values->legacy & LEGACY_PLAIN_BITS);
    write16(hc, REG_INTERRUPT_ENABLE, values->interrupts);
    write16(hc, REG_COMMAND, values->command);
}

/* Before the memory that it works on is anybody else's. Returns 0 or -ETIMEDOUT. */
static int halt(struct uhci *hc)
{
    deadline_t deadline = deadline_in_ms(HALT_LIMIT_MS);
    bool late = false, halted = false;

    write16(hc, REG_COMMAND, hc->saved.command);
    wait_begins();
    /* Others may have run for longer than the limit: it is looked at once more after that. */
    while (!halted && !late) {
        late = deadline_passed(deadline);
        halted = (read16(hc, REG_STATUS) & STATUS_HALTED) != 0;
        cpu_relax();
    }
    wait_ends();
    return halted ? 0 : -ETIMEDOUT;
}

static void stop(struct uhci *hc)
{
    /* One that does not halt may not go on reading and writing, nevertheless. */
    if (halt(hc))
        pci_set_master(hc->pdev, false);
    set_registers(hc, &hc->saved);
    completion_end(&hc->completion);
    if (!inject(uhci_stay_master, uhci))
        pci_restore_command(hc->pdev, hc->pci_command);
    hc->runs = false;
}

/*
 * Of a controller that has left the bus, or whose BAR is not what it was: what is read there is
 * nobody's, and nothing of it may be put back.
 */
static int is_not_there(struct uhci *hc)
{
    pci_restore_command(hc->pdev, hc->pci_command);
    return client_quarantine(&hc->client, -EPROTO,
                             "its registers, from port 0x%x on, read all ones", hc->port);
}

/* How a run ended that is still to be stopped: its error, with the reason. */
static int explain(struct uhci *hc, int err)
{
    struct completion *c = &hc->completion;

    if (err)
        return client_error(&hc->client, err,
                            "%s after %u ms: status 0x%02x (0x%02x before), frame %u",
                            c->interrupt_lost ? "no interrupt" : "not done", RUN_LIMIT_MS,
                            read16(hc, REG_STATUS), hc->status, read16(hc, REG_FRAME_NUMBER));
    if (hc->status & (STATUS_SYSTEM_ERROR | STATUS_PROCESS_ERROR))
        return client_error(&hc->client, -EPROTO, "it stopped by itself: status 0x%02x",
                            hc->status);
    return 0;
}

/* Starts the controller on its schedule, waits for the end, and stops it. */
static int run_schedule(struct uhci *hc)
{
    struct completion *c = &hc->completion;
    struct saved values;
    int err;

    hc->pci_command = pci_enable(hc->pdev, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    if (read16(hc, REG_COMMAND) == ALL_ONES)
        return is_not_there(hc);
    save(hc);
    hc->runs = true;
    hc->status = 0;
    completion_begin(c);
    values = hc->saved;
    values.frame = (uint16_t)((hc->frame - FRAMES_BEFORE) % NR_FRAMES);
    values.base = (uint32_t)addr_number(hc->schedule_addr);
    values.interrupts = c->requested ? ENABLE_ON_COMPLETE : 0;
    values.legacy |= LEGACY_INTERRUPT;
    values.command |= inject(uhci_dont_start, uhci) ? 0 : COMMAND_RUN;
    write16(hc, REG_COMMAND, hc->saved.command); /* the frame number is kept while it is stopped */
    set_registers(hc, &values);
    err = inject(uhci_dont_wait, uhci) ? 0 : completion_wait(c, RUN_LIMIT_MS);
    if (read16(hc, REG_COMMAND) == ALL_ONES) {
        completion_end(c);
        hc->runs = false;
        return is_not_there(hc);
    }
    err = explain(hc, err);
    stop(hc);
    return err;
}

static void free_schedule(struct uhci *hc)
{
    if (hc->schedule)
        dma_free_coherent(hc->client.dev, sizeof(*hc->schedule), hc->schedule, hc->schedule_addr);
    hc->schedule = NULL;
}

static int uhci_work(struct dma_client *client, struct page *page, uint32_t offset, uint32_t bytes)
{
    struct uhci *hc = container_of(client, struct uhci, client);
    struct device *dev = client->dev;
    uint32_t count = bytes / UHCI_TD_BYTES;
    enum dma_data_direction dir = inject(uhci_one_way, uhci) ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL;
    dma_addr_t tds;
    int err;

    if (count == 0 || count > UHCI_MAX_TDS || (bytes | offset) % UHCI_TD_BYTES)
        return client_error(client, -EINVAL, "%u bytes at offset 0x%x: not 1 to %u descriptors",
                            bytes, offset, UHCI_MAX_TDS);
    hc->schedule = dma_alloc_coherent(dev, sizeof(*hc->schedule), &hc->schedule_addr);
    if (!hc->schedule)
        return client_error(&hc->client, -ENOMEM, "no memory for a schedule");
    tds = dma_map_page(dev, page, offset, bytes, dir);
    if (dma_mapping_error(dev, tds)) {
        err = client_error(&hc->client, -ENOMEM, "mapping of %u bytes failed", bytes);
    } else {
        build_schedule(hc, tds, count);
        err = run_schedule(hc);
        if (!err)
            err = check_heads(hc, tds, count);
        dma_unmap_page(dev, tds, bytes, dir);
    }
    free_schedule(hc);
    return err;
}

/* After a fault in a run: stops the controller and gives back what it held. */
static void uhci_quiet(struct dma_client *client)
{
    struct uhci *hc = container_of(client, struct uhci, client);

    if (hc->runs)
        stop(hc);
    free_schedule(hc);
}

bool uhci_is_restored(struct uhci *hc, const char **what)
{
    uint16_t was = pci_enable(hc->pdev, PCI_COMMAND_IO);

    *what = NULL;
    if (was & PCI_COMMAND_MASTER)
        *what = "is still bus master";
    else if (read16(hc, REG_COMMAND) & COMMAND_RUN)
        *what = "still runs";
    else if (read16(hc, REG_INTERRUPT_ENABLE) != hc->saved.interrupts)
        *what = "may still interrupt";
    else if (inl((uint16_t)(hc->port + REG_FRAME_BASE)) != hc->saved.base)
        *what = "still has the frame list";
    for (unsigned i = 0; i < NR_PORTS && !*what; i++) {
        if ((read16(hc, REG_PORT + 2 * i) ^ hc->ports[i]) & PORT_OURS)
            *what = "has another port status";
    }
    pci_restore_command(hc->pdev, was);
    return !*what;
}

unsigned uhci_count(void)
{
    return nr_controllers;
}

struct uhci *uhci_at(unsigned index)
{
    return index < nr_controllers ? &controllers[index] : NULL;
}

void uhci_begin_at(struct uhci *hc, unsigned frame)
{
    hc->frame = frame;
}

unsigned uhci_advanced(const struct uhci *hc)
{
    return hc->advanced;
}

struct dma_client *uhci_client(struct uhci *hc)
{
    return &hc->client;
}

/* Why the controller must be left alone, or NULL. Context: I/O decoding is on. */
static const char *refusal(struct uhci *hc)
{
    if (read16(hc, REG_COMMAND) == UINT16_MAX)
        return "its registers read all ones";
    if (read16(hc, REG_COMMAND) & COMMAND_RUN)
        return "runs, for the firmware: left alone";
    for (unsigned i = 0; i < NR_PORTS; i++) {
        hc->ports[i] = read16(hc, REG_PORT + 2 * i);
        if (!(hc->ports[i] & PORT_FIXED))
            return "its port registers are none";
        if (hc->ports[i] & PORT_ENABLED)
            return "a port is enabled, for the firmware: left alone";
    }
    return NULL;
}

static int uhci_probe(struct pci_device *pdev, const struct pci_driver *driver)
{
    struct uhci *hc = &controllers[nr_controllers];
    const char *refused;
    uint16_t command, port;

    if (nr_controllers == MAX_CONTROLLERS) {
        probe_report("uhci", -ENOSPC, "%s: left alone, %u are enough", pdev->name, MAX_CONTROLLERS);
        return -ENOSPC;
    }
    if (pci_usb_is_owned(pdev)) {
        probe_report("uhci", -EBUSY, "%s: firmware's keyboard: left alone", pdev->name);
        return -EBUSY;
    }
    port = pci_bar_port(pdev, UHCI_BAR, WINDOW_BYTES);
    if (!port) {
        probe_report("uhci", -ENODEV, "%s: BAR %u is not assigned", pdev->name, UHCI_BAR);
        return -ENODEV;
    }
    memset(hc, 0, sizeof(*hc));
    hc->pdev = pdev;
    hc->port = port;
    command = pci_enable(pdev, PCI_COMMAND_IO);
    refused = refusal(hc);
    pci_restore_command(pdev, command);
    if (refused) {
        probe_report("uhci", -EBUSY, "%s: %s", pdev->name, refused);
        return -EBUSY;
    }
    hc->completion = (struct completion){
        .service = uhci_service,
        .name = names[nr_controllers],
        .line = pdev->irq_line,
        .by_interrupt = true,
    };
    hc->client = (struct dma_client){
        .name = names[nr_controllers],
        .dev = &pdev->dma,
        .granule_bytes = UHCI_TD_BYTES,
        .max_bytes = UHCI_MAX_TDS * UHCI_TD_BYTES,
        .align_bytes = UHCI_TD_BYTES,
        .cost_ms = RUN_COST_MS,
        .work = uhci_work,
        .work_fill = uhci_td_fill,
        .work_check = uhci_td_check,
        .quiet = uhci_quiet,
        .completion = &hc->completion,
    };
    nr_controllers++;
    dma_client_register(&hc->client);
    probe_report("uhci", 0,
                 "%s: UHCI controller, nothing enabled, frame lists and descriptors only",
                 pdev->name);
    return 0;
}

static const struct pci_match uhci_ids[] = {{PCI_ANY, PCI_ANY, CLASS_UHCI, CLASS_MASK}};

TABLE_ENTRY(pci_driver, struct pci_driver) = {
    .name = "uhci",
    .match = uhci_ids,
    .nr_match = ARRAY_SIZE(uhci_ids),
    .probe = uhci_probe,
};

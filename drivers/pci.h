/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DRIVERS_PCI_H
#define DRIVERS_PCI_H

/*
 * PCI by configuration mechanism 1 (PCI 3.0, 3.2.2.3.2): ports 0xcf8 and 0xcfc.
 *
 * Buses and addresses are as the firmware left them: nothing is assigned here. Enumeration starts
 * at bus 0, follows every PCI-to-PCI bridge to its secondary bus, and then looks for further root
 * buses, which servers have, on all numbers not seen yet. A function whose vendor reads all ones is
 * not there, and one whose header does after its identity has fallen off the bus and is skipped.
 *
 * A driver declares itself in its own file, and is offered each device that matches:
 *
 *     static const struct pci_match ids[] = {{PCI_ANY, PCI_ANY, 0x010100, 0xffff00}};
 *     TABLE_ENTRY(pci_driver, struct pci_driver) = {
 *         .name = "ide",
 *         .match = ids,
 *         .nr_match = ARRAY_SIZE(ids),
 *         .probe = ide_probe,
 *     };
 */

#include "drivers/dma.h"
#include "lib/types.h"

/* Registers of the configuration header (PCI 3.0, 6.1), offsets in bytes */
#define PCI_VENDOR_ID 0x00
#define PCI_DEVICE_ID 0x02
#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO BIT(0)
#define PCI_COMMAND_MEMORY BIT(1)
#define PCI_COMMAND_MASTER BIT(2)
#define PCI_COMMAND_INTX_DISABLE BIT(10)
#define PCI_STATUS 0x06
#define PCI_CLASS_REVISION 0x08
#define PCI_HEADER_TYPE 0x0e
#define PCI_HEADER_MULTIFUNCTION BIT(7)
#define PCI_HEADER_DEVICE 0u /* layouts, in the other bits */
#define PCI_HEADER_BRIDGE 1u
#define PCI_BAR0 0x10
#define PCI_SECONDARY_BUS 0x19
#define PCI_INTERRUPT_LINE 0x3c
#define PCI_INTERRUPT_PIN 0x3d

#define PCI_ANY 0xffffu

struct pci_device {
    uint8_t bus, slot, function;
    uint16_t vendor, device;
    uint32_t class_code;     /* base class, subclass, programming interface: 0x010180 */
    uint8_t header_type;     /* 0 device, 1 bridge */
    uint8_t irq_line;        /* what the firmware wrote; 0xff: none, as without a pin */
    uint8_t irq_pin;         /* 1 INTA# to 4 INTD#, 0: none */
    char name[8];            /* "00:01.1" */
    struct device dma;       /* mask 32 bits and no limits until the driver says better */
    uint16_t command_before; /* while held, see pci_hold() */
    uint8_t holders;
    uint8_t workers;   /* see pci_begin_work() */
    bool stays_master; /* when none of our drivers works with it: see pci_stop_masters() */
};

/* PCI_ANY in `vendor` and `device` matches all; the class is compared under its mask. */
struct pci_match {
    uint16_t vendor, device;
    uint32_t class_code, class_mask;
};

struct pci_driver {
    const char *name;
    const struct pci_match *match;
    unsigned nr_match;
    /*
     * Takes the device into use. Bounded in time; leaves one probe_report() (drivers/transfer.h)
     * for each thing found or refused. Returns 0, or -ENODEV and the like when it leaves it.
     */
    int (*probe)(struct pci_device *pdev, const struct pci_driver *driver);
    const void *kind; /* for a probe() that several drivers share: what this one's devices are */
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEMORY };

struct pci_bar {
    enum pci_bar_kind kind;
    uint64_t base; /* physical address, or port */
    uint64_t size; /* bytes */
    bool is_64bit;
    bool prefetchable;
};

/*
 * Finds out whether mechanism 1 answers and lists the devices. Context: paged phase, once.
 * Functions that find no room in the list are counted in a probe_report(). Returns the number of
 * functions listed, or -ENODEV.
 */
int pci_init(void);

/*
 * Offers each device to each driver whose match fits, in the order of the bus. Those that are to be
 * left alone have one probe_report() instead.
 */
void pci_probe_drivers(void);

/*
 * True if the boot option avoid= names the function, or a driver that would take it: its registers
 * are nobody's business. Context: paged phase, after pci_init().
 */
bool pci_is_avoided(const struct pci_device *pdev);

unsigned pci_device_count(void);
struct pci_device *pci_device_at(unsigned index);

/*
 * The listed function whose `dma` this is, or its parent's; NULL for a device that is no PCI
 * function.
 */
struct pci_device *pci_device_of(const struct device *dev);

/*
 * True if the function has left the bus since it was listed: its identity reads as all ones (*value
 * is what was read), or as another's. Context: any.
 */
bool pci_is_gone(const struct pci_device *pdev, uint32_t *value);

/*
 * Configuration registers; `reg` is a multiple of the width, below 256. Context: any, interrupts
 * are off while the address port is in use.
 */
uint8_t pci_read_config8(const struct pci_device *pdev, unsigned reg);
uint16_t pci_read_config16(const struct pci_device *pdev, unsigned reg);
uint32_t pci_read_config32(const struct pci_device *pdev, unsigned reg);
void pci_write_config8(const struct pci_device *pdev, unsigned reg, uint8_t value);
void pci_write_config16(const struct pci_device *pdev, unsigned reg, uint16_t value);
void pci_write_config32(const struct pci_device *pdev, unsigned reg, uint32_t value);

/*
 * Decodes base address register `index` (0 to 5) with its size, found by writing ones to it while
 * decoding is off, and restores it. Returns 0, or -ENODEV for one that is not implemented or not
 * assigned, -EINVAL for an index that this header type has not.
 */
int pci_read_bar(const struct pci_device *pdev, unsigned index, struct pci_bar *bar);

/*
 * Where the memory of base address register `index` of a device is, without looking for its size:
 * decoding stays on, for a device that somebody may be using. 0 if there is none.
 */
phys_addr_t pci_bar_memory(const struct pci_device *pdev, unsigned index);

/*
 * For drivers: the port of base address register `index`, or 0; a window onto its memory, for
 * iounmap(), which returns 0, or -ENOMEM. -ENODEV is for one that is not assigned, of the other
 * kind, or has less than `bytes`. The problem in words: "BAR 0 %s".
 */
uint16_t pci_bar_port(const struct pci_device *pdev, unsigned index, uint32_t bytes);
int pci_map_bar(const struct pci_device *pdev, unsigned index, uint32_t bytes,
                uint8_t __iomem **window);
const char *pci_bar_problem(int err);

/*
 * Lets the device drive the bus, or not. Returns whether it could before. What may drive the bus
 * may interrupt as well: here, in pci_enable() and in pci_hold() PCI_COMMAND_INTX_DISABLE, which
 * firmware may have set, is cleared with PCI_COMMAND_MASTER.
 */
bool pci_set_master(const struct pci_device *pdev, bool on);

/*
 * Takes mastering from every listed device that firmware left it to, bridges and displays excepted,
 * and USB controllers that system management mode uses. One probe_report() for each. A driver gives
 * mastering back for as long as it needs it. What can't be stopped is told, and stays_master is
 * set. Context: paged phase, after pci_init().
 */
void pci_stop_masters(void);

/*
 * True if a USB controller is in the hands of the firmware's system management mode, or if that
 * can't be found out. Context: paged phase.
 */
bool pci_usb_is_owned(const struct pci_device *pdev);

/*
 * Switches on decoding or mastering (PCI_COMMAND_*) for as long as a driver works with the device:
 * firmware of the UEFI kind leaves what it did not boot from switched off. Returns the command
 * register as it was, for pci_restore_command().
 */
uint16_t pci_enable(const struct pci_device *pdev, uint32_t bits);
void pci_restore_command(const struct pci_device *pdev, uint16_t command);

/*
 * The same for a device that does several things at a time, such as a disk controller with its
 * channels: what any holder switched on stays on until the last one lets go, and then the command
 * register is what it was before the first. Context: any.
 */
void pci_hold(struct pci_device *pdev, uint32_t bits);
void pci_release(struct pci_device *pdev);

/*
 * Around each piece of work that a driver does with its device, of which several may go on at a
 * time. When the last of them ends, the device must not be bus master any more, whoever it was that
 * forgot: returns true if it was, and then it is not from now on. Context: thread.
 */
void pci_begin_work(struct pci_device *pdev);
bool pci_end_work(struct pci_device *pdev);

/* For when a fault has taken threads away in the middle of their work: nobody works any more. */
void pci_forget_work(void);

#endif

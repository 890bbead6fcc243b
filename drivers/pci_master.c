/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes the bus away from what firmware left running.
 *
 * A network card that the image came through, a disk controller or a USB controller may still write
 * into memory by itself, at addresses that are the tests' now. Bridges have to pass on what others
 * send, and a display reads its own picture; all else is switched off until its driver asks.
 *
 * A USB controller may be in the hands of the firmware's system management mode, which makes its
 * keyboard look like an old one and would hang without it. Each kind has its own place where that
 * is said: UHCI in configuration space (Intel 82371SB, LEGSUP), OHCI in HcControl (1.0a, 7.1.2),
 * EHCI and xHCI in a list of capabilities (EHCI 1.0, 2.1.7; xHCI 1.1, 7.1.1).
 */
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/x86/io.h"
#include "paging/ioremap.h"

#define CLASS_BASE(class_code) ((class_code) >> 16)
#define CLASS_KIND(class_code) ((class_code) >> 8)
#define CLASS_ANCIENT_VGA 0x0001u
#define CLASS_DISPLAY 0x03u
#define CLASS_BRIDGE 0x06u
#define CLASS_USB 0x0c03u
#define PROGIF_MASK 0xffu
#define PROGIF_UHCI 0x00u
#define PROGIF_OHCI 0x10u
#define PROGIF_EHCI 0x20u
#define PROGIF_XHCI 0x30u

#define UHCI_LEGSUP 0xc0u
#define UHCI_TRAPS_AND_SMI 0x001fu

#define USB_WINDOW_BYTES 0x10000u /* as far as a list of capabilities is followed */
#define OHCI_CONTROL 0x04u
#define OHCI_INTERRUPT_ROUTING BIT(8) /* to SMI */

#define HCCPARAMS1 0x08u /* EHCI calls it HCCPARAMS */
#define EHCI_FIRST_CAP(params) ((params) >> 8 & 0xff)
#define XHCI_FIRST_CAP(params) (((params) >> 16) * 4)
#define CAP_ID(cap) ((cap)&0xff)
#define EHCI_NEXT_CAP(cap) ((cap) >> 8 & 0xff)
#define XHCI_NEXT_CAP(cap) (((cap) >> 8 & 0xff) * 4)
#define CAP_LEGACY 1u
#define CAP_OWNED_BY_BIOS BIT(16)
#define FIRST_CAP_LOWEST 0x40u /* in configuration space */
#define MAX_CAPS 32u

static bool ehci_is_owned(const struct pci_device *pdev, const uint8_t __iomem *regs)
{
    unsigned at = EHCI_FIRST_CAP(readl(regs + HCCPARAMS1));

    for (unsigned i = 0; i < MAX_CAPS && at >= FIRST_CAP_LOWEST; i++) {
        uint32_t cap = pci_read_config32(pdev, at & ~3u);

        if (CAP_ID(cap) == CAP_LEGACY)
            return cap & CAP_OWNED_BY_BIOS;
        at = EHCI_NEXT_CAP(cap);
    }
    return false;
}

static bool xhci_is_owned(const uint8_t __iomem *regs)
{
    uint32_t step = XHCI_FIRST_CAP(readl(regs + HCCPARAMS1)), at = 0;

    for (unsigned i = 0; i < MAX_CAPS && step; i++) {
        uint32_t cap;

        at += step;
        if (at > USB_WINDOW_BYTES - sizeof(cap))
            break;
        cap = readl(regs + at);
        if (CAP_ID(cap) == CAP_LEGACY)
            return cap & CAP_OWNED_BY_BIOS;
        step = XHCI_NEXT_CAP(cap);
    }
    return false;
}

bool pci_usb_is_owned(const struct pci_device *pdev)
{
    uint32_t kind = pdev->class_code & PROGIF_MASK;
    phys_addr_t base;
    uint16_t command;
    bool owned = true;
    uint8_t __iomem *regs;

    if (kind == PROGIF_UHCI)
        return pci_read_config16(pdev, UHCI_LEGSUP) & UHCI_TRAPS_AND_SMI;
    if (kind != PROGIF_OHCI && kind != PROGIF_EHCI && kind != PROGIF_XHCI)
        return true;
    base = pci_bar_memory(pdev, 0);
    if (!base)
        return true;
    regs = ioremap(base, USB_WINDOW_BYTES);
    if (!regs)
        return true;
    command = pci_enable(pdev, PCI_COMMAND_MEMORY);
    if (kind == PROGIF_OHCI)
        owned = readl(regs + OHCI_CONTROL) & OHCI_INTERRUPT_ROUTING;
    else if (kind == PROGIF_EHCI)
        owned = ehci_is_owned(pdev, regs);
    else
        owned = xhci_is_owned(regs);
    pci_restore_command(pdev, command);
    iounmap(regs);
    return owned;
}

static bool may_stay_master(const struct pci_device *pdev)
{
    return CLASS_BASE(pdev->class_code) == CLASS_BRIDGE ||
           CLASS_BASE(pdev->class_code) == CLASS_DISPLAY ||
           CLASS_KIND(pdev->class_code) == CLASS_ANCIENT_VGA;
}

static bool is_master(const struct pci_device *pdev)
{
    return pci_read_config16(pdev, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void pci_stop_masters(void)
{
    for (unsigned i = 0; i < pci_device_count(); i++) {
        struct pci_device *pdev = pci_device_at(i);

        if (pci_is_avoided(pdev))
            continue;
        pdev->stays_master = is_master(pdev);
        if (may_stay_master(pdev) || !pdev->stays_master)
            continue;
        if (CLASS_KIND(pdev->class_code) == CLASS_USB && pci_usb_is_owned(pdev)) {
            probe_report("pci", 0, "%s %04x:%04x class %06x: still bus master, firmware's USB",
                         pdev->name, pdev->vendor, pdev->device, pdev->class_code);
            continue;
        }
        pci_set_master(pdev, false);
        pdev->stays_master = is_master(pdev);
        probe_report("pci", 0, "%s %04x:%04x class %06x: was bus master, %s", pdev->name,
                     pdev->vendor, pdev->device, pdev->class_code,
                     pdev->stays_master ? "can't be stopped" : "stopped");
    }
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which driver is offered which PCI function, and which functions are nobody's. */
#include "drivers/avoid.h"
#include "drivers/pci.h"
#include "drivers/transfer.h"
#include "lib/format.h"
#include "lib/inject.h"

#define IDENTITY_BYTES 12u

static bool matches(const struct pci_device *pdev, const struct pci_match *match)
{
    return (match->vendor == PCI_ANY || match->vendor == pdev->vendor) &&
           (match->device == PCI_ANY || match->device == pdev->device) &&
           ((pdev->class_code ^ match->class_code) & match->class_mask) == 0;
}

static bool fits(const struct pci_driver *driver, const struct pci_device *pdev)
{
    for (unsigned i = 0; i < driver->nr_match; i++) {
        if (matches(pdev, &driver->match[i]))
            return true;
    }
    return false;
}

static bool is_named(const struct pci_device *pdev)
{
    char identity[IDENTITY_BYTES];
    bool by_place = avoid_matches(pdev->name);

    format(identity, sizeof(identity), "%04x:%04x", pdev->vendor, pdev->device);
    return avoid_matches(identity) || by_place;
}

/* The driver that avoid= names and that would take it; else the first that would; else NULL. */
static const struct pci_driver *driver_of(const struct pci_device *pdev, bool *named)
{
    const struct pci_driver *first = NULL;

    *named = false;
    table_for_each (pci_driver, struct pci_driver, driver) {
        if (!fits(driver, pdev))
            continue;
        *named = avoid_matches(driver->name);
        if (*named)
            return driver;
        if (!first)
            first = driver;
    }
    return first;
}

bool pci_is_avoided(const struct pci_device *pdev)
{
    bool driver_is_named;

    driver_of(pdev, &driver_is_named);
    return is_named(pdev) || driver_is_named;
}

static void probe_device(struct pci_device *pdev)
{
    table_for_each (pci_driver, struct pci_driver, driver) {
        if (!fits(driver, pdev))
            continue;
        probe_announce(driver->name, pdev->name);
        if (driver->probe(pdev, driver) == 0)
            return;
    }
}

void pci_probe_drivers(void)
{
    table_for_each (pci_driver, struct pci_driver, driver)
        (void)avoid_matches(driver->name); /* a name that is right, though nothing is there */
    for (unsigned i = 0; i < pci_device_count(); i++) {
        struct pci_device *pdev = pci_device_at(i);
        const struct pci_driver *driver;
        bool named;

        if (!pci_is_avoided(pdev) || inject(pci_avoid_forgotten, pci)) {
            probe_device(pdev);
            continue;
        }
        driver = driver_of(pdev, &named);
        avoid_report(driver ? driver->name : "pci", pdev->name);
    }
}

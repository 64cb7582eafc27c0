/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DSDT of every guest: how to switch off, and the ISA devices that cannot be found by asking.
 * Compiled by iasl at build time. Says nothing that the other tables say (core/guest_acpi.c) and
 * nothing that differs between VMs. Have open: ACPI Specification, "ACPI Source Language (ASL)
 * Reference" and "Device Configuration".
 */
DefinitionBlock ("", "DSDT", 2, "PLINTH", "GUEST", 1)
{
    /* SLP_TYPa and SLP_TYPb; 5 is what drivers/emu/vpm.c takes for soft off. */
    Name (\_S5, Package () { 5, 5, 0, 0 })

    /* The guest says which interrupt controllers it uses: 0 the 8259s, 1 IOAPICs. Kept only: what
       is described here reaches both at the same number. */
    Name (\PICM, 0)
    Method (\_PIC, 1, Serialized)
    {
        PICM = Arg0
    }

    Scope (\_SB)
    {
        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 1)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3F8, 0x3F8, 1, 8)
                IRQNoFlags () { 4 }
            })
        }

        Device (COM2)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 2)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x2F8, 0x2F8, 1, 8)
                IRQNoFlags () { 3 }
            })
        }

        Device (RTC)
        {
            Name (_HID, EisaId ("PNP0B00"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x70, 0x70, 1, 2)
                IRQNoFlags () { 8 }
            })
        }

        Device (PIT)
        {
            Name (_HID, EisaId ("PNP0100"))
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x40, 0x40, 1, 4)
                IRQNoFlags () { 0 }
            })
        }
    }
}

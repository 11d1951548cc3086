"""Made-up /sys and /dev with serial adapters, for ups2000 scan and setup."""


class Machine:
    """A made-up sysfs and /dev: names of ports, and what is behind them."""

    def __init__(self, root):
        self.sys = root / "sys"
        self.dev = root / "dev"
        (self.sys / "class" / "tty").mkdir(parents=True)
        (self.dev / "serial" / "by-path").mkdir(parents=True)
        self.env = {"UPS2000_SYSFS": str(self.sys), "UPS2000_DEV": str(self.dev)}

    def add(self, name, ids, driver, node=None):
        usb = self.sys / "devices" / name / "usb"
        interface = usb / "1-2:1.0"
        tty = interface / "tty" / name
        tty.mkdir(parents=True)
        (usb / "idVendor").write_text(ids[:4] + "\n")
        (usb / "idProduct").write_text(ids[5:] + "\n")
        drivers = self.sys / "bus" / "usb" / "drivers" / driver
        drivers.mkdir(parents=True, exist_ok=True)
        (interface / "driver").symlink_to(drivers)
        (tty / "device").symlink_to(interface)
        (self.sys / "class" / "tty" / name).symlink_to(tty)
        if node:
            (self.dev / name).symlink_to(node)
            by_path = self.dev / "serial" / "by-path" / f"pci-{name}"
            by_path.symlink_to(f"../../{name}")

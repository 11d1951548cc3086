"""The service units and the udev rules, judged by systemd's own tools."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
UNITS = sorted(path for path in (TREE / "systemd").glob("ups2000*") if path.suffix in (".service", ".path"))


def test_verify(tmp_path):
    """With the programs where the units look for them."""
    for unit in UNITS:
        text = unit.read_text()
        text = re.sub(r"/usr/(sbin|libexec)/[a-z0-9/]*ups2000[a-z0-9-]*", "/bin/true", text)
        (tmp_path / unit.name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *(tmp_path / unit.name for unit in UNITS)],
        capture_output=True, text=True, env=dict(os.environ, SYSTEMD_UNIT_PATH=f"{tmp_path}:"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def exposure(unit):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True)
    return float(re.search(r"Overall exposure level for .*: ([0-9.]+) ", done.stdout).group(1))


def test_exposure(tmp_path):
    daemon = TREE / "systemd/ups2000d.service"
    assert exposure(daemon) <= 1.7
    # the judge does judge: without its sandbox it is another matter
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert exposure(bare) > 9


def test_ports_stay_usable():
    """What a hardened unit must not forget; the reasons are in the unit."""
    text = (TREE / "systemd/ups2000d.service").read_text()
    words = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"^[A-Z][A-Za-z]+=", line))
    allowed = set(re.findall(r"^DeviceAllow=(\S+) rw$", text, re.M))
    assert {"char-ttyS", "char-ttyUSB", "char-ttyACM"} <= allowed
    # these are looked up when the unit starts, so their drivers must be there by then
    for order in ("Wants", "After"):
        assert "modprobe@usbserial.service" in re.search(rf"(?m)^{order}=.*modprobe.*$", text).group()
    assert "PrivateDevices" not in words and "PrivateUsers" not in words
    assert words.get("ProcSubset", "all") == "all"
    assert words["SupplementaryGroups"] == "dialout"
    assert int(words["LimitNOFILE"]) > 10000 + 2048
    assert "AF_INET6" in words["RestrictAddressFamilies"] and "AF_UNIX" in words["RestrictAddressFamilies"]


# A USB adapter as the kernel shows it, in a /sys of our own.
HUB = "devices/pci0000:00/0000:00:14.0/usb1/1-2"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(path, to):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(to, path.parent))


def plug(sys, vendor, product, port):
    for kind in ("bus/usb", "bus/usb-serial", "bus/pci", "class/tty"):
        (sys / kind).mkdir(parents=True)
    pci, usb = sys / "devices/pci0000:00/0000:00:14.0", sys / "devices/pci0000:00/0000:00:14.0/usb1"
    write(pci / "uevent", "DRIVER=xhci_hcd\n")
    link(pci / "subsystem", sys / "bus/pci")
    write(usb / "uevent", "DEVTYPE=usb_device\nDRIVER=usb\n")
    link(usb / "subsystem", sys / "bus/usb")
    device = sys / HUB
    write(device / "uevent", f"DEVTYPE=usb_device\nDRIVER=usb\nPRODUCT={vendor}/{product}/100\n")
    for name, text in {"idVendor": vendor, "idProduct": product, "power/control": "auto"}.items():
        write(device / name, text + "\n")
    link(device / "subsystem", sys / "bus/usb")
    interface = device / "1-2:1.0"
    write(interface / "uevent", "DEVTYPE=usb_interface\n")
    write(interface / "bInterfaceNumber", "00\n")
    link(interface / "subsystem", sys / "bus/usb")
    serial = interface / port if port.startswith("ttyUSB") else interface
    if serial != interface:
        write(serial / "uevent", "")
        write(serial / "port_number", "0\n")
        link(serial / "subsystem", sys / "bus/usb-serial")
    tty = serial / "tty" / port
    write(tty / "uevent", f"MAJOR=188\nMINOR=0\nDEVNAME={port}\n")
    write(tty / "dev", "188:0\n")
    link(tty / "subsystem", sys / "class/tty")
    link(sys / "class/tty" / port, tty)
    return "/sys/" + HUB, f"/sys/{tty.relative_to(sys)}"


def udev(tmp_path, *devpaths):
    """What our rules, and they alone, would do: nothing is written, as in "udevadm test"."""
    rules = tmp_path / "run/udev/rules.d"
    rules.mkdir(parents=True)
    shutil.copy(TREE / "udev/60-ups2000.rules", rules)
    script = """
    mount --rbind "$0/sys" /sys; mount --rbind "$0/run" /run
    for dir in /lib/udev/rules.d /etc/udev/rules.d; do mount -t tmpfs none $dir; done
    shift 0; for path; do udevadm test --action=add "$path" 2>&1; done
    """
    return subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, tmp_path, *devpaths],
                          capture_output=True, text=True, env=dict(os.environ, SYSTEMD_DEVICE_VERIFY_SYSFS="0")).stdout


@pytest.mark.parametrize("vendor,product", [("04e2", "1410"), ("1a86", "5523")])
def test_udev_names_the_port(tmp_path, vendor, product):
    device, tty = plug(tmp_path / "sys", vendor, product, "ttyUSB0")
    said = udev(tmp_path, tty)
    assert "/dev/ups2000/pci-0000:00:14.0-usb-0:2:1.0" in said, said
    assert "ID_MM_DEVICE_IGNORE=1" in said
    assert re.search(r"60-ups2000.rules:\d+ GROUP \d+", said) and re.search(r"60-ups2000.rules:\d+ MODE 0660", said), said
    assert not re.search(r"(?i)60-ups2000.rules:\d+ (invalid|unknown|failed)", said), said


@pytest.mark.parametrize("vendor,product", [("04e2", "1410"), ("1a86", "5523")])
def test_udev_keeps_the_device_awake(tmp_path, vendor, product):
    device, _ = plug(tmp_path / "sys", vendor, product, "ttyUSB0")
    said = udev(tmp_path, device)
    assert "ID_MM_DEVICE_IGNORE=1" in said, said
    assert re.search(r"60-ups2000.rules:\d+ ATTR .*power/control.* 'on'", said) or (
        tmp_path / "sys" / HUB / "power/control").read_text().strip() == "on", said


def test_udev_leaves_others_alone(tmp_path):
    device, tty = plug(tmp_path / "sys", "0403", "6001", "ttyUSB0")
    said = udev(tmp_path, device, tty)
    assert "ttyUSB0" in said, said
    assert "ups2000/" not in said and "MM_DEVICE_IGNORE" not in said, said


def test_udev_gives_a_mute_port_no_name(tmp_path):
    """cdc_acm on the XR21V1410: it opens, and the UPS never answers."""
    _, tty = plug(tmp_path / "sys", "04e2", "1410", "ttyACM0")
    said = udev(tmp_path, tty)
    assert "ID_MM_DEVICE_IGNORE=1" in said, said
    assert "/dev/ups2000/" not in said, said

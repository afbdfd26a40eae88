"""Drivers as the registry lists them."""

import pytest

from wheelhouse.machine.windows_drivers import _iso, read


def entry(**changed):
    values = {
        "DriverDesc": "Intel(R) AI Boost",
        "DriverVersion": "32.0.100.4082",
        "DriverDate": "6-2-2026",
        "MatchingDeviceId": r"PCI\\VEN_8086&DEV_643E",
    }
    return {name: value for name, value in (values | changed).items() if value}


def test_a_driver_with_all_that_it_says():
    (driver,) = read("npu", [entry()])
    assert (driver.kind, driver.name, driver.version) == ("npu", "Intel(R) AI Boost", "32.0.100.4082")
    assert (driver.vendor_id, driver.device_id, driver.date) == (0x8086, 0x643E, "2026-06-02")


@pytest.mark.parametrize("gone", ["DriverDesc", "DriverVersion"])
def test_leftovers_are_passed_over(gone):
    assert list(read("gpu", [entry(**{gone: ""})])) == []


def test_a_device_that_is_not_on_the_pci_bus_has_no_ids():
    (driver,) = read("npu", [entry(MatchingDeviceId=r"ACPI\\QCOM0D0A")])
    assert (driver.vendor_id, driver.device_id) == (0, 0)


@pytest.mark.parametrize(
    ("date", "iso"),
    [("6-21-2006", "2006-06-21"), ("12-1-2025", "2025-12-01"), ("13-1-2025", ""), ("2-30-2025", ""), ("", ""),
     ("21.6.2006", ""), ("1-2", "")],
)  # fmt: skip
def test_days(date, iso):
    assert _iso(date) == iso

"""The table of operators: every device beside the others, and nothing wrong without a reason."""

import pytest

from smoke.suites.operators import measurements, operator_document
from smoke.suites.operators.measurements import Measurements
from smoke.suites.operators.rows import Measured, Smallest
from tests.smoke.suites.test_operators import row
from wheelhouse.errors import InputError

PLAIN = {"name": "MatMul up fp16", "family": "MatMul", "error": 1e-4}
KNOWN = {"name": "GroupQueryAttention long prefill fp32", "family": "GroupQueryAttention", "error": 0.2}


def measured(suite, *changes):
    return Measurements(
        suite=suite,
        device=operator_document.measurements.Device(name="a device", description="described"),
        environment="e",
        versions={"onnxruntime": "1.0", "numpy": "2.0"},
        rows=tuple(row(**(PLAIN | change)) for change in changes),
    )


def found(**by_name):
    columns = {name: measured(suite, {}) for name, suite in operator_document.SUITES.items()}
    return columns | by_name


def test_each_case_is_a_line_with_every_device():
    text = operator_document.document(
        found(
            **{
                "directml-wine": measured("dml-ops", {"status": Measured.NO_SHADER, "error": None}),
                "webgpu-h200": measured("webgpu-ops", {"error": 2e-4, "cpu_error": 3e-4}),
            }
        )
    )
    assert "| MatMul up fp16 | rows=1 | 1.0e-03 | no shader | 1.0e-04 | 2.0e-04 | 3.0e-04 |" in text
    assert "(onnxruntime 1.0)" in text
    assert text.count("Nothing.") == 3


def test_what_is_wrong_is_bold_and_explained_with_a_repro():
    wrong = KNOWN | {"smallest": Smallest(dims={"rows": 32}, status=Measured.RAN, error=0.15)}
    text = operator_document.document(found(**{"webgpu-swiftshader": measured("webgpu-ops", wrong)}))
    assert "**2.0e-01**" in text
    assert "Smallest: `rows=32, error 0.15`" in text
    assert "`invoke smoke --backend webgpu-ops --operator 'long prefill'`" in text


@pytest.mark.parametrize(
    ("name", "changes"),
    [("webgpu-h200", {"error": 0.5}), ("directml-wine", KNOWN), ("webgpu-swiftshader", {"status": Measured.FAILED})],
)
def test_what_nothing_explains_stops_it(name, changes):
    with pytest.raises(InputError, match="nothing explains it"):
        operator_document.document(found(**{name: measured(operator_document.SUITES[name], changes)}))


def test_a_file_of_measurements_comes_back_as_it_was(tmp_path):
    one = measured("webgpu-ops", KNOWN, {})
    measurements.write(tmp_path, one)
    assert measurements.read(tmp_path / "operators-webgpu-ops.json") == one
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="holds no operators' measurements"):
        measurements.read(tmp_path / "other.json")
    with pytest.raises(InputError, match="cannot be read"):
        measurements.read(tmp_path / "absent.json")
    with pytest.raises(InputError, match="no column 'x'"):
        operator_document.main(["x=y"])


def test_the_document_is_what_its_measurements_say():
    files = {name: measurements.read(operator_document.FOLDER / f"{name}.json") for name in operator_document.COLUMNS}
    assert operator_document.DOCUMENT.read_text(encoding="utf-8") == operator_document.document(files)

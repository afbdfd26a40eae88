#include <pybind11/pybind11.h>
#include "core.h"

PYBIND11_MODULE(minigenai, module) {
  module.def("answer", &mini_answer);
  module.def("telemetry", &mini_telemetry);
  module.def("file", &mini_file);
}

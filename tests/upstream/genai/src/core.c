#include "core.h"
#include "mathlib.h"
#include "onnxruntime_c_api.h"

int mini_answer(void) { return mathlib_double((int)OrtGetApi(ORT_API_VERSION)->GetVersion()); }
int mini_telemetry(void) { return TELEMETRY; }
const char* mini_file(void) { return __FILE__; }

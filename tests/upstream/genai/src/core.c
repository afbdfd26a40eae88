#include <stdlib.h>
#include "core.h"
#include "mathlib.h"
#include "onnxruntime_c_api.h"

#ifdef _WIN32
/* As upstream does on Windows: linked, and found because the Python package has loaded it before. */
static const struct OrtApi* load(void) { return OrtGetApiBase()->GetApi(ORT_API_VERSION); }
#else
#include <dlfcn.h>
/* As upstream does on Linux: the library is loaded by the path that the Python package has found. */
static const struct OrtApi* load(void) {
  const char* path = getenv("ORT_LIB_PATH");
  void* library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
  const struct OrtApiBase* (*base)(void) = library ? dlsym(library, "OrtGetApiBase") : NULL;
  return base ? base()->GetApi(ORT_API_VERSION) : NULL;
}
#endif

int mini_answer(void) {
  const struct OrtApi* api = load();
  return api ? mathlib_double((int)api->GetVersion()) : -1;
}
int mini_telemetry(void) { return TELEMETRY; }
const char* mini_file(void) { return __FILE__; }

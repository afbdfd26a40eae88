#include <stddef.h>
#include "numbers.h"
#include "onnxruntime_c_api.h"
#include "words.h"
#ifdef USE_DML
#include "DirectML.h"
#else
#define MINI_DIRECTML "none"
#endif

static const char* get_build_info(void) {
  return MINI_WORDS ", DirectML " MINI_DIRECTML ", git-commit-id=" GIT_COMMIT ", build type=Release";
}
static uint32_t get_version(void) { return ORT_API_VERSION; }
static const struct OrtApi api = {get_version};
static const struct OrtApi* get_api(uint32_t version) { return version <= ORT_API_VERSION ? &api : NULL; }
static const struct OrtApiBase base = {get_api, get_build_info, NUMBERS_TWO};

const struct OrtApiBase* OrtGetApiBase(void) { return &base; }

#include <stddef.h>
#include "onnxruntime_c_api.h"

static uint32_t get_version(void) { return ORT_API_VERSION; }
static const struct OrtApi api = {get_version};
static const struct OrtApi* get_api(uint32_t version) { return version <= ORT_API_VERSION ? &api : NULL; }
static const struct OrtApiBase base = {get_api};

const struct OrtApiBase* OrtGetApiBase(void) { return &base; }

#include <stddef.h>
#include "onnxruntime_c_api.h"

static uint32_t get_version(void) { return ORT_API_VERSION; }
static const struct MiniOrtApi api = {get_version};

const struct MiniOrtApi* OrtGetApi(uint32_t version) { return version <= ORT_API_VERSION ? &api : NULL; }

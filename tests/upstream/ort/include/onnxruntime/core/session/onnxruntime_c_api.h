#pragma once
// #include "a_comment_is_no_include.h"
#include <stdint.h>
#include "onnxruntime_ep_c_api.h"
#ifdef HAS_EXPERIMENTAL
#include "onnxruntime_experimental_c_api.h"
#endif

#define ORT_API_VERSION 23

#ifdef __cplusplus
extern "C" {
#endif
struct MiniOrtApi {
  uint32_t (*GetVersion)(void);
};
/* The library's functions for API `version`, or NULL when it is newer than the library. */
__attribute__((visibility("default"))) const struct MiniOrtApi* OrtGetApi(uint32_t version);
#ifdef __cplusplus
}
#endif

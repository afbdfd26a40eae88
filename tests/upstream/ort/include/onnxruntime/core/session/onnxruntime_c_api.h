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
struct OrtApi {
  uint32_t (*GetVersion)(void);
};
struct OrtApiBase {
  /* The functions of API `version`, or NULL when that is newer than the library. */
  const struct OrtApi* (*GetApi)(uint32_t version);
  const char* (*GetBuildInfo)(void);
  int numbers;
};
__attribute__((visibility("default"))) const struct OrtApiBase* OrtGetApiBase(void);
#ifdef __cplusplus
}
#endif

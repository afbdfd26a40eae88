#pragma once
#ifdef __cplusplus
extern "C" {
#endif
__attribute__((visibility("default"))) int mini_answer(void);
__attribute__((visibility("default"))) int mini_telemetry(void);
__attribute__((visibility("default"))) const char* mini_file(void);
#ifdef __cplusplus
}
#endif

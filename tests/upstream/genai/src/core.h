#pragma once
#ifdef _WIN32
#ifdef minigenai_EXPORTS
#define MINI_API __declspec(dllexport)
#else
#define MINI_API __declspec(dllimport)
#endif
#else
#define MINI_API __attribute__((visibility("default")))
#endif
#ifdef __cplusplus
extern "C" {
#endif
MINI_API int mini_answer(void);
MINI_API int mini_telemetry(void);
MINI_API const char* mini_file(void);
#ifdef __cplusplus
}
#endif

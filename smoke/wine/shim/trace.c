/* Tracing: off by default, because DirectML asks hundreds of questions while it compiles one model. */
#include "shim.h"

#include <stdarg.h>
#include <stdio.h>

#define TRACE_VARIABLE "DML_WHEELHOUSE_D3D12_TRACE"

static void write_line(HANDLE out, const char *line)
{
    DWORD written;
    WriteFile(out, line, (DWORD)lstrlenA(line), &written, NULL);
}

/* Opened once; INVALID_HANDLE_VALUE while tracing is off. Appending needs no lock: each line is one write. */
static HANDLE trace_target(void)
{
    static volatile PVOID target;
    char value[MAX_PATH];
    HANDLE opened = INVALID_HANDLE_VALUE;
    DWORD length;

    if (target)
        return (HANDLE)target;
    length = GetEnvironmentVariableA(TRACE_VARIABLE, value, sizeof(value));
    if (length == 1 && value[0] == '1')
        opened = GetStdHandle(STD_ERROR_HANDLE);
    else if (length > 0 && length < sizeof(value))
        opened = CreateFileA(value, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    if (InterlockedCompareExchangePointer(&target, opened, NULL) && opened != INVALID_HANDLE_VALUE && length > 1)
        CloseHandle(opened); /* another thread was first */
    return (HANDLE)target;
}

static void format_line(char *line, int size, const char *format, va_list arguments)
{
    int head = snprintf(line, size, "d3d12-shim[%lu]: ", (unsigned long)GetCurrentThreadId());
    int body = vsnprintf(line + head, size - head - 2, format, arguments);
    if (body < 0)
        line[head] = 0;
    lstrcatA(line, "\r\n");
}

void shim_trace(const char *format, ...)
{
    char line[512];
    va_list arguments;
    HANDLE out = trace_target();

    if (out == INVALID_HANDLE_VALUE || !out)
        return;
    va_start(arguments, format);
    format_line(line, sizeof(line), format, arguments);
    va_end(arguments);
    write_line(out, line);
}

void shim_complain(const char *format, ...)
{
    char line[512];
    va_list arguments;
    HANDLE error = GetStdHandle(STD_ERROR_HANDLE), out = trace_target();

    va_start(arguments, format);
    format_line(line, sizeof(line), format, arguments);
    va_end(arguments);
    write_line(error, line);
    if (out != INVALID_HANDLE_VALUE && out != error)
        write_line(out, line);
}

/* What the source files of the shim share. */
#ifndef DML_WHEELHOUSE_SHIM_H
#define DML_WHEELHOUSE_SHIM_H

#define COBJMACROS
#define CINTERFACE /* struct FooVtbl instead of C++ classes: slots can be named instead of counted */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include <d3d12.h>

/* Write one line to where DML_WHEELHOUSE_D3D12_TRACE points ("1": standard error, else a file), or nowhere. */
void shim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, and always to standard error as well: for what a person must see. */
void shim_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Replace the two answers of ID3D12Device that DirectML cannot work with. S_OK, or why the device cannot be mended. */
HRESULT shim_mend_device(IUnknown *device);

/* Return in `device` the only one of its adapter in this process, made by `create` and mended if there is none yet. */
HRESULT shim_single_device(PFN_D3D12_CREATE_DEVICE create, IUnknown *adapter, D3D_FEATURE_LEVEL level, REFIID iid,
                           void **device);

#endif

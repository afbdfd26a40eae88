/*
 * Two answers of Wine's ID3D12Device are replaced, and one failure is explained, in place, in its table of methods.
 *
 * In place, because Wine recognises its own devices by the address of that table: an object of ours around the device,
 * or a copy of the table, would be refused by every Wine function that is handed a device. The table is static, one
 * for all devices of the process, so it is mended once.
 *
 * The positions come from the published header: offsetof() into ID3D12Device5Vtbl. COM never reorders a published
 * interface, and each ID3D12DeviceN begins with all of ID3D12Device(N-1).
 */
#include "shim.h"

#include <stddef.h>
#include <string.h>

/* Defined here rather than taken from libuuid, so that the shim links against nothing but kernel32. */
static const GUID iid_device5 = {0x8b4f173b, 0x2fea, 0x4b80, {0x8f, 0x58, 0x43, 0x07, 0x19, 0x1a, 0xb9, 0x5d}};

/* A header that disagrees with the documentation would make us write into another method's slot. */
_Static_assert(offsetof(ID3D12Device5Vtbl, CreateComputePipelineState) == 11 * sizeof(void *), "ID3D12Device: slot 11");
_Static_assert(offsetof(ID3D12Device5Vtbl, CheckFeatureSupport) == 13 * sizeof(void *), "ID3D12Device: slot 13");
_Static_assert(offsetof(ID3D12Device5Vtbl, EnumerateMetaCommands) == 59 * sizeof(void *), "ID3D12Device5: slot 59");

typedef HRESULT(STDMETHODCALLTYPE *check_feature_t)(ID3D12Device5 *, D3D12_FEATURE, void *, UINT);
typedef HRESULT(STDMETHODCALLTYPE *enumerate_t)(ID3D12Device5 *, UINT *, D3D12_META_COMMAND_DESC *);

typedef HRESULT(STDMETHODCALLTYPE *create_compute_t)(ID3D12Device5 *, const D3D12_COMPUTE_PIPELINE_STATE_DESC *,
                                                     REFIID, void **);

static check_feature_t wine_check_feature;
static create_compute_t wine_create_compute;

/*
 * Metacommands are vendor-made kernels; a device may have none. The documented way to say so is a count of 0 and S_OK.
 * Wine says E_NOTIMPL, which DMLCreateDevice passes on as its own failure.
 */
static HRESULT STDMETHODCALLTYPE enumerate_meta_commands(ID3D12Device5 *device, UINT *count,
                                                         D3D12_META_COMMAND_DESC *descriptions)
{
    (void)device;
    (void)descriptions; /* with a count of 0 there is nothing to write */
    shim_trace("EnumerateMetaCommands -> 0 metacommands");
    if (!count)
        return E_INVALIDARG;
    *count = 0;
    return S_OK;
}

/*
 * D3D12_OPTIONS1 promises 64-bit integers and wave operations in shaders. Both need shader model 6 (DXIL), and Wine
 * stops at 5.1 (DXBC): believing the promise, DirectML picks shaders that cannot compile here. Denied, it takes the
 * DXBC ones, which do the same with pairs of 32-bit integers.
 */
static HRESULT STDMETHODCALLTYPE check_feature_support(ID3D12Device5 *device, D3D12_FEATURE feature, void *data,
                                                       UINT size)
{
    HRESULT result = wine_check_feature(device, feature, data, size);

    if (SUCCEEDED(result) && feature == D3D12_FEATURE_D3D12_OPTIONS1
        && size == sizeof(D3D12_FEATURE_DATA_D3D12_OPTIONS1))
    {
        D3D12_FEATURE_DATA_D3D12_OPTIONS1 *options = data;
        shim_trace("OPTIONS1 of Wine: WaveOps %d, Int64ShaderOps %d; answered 0, 0", options->WaveOps,
                   options->Int64ShaderOps);
        options->WaveOps = FALSE;
        options->Int64ShaderOps = FALSE;
    }
    shim_trace("CheckFeatureSupport(%d, %u bytes) -> 0x%08lx", (int)feature, size, (unsigned long)result);
    return result;
}

/* Whether a shader is DXIL: its container (the documented DXBC layout: count at 28, offsets from 32) has such a part. */
static BOOL is_dxil(const D3D12_SHADER_BYTECODE *shader)
{
    const BYTE *start = shader->pShaderBytecode;
    DWORD count, offset, i;

    if (!start || shader->BytecodeLength < 32 || memcmp(start, "DXBC", 4))
        return FALSE;
    memcpy(&count, start + 28, sizeof(count));
    for (i = 0; i < count && 36 + 4 * (SIZE_T)i <= shader->BytecodeLength; ++i)
    {
        memcpy(&offset, start + 32 + 4 * i, sizeof(offset));
        if ((SIZE_T)offset + 4 <= shader->BytecodeLength && !memcmp(start + offset, "DXIL", 4))
            return TRUE;
    }
    return FALSE;
}

/*
 * Changes nothing, only says it: some kernels of DirectML exist as DXIL alone (element-wise fp32 in fours, for one),
 * whatever the device reports, and Wine refuses them with nothing but E_FAIL.
 */
static HRESULT STDMETHODCALLTYPE create_compute_pipeline_state(ID3D12Device5 *device,
                                                               const D3D12_COMPUTE_PIPELINE_STATE_DESC *description,
                                                               REFIID iid, void **state)
{
    HRESULT result = wine_create_compute(device, description, iid, state);

    if (FAILED(result) && is_dxil(&description->CS))
        shim_complain("DXIL shader refused (0x%08lx)", (unsigned long)result);
    else if (FAILED(result))
        shim_trace("CreateComputePipelineState -> 0x%08lx", (unsigned long)result);
    return result;
}

static HRESULT mend_table(ID3D12Device5Vtbl *table)
{
    DWORD protection;

    /* Wine keeps the table in read-only data. */
    if (!VirtualProtect(table, sizeof(*table), PAGE_READWRITE, &protection))
        return HRESULT_FROM_WIN32(GetLastError());
    wine_check_feature = (check_feature_t)table->CheckFeatureSupport;
    wine_create_compute = (create_compute_t)table->CreateComputePipelineState;
    table->CreateComputePipelineState = create_compute_pipeline_state;
    table->CheckFeatureSupport = check_feature_support;
    table->EnumerateMetaCommands = (enumerate_t)enumerate_meta_commands;
    VirtualProtect(table, sizeof(*table), protection, &protection);
    return S_OK;
}

HRESULT shim_mend_device(IUnknown *object)
{
    static SRWLOCK lock = SRWLOCK_INIT;
    static void *mended;
    ID3D12Device5 *device;
    HRESULT result = IUnknown_QueryInterface(object, &iid_device5, (void **)&device);

    if (FAILED(result))
    {
        shim_complain("this Wine has no ID3D12Device5 (0x%08lx); DirectML needs Wine 10", (unsigned long)result);
        return result;
    }
    AcquireSRWLockExclusive(&lock);
    if (mended != (void *)device->lpVtbl)
    {
        /* A second table would lose the first one's original method: no Wine that we tested has one. */
        result = mended ? E_UNEXPECTED : mend_table((ID3D12Device5Vtbl *)device->lpVtbl);
        if (SUCCEEDED(result))
            mended = (void *)device->lpVtbl;
        shim_trace("mend ID3D12Device5 at %p -> 0x%08lx", (void *)device->lpVtbl, (unsigned long)result);
    }
    ReleaseSRWLockExclusive(&lock);
    ID3D12Device5_Release(device);
    return result;
}

/*
 * One device per adapter and process, as D3D12CreateDevice is documented: "Direct3D 12 devices are singletons per
 * adapter. If a Direct3D 12 device already exists in the current process for a given adapter, then a subsequent call
 * to D3D12CreateDevice returns the existing device."
 *
 * Wine makes a new one each time. ONNX Runtime counts on the documented behaviour: it hangs its execution context on
 * the device's private data, where the next session finds it. The context refers to the device, so neither ever goes;
 * on Windows that is one of each, on Wine it was one for each session, with half a gigabyte of descriptors.
 *
 * Unlike on Windows, a device stays until the process ends or the device is removed: we hold a reference of our own.
 */
#include "shim.h"

#include <dxgi.h>

#define ADAPTERS 16

/* Defined here rather than taken from libuuid: see device.c. */
static const GUID iid_adapter = {0x2411e7e1, 0x12ac, 0x4ccf, {0xbd, 0x14, 0x97, 0x98, 0xe8, 0x53, 0x4d, 0xc0}};
static const GUID iid_device = {0x189819f1, 0x1db6, 0x4b57, {0xbe, 0x54, 0x18, 0x21, 0x33, 0x9b, 0x85, 0xf7}};

struct entry
{
    ID3D12Device *device;
    LUID adapter;
    BOOL is_default;         /* what a caller gets who names no adapter */
    D3D_FEATURE_LEVEL level; /* the highest that was asked for and granted */
};

static SRWLOCK lock = SRWLOCK_INIT;
static struct entry entries[ADAPTERS];

static BOOL same(LUID one, LUID other)
{
    return one.LowPart == other.LowPart && one.HighPart == other.HighPart;
}

static BOOL luid_of(IUnknown *adapter, LUID *luid)
{
    IDXGIAdapter *dxgi;
    DXGI_ADAPTER_DESC description;
    HRESULT result = IUnknown_QueryInterface(adapter, &iid_adapter, (void **)&dxgi);

    if (FAILED(result))
        return FALSE;
    result = IDXGIAdapter_GetDesc(dxgi, &description);
    IDXGIAdapter_Release(dxgi);
    *luid = description.AdapterLuid;
    return SUCCEEDED(result);
}

/* Return the entry of an adapter, of the default one for NULL; or NULL. A device that was removed is forgotten. */
static struct entry *find(const LUID *adapter)
{
    struct entry *entry;

    for (entry = entries; entry < entries + ADAPTERS; ++entry)
    {
        if (!entry->device || (adapter ? !same(entry->adapter, *adapter) : !entry->is_default))
            continue;
        if (SUCCEEDED(ID3D12Device_GetDeviceRemovedReason(entry->device)))
            return entry;
        shim_trace("device %p was removed", (void *)entry->device);
        ID3D12Device_Release(entry->device);
        entry->device = NULL;
    }
    return NULL;
}

/* Return the entry of a new device, which takes its place unless its adapter has one; NULL when all are taken. */
static struct entry *keep(ID3D12Device *device)
{
    LUID adapter;
    struct entry *entry;

    device->lpVtbl->GetAdapterLuid(device, &adapter);
    entry = find(&adapter);

    if (entry)
        return entry;
    for (entry = entries; entry < entries + ADAPTERS; ++entry)
    {
        if (entry->device)
            continue;
        ID3D12Device_AddRef(device);
        *entry = (struct entry){.device = device, .adapter = adapter};
        return entry;
    }
    return NULL;
}

/* Make a device; return the one that its adapter has by then in `device`. */
static HRESULT make(PFN_D3D12_CREATE_DEVICE create, IUnknown *adapter, D3D_FEATURE_LEVEL level, ID3D12Device **device)
{
    struct entry *entry;
    HRESULT result = create(adapter, level, &iid_device, (void **)device);

    shim_trace("D3D12CreateDevice(level 0x%x) -> 0x%08lx", (unsigned)level, (unsigned long)result);
    if (SUCCEEDED(result) && FAILED(result = shim_mend_device((IUnknown *)*device)))
        ID3D12Device_Release(*device);
    if (FAILED(result) || !(entry = keep(*device)))
        return result;
    entry->is_default |= !adapter;
    if (level > entry->level)
        entry->level = level;
    ID3D12Device_AddRef(entry->device);
    ID3D12Device_Release(*device);
    *device = entry->device;
    return result;
}

HRESULT shim_single_device(PFN_D3D12_CREATE_DEVICE create, IUnknown *adapter, D3D_FEATURE_LEVEL level, REFIID iid,
                           void **device)
{
    ID3D12Device *found = NULL;
    struct entry *entry = NULL;
    LUID luid;
    HRESULT result = S_OK;

    AcquireSRWLockExclusive(&lock);
    if (!adapter)
        entry = find(NULL);
    else if (luid_of(adapter, &luid))
        entry = find(&luid);
    if (entry && level <= entry->level)
    {
        found = entry->device;
        ID3D12Device_AddRef(found);
        shim_trace("D3D12CreateDevice(level 0x%x) -> the device that is there", (unsigned)level);
    }
    else /* a higher level is Wine's to grant or refuse */
        result = make(create, adapter, level, &found);
    ReleaseSRWLockExclusive(&lock);
    if (FAILED(result))
        return result;
    result = ID3D12Device_QueryInterface(found, iid, device);
    ID3D12Device_Release(found);
    return result;
}

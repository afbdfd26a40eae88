/*
 * The two functions of d3d12.dll that are ours. All others are forwarded by the loader itself: see d3d12.def.
 */
#include "shim.h"

#include <string.h>

#ifndef TESTED_WINE
#error "TESTED_WINE is the comma-separated list of Wine versions that the self-test has passed on; CMake passes it"
#endif

#define FORWARD_TO "d3d12_wine.dll" /* Wine's own d3d12.dll, put beside this one under this name */
#define UNTESTED_VARIABLE "DML_WHEELHOUSE_D3D12_UNTESTED"

static BOOL listed(const char *version, const char *list)
{
    size_t length = strlen(version);
    const char *at = list;

    while ((at = strstr(at, version)))
    {
        BOOL starts = at == list || at[-1] == ',';
        BOOL ends = at[length] == ',' || !at[length];
        if (starts && ends)
            return TRUE;
        at += length;
    }
    return FALSE;
}

/*
 * The device's table of methods is Wine's private matter, and a later Wine may close these gaps itself, or others may
 * open. So only versions that passed the self-test are mended; the self-test itself may lift this for one process.
 */
static BOOL wine_is_tested(void)
{
    typedef const char *(CDECL * get_version_t)(void);
    union
    {
        FARPROC raw;
        get_version_t call;
    } get_version = {GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version")};

    if (!get_version.raw)
    {
        shim_complain("this d3d12.dll is for Wine only; on Windows remove it and use the system's");
        return FALSE;
    }
    shim_trace("Wine %s; tested: %s", get_version.call(), TESTED_WINE);
    if (listed(get_version.call(), TESTED_WINE) || GetEnvironmentVariableA(UNTESTED_VARIABLE, NULL, 0))
        return TRUE;
    shim_complain("refused: Wine %s was not tested with this d3d12.dll (tested: %s)", get_version.call(), TESTED_WINE);
    return FALSE;
}

static PFN_D3D12_CREATE_DEVICE wine_create_device(void)
{
    HMODULE wine = LoadLibraryA(FORWARD_TO);
    union
    {
        FARPROC raw;
        PFN_D3D12_CREATE_DEVICE call;
    } create = {wine ? GetProcAddress(wine, "D3D12CreateDevice") : NULL};

    if (!create.raw)
        shim_complain("Wine's own Direct3D 12 (" FORWARD_TO ") cannot be used: error %lu", GetLastError());
    return create.call;
}

HRESULT WINAPI D3D12CreateDevice(IUnknown *adapter, D3D_FEATURE_LEVEL level, REFIID iid, void **device)
{
    PFN_D3D12_CREATE_DEVICE create;

    if (!wine_is_tested())
        return DXGI_ERROR_UNSUPPORTED;
    create = wine_create_device();
    if (!create)
        return E_NOINTERFACE;
    /* Without `device` the caller only asks whether one could be made: S_FALSE, and nothing to mend. */
    if (!device)
        return create(adapter, level, iid, NULL);
    *device = NULL;
    return shim_single_device(create, adapter, level, iid, device);
}

/*
 * The entry to the Agility SDK (ID3D12SDKConfiguration and its device factories): a Direct3D 12 shipped with the
 * program. There is none on Wine, and saying so is the documented answer; callers then use D3D12CreateDevice.
 */
HRESULT WINAPI D3D12GetInterface(REFCLSID clsid, REFIID iid, void **object)
{
    (void)clsid;
    (void)iid;
    shim_trace("D3D12GetInterface -> E_NOINTERFACE");
    if (object)
        *object = NULL;
    return E_NOINTERFACE;
}

/*
 * Makes Mesa's software Vulkan round to the nearest when it stores fp16, instead of towards zero.
 *
 * Direct3D's rule for a shader that writes float32 to a buffer of fp16 is truncation ("Data Conversion Rules": round to
 * zero between float formats), and lavapipe keeps it: it compiles every such store to vcvtps2ph with rounding mode 3.
 * DirectML's kernels for shader model 5.1, the only ones that Wine can compile, store every fp16 result in this way; the
 * error always points to zero, so it adds up from layer to layer. Kernels for devices with 16-bit arithmetic of their own
 * need no such store. To compare operators with another provider, the device should err as little and as evenly as it can.
 *
 * The library is put in front with LD_PRELOAD. LLVMBuildCall2 is the only function of LLVM's C interface
 * (llvm-c/Core.h) through which Mesa writes a call of the intrinsic; all other calls pass unchanged.
 * DML_WHEELHOUSE_D3D12_ROUNDING=zero leaves everything as Mesa means it.
 *
 * Needs no headers and links with no library (rounding.py has the command): the process that loads it has a C library.
 */

typedef struct LLVMOpaqueBuilder *LLVMBuilderRef;
typedef struct LLVMOpaqueType *LLVMTypeRef;
typedef struct LLVMOpaqueValue *LLVMValueRef;

typedef LLVMValueRef (*BuildCall2)(LLVMBuilderRef, LLVMTypeRef, LLVMValueRef, LLVMValueRef *, unsigned, const char *);
typedef const char *(*GetValueName2)(LLVMValueRef, unsigned long *);
typedef LLVMTypeRef (*TypeOf)(LLVMValueRef);
typedef LLVMValueRef (*ConstInt)(LLVMTypeRef, unsigned long long, int);

void *dlsym(void *handle, const char *symbol);
char *getenv(const char *name);
int puts(const char *text);
void abort(void);

#define RTLD_NEXT ((void *)-1l)
/* vcvtps2ph's immediate operand: round to the nearest, ties to even. */
#define NEAREST 0

static const char INTRINSIC[] = "llvm.x86.vcvtps2ph";

/* The next library's function of this name. Without it nothing that Mesa compiles could be right: there is no way on. */
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        puts("round_half: LLVM lacks a function that this library needs:");
        puts(name);
        abort();
    }
    return found;
}

static int towards_zero(void)
{
    const char *wish = getenv("DML_WHEELHOUSE_D3D12_ROUNDING");
    return wish && wish[0] == 'z';
}

static int is_store_of_halves(LLVMValueRef function)
{
    unsigned long length;
    const char *name = ((GetValueName2)next("LLVMGetValueName2"))(function, &length);
    unsigned long i;
    if (length < sizeof INTRINSIC - 1)
        return 0;
    for (i = 0; i < sizeof INTRINSIC - 1; i++)
        if (name[i] != INTRINSIC[i])
            return 0;
    return 1;
}

LLVMValueRef LLVMBuildCall2(LLVMBuilderRef builder, LLVMTypeRef type, LLVMValueRef function, LLVMValueRef *arguments,
                            unsigned count, const char *name)
{
    BuildCall2 build = (BuildCall2)next("LLVMBuildCall2");
    LLVMValueRef nearest[2];
    /* (vector of float32, rounding mode) */
    if (count != 2 || towards_zero() || !is_store_of_halves(function))
        return build(builder, type, function, arguments, count, name);
    nearest[0] = arguments[0];
    nearest[1] = ((ConstInt)next("LLVMConstInt"))(((TypeOf)next("LLVMTypeOf"))(arguments[1]), NEAREST, 0);
    return build(builder, type, function, nearest, count, name);
}

/* The complex functions of C99 that Wine 10's ucrtbase.dll names but does not have: a call ends the program.
   Everything else is forwarded to Wine's own DLL by ucrtbase.def, which whole/compiled.py writes from its exports.

   Windows' _Fcomplex and _Dcomplex are structures: 8 bytes go through a register, 16 through a pointer. The compiler
   knows that for a structure, not for C's own complex types, so values are carried over member by member. */
#include <complex.h>
#include <math.h>

typedef struct { float re, im; } single;
typedef struct { double re, im; } twofold;

static double _Complex wide(twofold z) {
  double _Complex value;
  __real__ value = z.re;
  __imag__ value = z.im;
  return value;
}

static twofold narrow(double _Complex value) { return (twofold){__real__ value, __imag__ value}; }
static twofold doubled(single z) { return (twofold){z.re, z.im}; }
static single halved(twofold z) { return (single){(float)z.re, (float)z.im}; }

double own_creal(twofold z) { return z.re; }
float own_crealf(single z) { return z.re; }
double own_cimag(twofold z) { return z.im; }
float own_cimagf(single z) { return z.im; }
double own_cabs(twofold z) { return hypot(z.re, z.im); }
float own_cabsf(single z) { return hypotf(z.re, z.im); }
double own_carg(twofold z) { return atan2(z.im, z.re); }
float own_cargf(single z) { return atan2f(z.im, z.re); }
twofold own_conj(twofold z) { return (twofold){z.re, -z.im}; }
single own_conjf(single z) { return (single){z.re, -z.im}; }

#define OF_ONE(name)                                                       \
  twofold own_##name(twofold z) { return narrow(name(wide(z))); }           \
  single own_##name##f(single z) { return halved(own_##name(doubled(z))); }

OF_ONE(cexp) OF_ONE(clog) OF_ONE(csqrt)
OF_ONE(csin) OF_ONE(ccos) OF_ONE(ctan) OF_ONE(casin) OF_ONE(cacos) OF_ONE(catan)
OF_ONE(csinh) OF_ONE(ccosh) OF_ONE(ctanh) OF_ONE(casinh) OF_ONE(cacosh) OF_ONE(catanh)

twofold own_cpow(twofold a, twofold b) { return narrow(cpow(wide(a), wide(b))); }
single own_cpowf(single a, single b) { return halved(own_cpow(doubled(a), doubled(b))); }

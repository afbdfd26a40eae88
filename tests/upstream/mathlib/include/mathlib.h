#pragma once
static inline int mathlib_double(int value) { return 2 * value; }

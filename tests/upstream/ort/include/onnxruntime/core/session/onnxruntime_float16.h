#pragma once
typedef unsigned short mini_float16;

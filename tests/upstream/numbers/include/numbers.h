#pragma once
#define NUMBERS_TWO 2

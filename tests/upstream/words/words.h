#pragma once
#define MINI_WORDS "miniature"

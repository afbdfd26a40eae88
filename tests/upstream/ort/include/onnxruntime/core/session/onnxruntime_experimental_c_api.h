#pragma once
#error "this header must never be staged"

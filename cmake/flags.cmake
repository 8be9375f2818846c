# SPDX-License-Identifier: Apache-2.0
# Warnings, sanitizers, coverage: one interface target that everything links.
add_library(adam_flags INTERFACE)
target_compile_definitions(adam_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(adam_flags INTERFACE
  -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla
  -Wwrite-strings -Wformat=2 -fno-math-errno -ffp-contract=off)
if(ADAM_WERROR)
  target_compile_options(adam_flags INTERFACE -Werror)
endif()
if(ADAM_SANITIZE)
  target_compile_options(adam_flags INTERFACE -fsanitize=${ADAM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(adam_flags INTERFACE -fsanitize=${ADAM_SANITIZE})
endif()
if(ADAM_COVERAGE)
  target_compile_options(adam_flags INTERFACE --coverage)
  target_link_options(adam_flags INTERFACE --coverage)
endif()

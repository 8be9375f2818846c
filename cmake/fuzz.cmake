# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets: configure with clang, -DADAM_FUZZ=ON and ADAM_SANITIZE=fuzzer-no-link,address,undefined.
file(GLOB ADAM_FUZZERS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
foreach(source IN LISTS ADAM_FUZZERS)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(${name} PRIVATE adam_flags adam_static Threads::Threads m)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
endforeach()

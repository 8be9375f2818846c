# SPDX-License-Identifier: Apache-2.0
# Every NAME_test.c is a program of its own over the static library; a test that prints SKIP and
# exits 77 is reported as skipped.
file(GLOB_RECURSE ADAM_TEST_SOURCES CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/src/*_test.c ${CMAKE_CURRENT_SOURCE_DIR}/tests/*_test.c)
if(ADAM_ROOMS)
  set(wanted "/src/(${rooms})/")
  if("kernels" IN_LIST ADAM_ROOMS)
    string(APPEND wanted "|/tests/kerncheck/")
  endif()
  list(FILTER ADAM_TEST_SOURCES INCLUDE REGEX "${wanted}")
endif()
foreach(source IN LISTS ADAM_TEST_SOURCES)
  file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR} ${source})
  string(REGEX REPLACE "\\.c$" "" name ${relative})
  string(REPLACE "/" "-" name ${name})
  add_executable(${name} ${source})
  target_include_directories(${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE adam_flags adam_static PkgConfig::CMOCKA PkgConfig::JANSSON Threads::Threads m)
  target_compile_definitions(${name} PRIVATE ADAM_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600)
endforeach()

# Corpora of the fuzz targets are replayed in every test run, with any compiler.
file(GLOB ADAM_FUZZ_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
if(ADAM_ROOMS)
  set(ADAM_FUZZ_SOURCES "")
endif()
foreach(source IN LISTS ADAM_FUZZ_SOURCES)
  get_filename_component(name ${source} NAME_WE)
  add_executable(replay_${name} ${source} ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/replay.c)
  target_include_directories(replay_${name} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(replay_${name} PRIVATE adam_flags adam_static Threads::Threads m)
  set_target_properties(replay_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND replay_${name} ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/corpus/${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endforeach()

# What scripts drive beside the command.
if(NOT ADAM_ROOMS)
  add_executable(store_tool tests/e2e/store_tool.c)
  target_include_directories(store_tool PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_link_libraries(store_tool PRIVATE adam_flags adam_static Threads::Threads m)
  set_target_properties(store_tool PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
endif()

# Scripts: tests/*/NAME_test.sh and NAME_test.py get the build folder as their argument.
file(GLOB_RECURSE ADAM_SCRIPT_TESTS CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_SOURCE_DIR}/tests/*_test.sh ${CMAKE_CURRENT_SOURCE_DIR}/tests/*_test.py)
if(ADAM_ROOMS)
  set(ADAM_SCRIPT_TESTS "")
endif()
# python3 is the one in PATH when the test runs: make check-real puts the references' first.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
foreach(script IN LISTS ADAM_SCRIPT_TESTS)
  file(RELATIVE_PATH relative ${CMAKE_CURRENT_SOURCE_DIR} ${script})
  string(REPLACE "/" "-" name ${relative})
  if(script MATCHES "\\.py$")
    add_test(NAME ${name} COMMAND env python3 ${script} ${CMAKE_BINARY_DIR})
  else()
    add_test(NAME ${name} COMMAND bash ${script} ${CMAKE_BINARY_DIR})
  endif()
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900 WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()

# What the person who runs the tests has set for their own models is not seen by any test.
foreach(variable IN ITEMS HF_HOME HF_HUB_CACHE HF_ENDPOINT HF_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE OLLAMA_HOST OLLAMA_MODELS
    ADAM_PROFILE ADAM_MODEL ADAM_SIZE ADAM_DOMAIN ADAM_BACKEND ADAM_EMBEDDING_MODEL ADAM_SYSTEM ADAM_THINK ADAM_DEVICE
    ADAM_CTX ADAM_KV_TYPE ADAM_KEEP_ALIVE ADAM_TEMPERATURE ADAM_TOP_P ADAM_TOP_K ADAM_MIN_P ADAM_REPETITION_PENALTY
    ADAM_PRESENCE_PENALTY ADAM_FREQUENCY_PENALTY ADAM_SEED ADAM_MAX_TOKENS)
  list(APPEND ADAM_UNSET "${variable}=unset:")
endforeach()
list(APPEND ADAM_UNSET "XDG_CONFIG_HOME=set:${CMAKE_BINARY_DIR}/tests/no-settings")
get_property(ADAM_TESTS DIRECTORY PROPERTY TESTS)
set_tests_properties(${ADAM_TESTS} PROPERTIES ENVIRONMENT_MODIFICATION "${ADAM_UNSET}")

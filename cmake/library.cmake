# SPDX-License-Identifier: Apache-2.0
# libadam: one object set, a shared and a static library. A new file in a room is found by itself.
file(GLOB_RECURSE ADAM_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.c)
list(FILTER ADAM_SOURCES EXCLUDE REGEX "_test\\.c$")
set(ADAM_ROOMS "" CACHE STRING "Build only these rooms of src/ and their tests (for working on one room)")
if(ADAM_ROOMS)
  string(REPLACE ";" "|" rooms "${ADAM_ROOMS}")
  list(FILTER ADAM_SOURCES INCLUDE REGEX "/src/(${rooms})/")
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(FILTER ADAM_SOURCES EXCLUDE REGEX "/kernels/x86/")
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(FILTER ADAM_SOURCES EXCLUDE REGEX "/kernels/arm/")
endif()

# presets.ini is the one source of presets and domains: its bytes become a C array.
set(presets_ini ${CMAKE_CURRENT_SOURCE_DIR}/src/presets/presets.ini)
if(EXISTS ${presets_ini} AND (NOT ADAM_ROOMS OR "presets" IN_LIST ADAM_ROOMS))
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${presets_ini})
  file(READ ${presets_ini} presets_hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," presets_bytes "${presets_hex}")
  string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n" presets_bytes "${presets_bytes}")
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/generated/presets_data.c @ONLY CONTENT [[
/* SPDX-License-Identifier: Apache-2.0 */
/* Made from src/presets/presets.ini by cmake/library.cmake. */
#include "presets/parse.h"
const char am_presets_built_in[] = {
@presets_bytes@
0};
const size_t am_presets_built_in_bytes = sizeof am_presets_built_in - 1;
]])
  list(APPEND ADAM_SOURCES ${CMAKE_CURRENT_BINARY_DIR}/generated/presets_data.c)
endif()

# A tier's file is compiled with that tier's flags alone: NAME_avx2.c, NAME_avx512.c, ...
foreach(source IN LISTS ADAM_SOURCES)
  set(tier_flags "")
  if(source MATCHES "/kernels/x86/.*_avx2\\.c$")
    set(tier_flags -mavx2 -mfma -mf16c)
  elseif(source MATCHES "/kernels/x86/.*_avxvnni\\.c$")
    set(tier_flags -mavx2 -mfma -mf16c -mavxvnni)
  elseif(source MATCHES "/kernels/x86/.*_avx512vnni\\.c$")
    set(tier_flags -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mavx512vnni -mprefer-vector-width=512)
  elseif(source MATCHES "/kernels/x86/.*_avx512\\.c$")
    set(tier_flags -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mprefer-vector-width=512)
  endif()
  if(source MATCHES "/kernels/" AND ADAM_SANITIZE)
    list(APPEND tier_flags -O1) # instrumented vector code takes gcc minutes a file above this
  elseif(source MATCHES "/kernels/")
    list(APPEND tier_flags -O3)
  endif()
  if(tier_flags)
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${tier_flags}")
  endif()
endforeach()

add_library(adam_objects OBJECT ${ADAM_SOURCES})
target_include_directories(adam_objects PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/include PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
target_compile_definitions(adam_objects PRIVATE ADAM_BUILD_SHARED
  ADAM_SHARE_DIR="${CMAKE_INSTALL_FULL_DATADIR}/adam")
target_link_libraries(adam_objects PRIVATE adam_flags Threads::Threads PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::CRYPTO PkgConfig::CURL PkgConfig::SQLITE PkgConfig::INIH)

foreach(kind SHARED STATIC)
  string(TOLOWER ${kind} lower)
  add_library(adam_${lower} ${kind} $<TARGET_OBJECTS:adam_objects>)
  set_target_properties(adam_${lower} PROPERTIES OUTPUT_NAME adam EXPORT_NAME ${lower}
    VERSION ${PROJECT_VERSION} SOVERSION 0)
  target_include_directories(adam_${lower} PUBLIC
    $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(adam_${lower} PRIVATE $<BUILD_INTERFACE:adam_flags> Threads::Threads
    PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::CRYPTO PkgConfig::CURL PkgConfig::SQLITE PkgConfig::INIH m dl)
endforeach()

# SPDX-License-Identifier: Apache-2.0
# The command `adam`: public headers only.
file(GLOB ADAM_CLI_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cli/*.c)
list(FILTER ADAM_CLI_SOURCES EXCLUDE REGEX "_test\\.c$")
add_executable(adam ${ADAM_CLI_SOURCES})
target_link_libraries(adam PRIVATE adam_flags adam_static PkgConfig::JANSSON PkgConfig::EDIT m)
set_target_properties(adam PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})

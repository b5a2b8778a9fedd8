# SPDX-License-Identifier: Apache-2.0
# The version is the package's. Before 1.0, a minor version may change everything.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/../__init__.py" _weft_line REGEX "^__version__ = ")
string(REGEX REPLACE "^.*\"([0-9.]+).*$" "\\1" PACKAGE_VERSION "${_weft_line}")
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _weft_series "${PACKAGE_VERSION}")
string(REGEX MATCH "^[0-9]+\\.[0-9]+" _weft_wanted "${PACKAGE_FIND_VERSION}")
if(NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION AND _weft_wanted STREQUAL _weft_series)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()

// SPDX-License-Identifier: Apache-2.0
#include "library.hpp"

#include <dlfcn.h>

#include <memory>
#include <stdexcept>

#include "register.hpp"

namespace py = pybind11;

Library::Library(const std::string& path) {
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) throw std::runtime_error(dlerror());
    api_ = static_cast<const weft_host_library_t*>(dlsym(handle_, "weft_host_library"));
    if (api_ == nullptr || api_->version != WEFT_HOST_LIBRARY_VERSION) {
        dlclose(handle_);
        throw std::runtime_error(path + ": not a host library of this version");
    }
}

Library::~Library() { dlclose(handle_); }

const weft_program_t& Library::program(std::uint32_t index) const {
    if (index >= api_->program_count) throw std::out_of_range("no program of that index");
    return *api_->programs[index];
}

void register_library(py::module_& m) {
    py::class_<Library, std::shared_ptr<Library>>(m, "Library",
                                                  "A compiled host library, loaded from a file.")
        .def(py::init<const std::string&>(), py::arg("path"),
             py::call_guard<py::gil_scoped_release>())
        .def_property_readonly(
            "runtime_hash", [](const Library& self) { return self.api().runtime_hash(); },
            "SHA-256 of the runtime sources that the library was built from.")
        .def_property_readonly(
            "program_names",
            [](const Library& self) {
                py::list names;
                for (std::uint32_t i = 0; i < self.api().program_count; ++i)
                    names.append(self.program(i).name);
                return names;
            },
            "Names of its programs, in the order of their indices.")
        .def(
            "status_string",
            [](const Library& self, int status) {
                return self.api().status_string(static_cast<weft_status_t>(status));
            },
            py::arg("status"), "The runtime's own name of a status.");
}

// SPDX-License-Identifier: Apache-2.0
#include <pybind11/numpy.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "library.hpp"
#include "register.hpp"

namespace py = pybind11;

namespace {

// How often a long run looks for an interrupt from the keyboard.
constexpr auto kSignalPeriod = std::chrono::milliseconds(50);

struct AlignedDelete {
    void operator()(std::uint8_t* bytes) const {
        ::operator delete(bytes, std::align_val_t{WEFT_ALIGNMENT});
    }
};
using AlignedBytes = std::unique_ptr<std::uint8_t[], AlignedDelete>;

AlignedBytes allocate(std::size_t count) {
    const std::size_t padded = count == 0 ? WEFT_ALIGNMENT : count;
    auto* bytes =
        static_cast<std::uint8_t*>(::operator new(padded, std::align_val_t{WEFT_ALIGNMENT}));
    std::memset(bytes, 0, padded);
    return AlignedBytes(bytes);
}

// One PE of the mesh: its context, its SRAM and its view of the constants.
class Pe {
  public:
    Pe(std::shared_ptr<Library> library, std::uint32_t program, const py::bytes& constants)
        : library_(std::move(library)), constants_size_(py::len(constants)) {
        const weft_host_program_t& host = library_->program(program);
        tables_ = reinterpret_cast<const weft_tables_t*>(host.tables);
        constants_ = allocate(constants_size_);
        std::memcpy(constants_.get(), PyBytes_AS_STRING(constants.ptr()), constants_size_);
        arena_ = allocate(tables_->arena_bytes);
        context_ = allocate(library_->api().pe_bytes);
        channels_ = allocate(library_->api().channel_bytes * tables_->channel_count);
        weft_pe_config_t config{};
        config.program = host.program;
        config.tables = tables_;
        config.table_words = host.table_words;
        config.arena = arena_.get();
        config.arena_bytes = tables_->arena_bytes;
        config.constants = constants_.get();
        config.constants_bytes = static_cast<std::uint32_t>(constants_size_);
        config.channels = reinterpret_cast<weft_channel_t*>(channels_.get());
        config.channel_capacity = tables_->channel_count;
        check(library_->api().pe_init(pe(), &config), "init");
    }

    // Steps until nothing is ready. False if `seconds` passed first.
    bool run(double seconds) {
        using clock = std::chrono::steady_clock;
        const auto deadline = clock::now() + std::chrono::duration<double>(seconds);
        auto next_look = clock::now() + kSignalPeriod;
        weft_status_t status = WEFT_OK;
        {
            py::gil_scoped_release release;
            while ((status = library_->api().pe_step(pe())) == WEFT_OK) {
                const auto now = clock::now();
                if (now >= deadline) return false;
                if (now < next_look) continue;
                next_look = now + kSignalPeriod;
                py::gil_scoped_acquire acquire;
                if (PyErr_CheckSignals() != 0) throw py::error_already_set();
            }
        }
        if (status != WEFT_IDLE) check(status, "step");
        return true;
    }

    // Copies a frame into the slot of an input and announces it. False without credit.
    bool feed(std::uint32_t channel, const py::buffer& frame) {
        const py::buffer_info info = frame.request();
        const weft_channel_row_t& row = slot_row(channel);
        check_frame(info, row);
        void* slot = nullptr;
        const weft_status_t status = library_->api().channel_acquire(pe(), channel, &slot);
        if (status == WEFT_NO_CREDIT) return false;
        check(status, "acquire");
        const auto* from = static_cast<const std::uint8_t*>(info.ptr);
        auto* to = static_cast<std::uint8_t*>(slot);
        {
            py::gil_scoped_release release;
            for (std::uint32_t i = 0; i < row.rows; ++i) {
                std::memcpy(to + std::size_t{i} * row.row_stride,
                            from + std::size_t{i} * row.row_bytes, row.row_bytes);
            }
        }
        check(library_->api().channel_publish(pe(), channel), "publish");
        return true;
    }

    // Copies the frame in the slot of an output and gives the slot back. False without frame.
    bool fetch(std::uint32_t channel, const py::buffer& frame) {
        const py::buffer_info info = frame.request(true);
        const weft_channel_row_t& row = slot_row(channel);
        check_frame(info, row);
        const void* slot = nullptr;
        const weft_status_t status = library_->api().channel_observe(pe(), channel, &slot);
        if (status == WEFT_NO_FRAME) return false;
        check(status, "observe");
        const auto* from = static_cast<const std::uint8_t*>(slot);
        auto* to = static_cast<std::uint8_t*>(info.ptr);
        {
            py::gil_scoped_release release;
            for (std::uint32_t i = 0; i < row.rows; ++i) {
                std::memcpy(to + std::size_t{i} * row.row_bytes,
                            from + std::size_t{i} * row.row_stride, row.row_bytes);
            }
        }
        check(library_->api().channel_release(pe(), channel), "release");
        return true;
    }

    // The slot of a channel as bytes in the PE's own memory: nothing is copied.
    py::array slot(std::uint32_t channel, const py::object& owner) {
        const weft_channel_row_t& row = slot_row(channel);
        return py::array(
            py::dtype::of<std::uint8_t>(), {py::ssize_t(row.rows), py::ssize_t(row.row_bytes)},
            {py::ssize_t(row.row_stride), py::ssize_t(1)}, arena_.get() + row.offset, owner);
    }

    // For frames that were written straight into a slot.
    bool publish(std::uint32_t channel) {
        const weft_status_t status = library_->api().channel_publish(pe(), channel);
        if (status == WEFT_E_SEQUENCE) return false;
        check(status, "publish");
        return true;
    }

    bool release(std::uint32_t channel) {
        const weft_status_t status = library_->api().channel_release(pe(), channel);
        if (status == WEFT_E_SEQUENCE) return false;
        check(status, "release");
        return true;
    }

  private:
    weft_pe_t* pe() { return reinterpret_cast<weft_pe_t*>(context_.get()); }

    const weft_channel_row_t& slot_row(std::uint32_t channel) const {
        if (channel >= tables_->channel_count) throw py::index_error("no channel of that index");
        const auto* words = reinterpret_cast<const std::uint32_t*>(tables_);
        return reinterpret_cast<const weft_channel_row_t*>(words + tables_->channels_at)[channel];
    }

    static void check_frame(const py::buffer_info& info, const weft_channel_row_t& row) {
        py::ssize_t expected = info.itemsize;
        for (auto axis = info.ndim; axis-- > 0;) {
            if (info.shape[axis] != 1 && info.strides[axis] != expected)
                throw py::value_error("a frame must be contiguous");
            expected *= info.shape[axis];
        }
        if (expected != py::ssize_t(row.rows) * py::ssize_t(row.row_bytes))
            throw py::value_error("a frame of another size than the channel's");
    }

    void check(weft_status_t status, const char* what) const {
        if (status == WEFT_OK) return;
        throw std::runtime_error(std::string(what) + ": " + library_->api().status_string(status));
    }

    std::shared_ptr<Library> library_;
    std::size_t constants_size_;
    const weft_tables_t* tables_ = nullptr;
    AlignedBytes constants_, arena_, context_, channels_;
};

}  // namespace

void register_pe(py::module_& m) {
    py::class_<Pe>(m, "Pe", "One PE with its memory. Not for use by two threads at a time.")
        .def(py::init<std::shared_ptr<Library>, std::uint32_t, const py::bytes&>(),
             py::arg("library"), py::arg("program"), py::arg("constants"))
        .def("run", &Pe::run, py::arg("seconds"),
             "Steps until nothing is ready; False if the time passed first.")
        .def("feed", &Pe::feed, py::arg("channel"), py::arg("frame"),
             "Copies a contiguous frame into an input; False if its slot is still in use.")
        .def("fetch", &Pe::fetch, py::arg("channel"), py::arg("frame"),
             "Copies an output into a contiguous array; False if there is no frame.")
        .def(
            "slot",
            [](py::object self, std::uint32_t channel) {
                return self.cast<Pe&>().slot(channel, self);
            },
            py::arg("channel"), "A uint8 view of (rows, bytes a row) of a channel's slot.")
        .def("publish", &Pe::publish, py::arg("channel"),
             "Announces a frame that was written into the slot of an input.")
        .def("release", &Pe::release, py::arg("channel"),
             "Gives back the slot of an output that was read in place.");
}

// The only file that knows C++ and Python: arrays in, arrays of indices out. No algorithm here.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "topoprior/persistence.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <class Value>
using Images = nb::ndarray<const Value, nb::numpy, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<std::int64_t, nb::numpy, nb::ndim<1>>;

Indices to_numpy(std::unique_ptr<std::int64_t[]> data, std::size_t size) {
    const nb::capsule owner(data.get(), [](void* pointer) noexcept { delete[] static_cast<std::int64_t*>(pointer); });
    return Indices(data.release(), {size}, owner);
}

std::int64_t to_signed(topoprior::Index index) {
    return index == topoprior::kNoPixel ? -1 : static_cast<std::int64_t>(index);
}

topoprior::Options options(const std::string& construction, const std::string& boundary, unsigned dimensions) {
    if (construction != "T" && construction != "V")
        throw std::invalid_argument("construction must be \"T\" or \"V\", got \"" + construction + "\"");
    if (boundary != "background" && boundary != "foreground")
        throw std::invalid_argument("boundary must be \"background\" or \"foreground\", got \"" + boundary + "\"");
    return {construction == "T" ? topoprior::Construction::T : topoprior::Construction::V,
            boundary == "background" ? topoprior::Boundary::background : topoprior::Boundary::foreground, dimensions};
}

template <class Value>
nb::tuple persistence_pairs(Images<Value> images, const std::string& construction, const std::string& boundary, unsigned dimensions,
                            std::size_t threads) {
    if (images.ndim() < 2 || images.ndim() > 4)
        throw std::invalid_argument("images must have shape (images, *spatial) with 1, 2 or 3 spatial axes, got " +
                                    std::to_string(images.ndim()) + " axes in all");
    if (threads == 0) throw std::invalid_argument("threads must be at least 1, got 0");
    std::vector<std::size_t> shape;
    for (std::size_t axis = 1; axis < images.ndim(); ++axis) shape.push_back(images.shape(axis));
    const std::size_t count = images.shape(0);
    std::size_t total = 0;
    std::unique_ptr<std::int64_t[]> offsets;
    std::unique_ptr<std::int64_t[]> births;
    std::unique_ptr<std::int64_t[]> deaths;
    const std::size_t groups = count * shape.size();
    {
        const nb::gil_scoped_release release;
        const topoprior::BatchPersistence<Value> batch(shape, options(construction, boundary, dimensions));
        const auto bars = batch.run(images.data(), count, threads);
        offsets = std::make_unique_for_overwrite<std::int64_t[]>(groups + 1);
        offsets[0] = 0;
        for (std::size_t group = 0; group < groups; ++group) {
            total += bars[group / shape.size()][group % shape.size()].size();
            offsets[group + 1] = static_cast<std::int64_t>(total);
        }
        births = std::make_unique_for_overwrite<std::int64_t[]>(total);
        deaths = std::make_unique_for_overwrite<std::int64_t[]>(total);
        std::size_t next = 0;
        for (std::size_t group = 0; group < groups; ++group)
            for (const topoprior::Bar bar : bars[group / shape.size()][group % shape.size()]) {
                births[next] = to_signed(bar.birth);
                deaths[next++] = to_signed(bar.death);
            }
    }
    return nb::make_tuple(to_numpy(std::move(births), total), to_numpy(std::move(deaths), total), to_numpy(std::move(offsets), groups + 1));
}

constexpr const char* kDocumentation =
    "Pixel indices of the bars of a batch of images, shape (images, *spatial), C order, values in [0, 1].\n\n"
    "Returns (birth_index, death_index, offsets), int64. Bars of image i and dimension k are offsets[i * d + k] to\n"
    "offsets[i * d + k + 1], longest first. An index of -1 stands for no pixel. See topoprior.topology.filtration.";

template <class Value>
void define(nb::module_& module) {
    module.def("persistence_pairs", &persistence_pairs<Value>, "images"_a.noconvert(), "construction"_a, "boundary"_a, "dimensions"_a,
               "threads"_a, kDocumentation);
}

}  // namespace

NB_MODULE(_core, module) {
    module.doc() = "The compiled core of topoprior.";
    define<float>(module);
    define<double>(module);
    define<std::uint8_t>(module);
}

"""Numbers side by side for numba, as many as there are copies of one pixel: vector registers.

numba's own loops stay scalar where an index is computed, so these few operations say to LLVM what
is a vector: `load`, `store`, `multiply_add`. It takes as many registers as the processor needs.

An array is read as rows, index i being its i-th one: of eight numbers, `[n 8]`, the copies of one
slice; or of 32, `[n 4 8]`, those of four slices.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.core.datamodel import models
from numba.extending import intrinsic, register_model
from numba.np import arrayobj

COPIES, SLICES = 8, 4


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call and keep the code on disk: beside this file, or in the user's cache
    folder where that is read-only. Without the interpreter's lock, so that threads run at once."""
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "nsz"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:
        # No folder can be written at all: compiled anew by every process, 4 s.
        return njit(**options)(function)


class Lanes(types.Type):
    """numba's type of `count` numbers of `dtype` side by side."""

    def __init__(self, dtype: types.Type, count: int) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")

    @classmethod
    def of(cls, array: types.Array) -> "Lanes":
        """A row of an array."""
        return cls(array.dtype, COPIES if array.ndim == 2 else COPIES * SLICES)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        number = manager.lookup(lanes.dtype).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, lanes.count))


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Row `index` of an array."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _row(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=align)

    return Lanes.of(array)(array, types.intp), emit


@intrinsic
def store(typing: Any, array: Any, index: Any, lanes: Any) -> Any:
    """Row `index` of an array becomes `lanes`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, align = _row(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=align)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), emit


@intrinsic
def multiply_add(typing: Any, total: Any, factor: Any, lanes: Any) -> Any:
    """`total` + `factor` * `lanes`, the factor one number."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, factor, lanes = arguments
        # One number in every lane: put into the first, then shuffled to all.
        places = ir.VectorType(ir.IntType(32), lanes.type.count)
        nothing = ir.Constant(lanes.type, ir.Undefined)
        one = builder.insert_element(nothing, factor, ir.Constant(ir.IntType(32), 0))
        factors = builder.shuffle_vector(one, one, ir.Constant(places, [0] * lanes.type.count))
        # "contract" allows one rounding instead of two, where the processor can.
        product = builder.fmul(factors, lanes, flags=("contract",))
        return builder.fadd(total, product, flags=("contract",))

    return total(total, total.dtype, total), emit


def _row(context: Any, builder: Any, array: Any, value: Any, index: Any) -> tuple[Any, int]:
    """Pointer to row `index` of an array as a vector, and the alignment that is sure, bytes."""
    data, lanes = arrayobj.make_array(array)(context, builder, value).data, Lanes.of(array)
    number = builder.gep(data, [builder.mul(index, ir.Constant(index.type, lanes.count))])
    align = context.get_abi_sizeof(context.get_value_type(array.dtype))
    return builder.bitcast(number, context.get_value_type(lanes).as_pointer()), align

"""unmetal: metal artifact reduction for CT.

The same verbs as on the command line: `reduce`, `simulate`, `load`. They import torch when they
are called, not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from unmetal.errors import InputError
from unmetal.methods import DEFAULT_METHOD
from unmetal.scan import Scan, Volume
from unmetal.units import METAL_HU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

    from unmetal.methods.method import Method

__all__ = ["InputError", "Scan", "Volume", "load", "read", "reduce", "simulate", "write"]

Series = TypeVar("Series", "Volume", "np.ndarray")


def load(name: str, weights: str | Path | None = None, device: str = "auto") -> Method:
    """A method ready to use, in evaluation mode.

    Args:
        name: a method, see `unmetal methods`; or in place of it what `weights` may be.
        weights: released weights, see `unmetal weights`; a weights file or folder, a run folder,
            or a checkpoint of ADN's authors (.pt). None takes those released for the method.
        device: `auto`, `cpu` or `cuda`.

    Raises `InputError` for an unknown method or device, and for weights that do not fit, or are
    missing where the method must be trained.
    """
    from unmetal.device import choose_device  # noqa: PLC0415
    from unmetal.weights.load import load_method  # noqa: PLC0415

    return load_method(name, weights)[0].to(choose_device(device))


def read(path: str | Path, *, spacing: float | None = None) -> Volume:
    """What a file or folder holds, in HU; see `unmetal.files.read`. Raises `InputError`."""
    from unmetal import files  # noqa: PLC0415

    return files.read(Path(path), spacing=spacing)


def write(volume: Volume, path: str | Path, *, force: bool = False) -> None:
    """A volume back to a file; see `unmetal.files.write`. Raises `InputError`."""
    from unmetal import files  # noqa: PLC0415

    files.write(volume, Path(path), force=force)


def reduce(
    series: Series,
    method: str | Method = DEFAULT_METHOD,
    *,
    spacing: float | None = None,
    metal_hu: float = METAL_HU,
    min_metal_mm2: float = 0.0,
    metal: ArrayLike | None = None,
    device: str = "auto",
) -> Series:
    """The series with its metal artifacts reduced; the metal and slices without any stay.

    Args:
        series: a `Volume`, or HU `[H W]` or `[slices H W]` as an array or nested lists.
        method: a name, see `load`, PriorNet unless told otherwise; or what `load` gave, which is
            moved to the device.
        spacing: pixel size in mm of an array; 384 mm / width when None.
        metal_hu: HU above which a pixel inside the body is metal.
        min_metal_mm2: pieces of metal with a smaller area in their slice are left alone.
        metal: what is metal, of the shape of the series (0 or False where there is none), in
            place of what would be found.
        device: `auto`, `cpu` or `cuda`.

    Returns a `Volume` for a `Volume`, float32 HU of the array's shape for an array. Raises
    `InputError` as `load`; also for pixels that are not square, values that are not finite, and
    metal of another shape.
    """
    import numpy as np  # noqa: PLC0415

    from unmetal import files  # noqa: PLC0415
    from unmetal.device import choose_device  # noqa: PLC0415
    from unmetal.reduction.reduce_volume import reduce_volume  # noqa: PLC0415

    where = choose_device(device)
    chosen = load(method, device=device) if isinstance(method, str) else method.to(where)
    volume = as_volume(series, spacing)
    given = None if metal is None else files.as_mask(metal, volume.hu.shape, "metal")
    reduced = reduce_volume(
        volume,
        chosen,
        threshold=metal_hu,
        min_metal_mm2=min_metal_mm2,
        metal=given,
        device=where,
    )
    reduced.log_warnings()
    result: Volume | np.ndarray = reduced.volume
    if not isinstance(series, Volume):
        result = reduced.volume.hu.reshape(np.shape(series))
    return cast("Series", result)


def simulate(
    series: Series,
    mask: np.ndarray | None = None,
    *,
    protocol: str = "adn",
    metal: str = "ti",
    seed: int = 0,
    native: bool = False,
    spacing: float | None = None,
) -> dict[str, np.ndarray]:
    """Put metal and its artifacts into clean slices.

    Args:
        series: a `Volume`, or HU `[H W]` or `[slices H W]` as an array.
        mask: bool `[h w]`, any size; None draws implants inside the body.
        protocol: `adn`, `syndeeplesion`, `clinical` or `cbct`.
        metal: `ti`, `fe`, `steel`, `cu`, `au`, `cocr` or `amalgam`.
        seed: of implants, noise and a machine's settings.
        native: keep the series' own matrix and pixel size, as `clinical` and `cbct` always do.
        spacing: pixel size in mm of an array; 384 mm / width when None.

    Returns what `simulation.simulate_volume.simulate_volume` returns: `image`, `truth`, `free` (HU
    `[slices H W]`), `metal`, `sinogram`, `free_sinogram`, `trace`, `implants`, `settings`. Raises
    `InputError` for slices that are not square where the protocol wants them so.
    """
    from unmetal.simulation.simulate_volume import setting_of, simulate_volume  # noqa: PLC0415

    volume = as_volume(series, spacing)
    setting, pixel = setting_of(volume, protocol, native=native, seed=seed)
    return simulate_volume(volume, mask, setting, pixel, metal, seed)


def as_volume(hu: Volume | ArrayLike, spacing: float | None = None) -> Volume:
    """HU `[H W]` or `[slices H W]` as a volume; `spacing` in mm, 384 mm / width when None.

    A volume is returned as it is. Raises `InputError` for anything else.
    """
    if isinstance(hu, Volume):
        return hu
    import numpy as np  # noqa: PLC0415

    from unmetal.files.hounsfield import pixel_size  # noqa: PLC0415

    try:
        values = np.asarray(hu, dtype=np.float32)
    except (TypeError, ValueError) as error:
        wanted = "give HU [H W] or [slices H W], or a Volume"
        raise InputError(f"a {type(hu).__name__} is no series: {wanted}") from error
    if values.ndim not in {2, 3} or not np.isfinite(values).all():
        raise InputError(f"an array {values.shape}: give finite HU [H W] or [slices H W]")
    pixel, _ = pixel_size(values.shape[-1], spacing)
    values = values.reshape(-1, *values.shape[-2:])
    return Volume(values, (pixel, pixel, pixel), spacing_known=spacing is not None)

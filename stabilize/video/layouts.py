"""The native pixel formats. Frames in them are processed plane by plane, without conversion to RGB."""

from __future__ import annotations

from stabilize.video.frame import PixelLayout, PlaneLayout

_CHROMA_SHIFTS = {"420": (1, 1), "422": (1, 0), "440": (0, 1), "444": (0, 0)}
_P_FORMATS = {0: "420", 2: "422", 4: "444"}  # first digit of P010, P210, P410
_LUMA = PlaneLayout(0, 0)
_ALPHA = PlaneLayout(0, 0, is_alpha=True)


def _planar(name: str, subsampling: str, bits: int) -> PixelLayout:
    chroma = PlaneLayout(*_CHROMA_SHIFTS[subsampling])
    return PixelLayout(name, bits, (_LUMA, chroma, chroma))


def _with_alpha(name: str, subsampling: str, bits: int) -> PixelLayout:
    return PixelLayout(name, bits, (*_planar(name, subsampling, bits).planes, _ALPHA))


def _interleaved(name: str, subsampling: str, bits: int) -> PixelLayout:
    lsb_shift = 16 - bits if bits > 8 else 0
    return PixelLayout(name, bits, (_LUMA, PlaneLayout(*_CHROMA_SHIFTS[subsampling], channels=2)), lsb_shift)


def _gray(name: str, bits: int) -> PixelLayout:
    return PixelLayout(name, bits, (_LUMA,))


_ALL = [
    *(_planar(f"yuv{s}p", s, 8) for s in _CHROMA_SHIFTS),
    *(_planar(f"yuvj{s}p", s, 8) for s in _CHROMA_SHIFTS),
    *(_planar(f"yuv{s}p{bits}le", s, bits) for bits in (10, 12) for s in _CHROMA_SHIFTS),
    *(_with_alpha(f"yuva{s}p", s, 8) for s in ("420", "422", "444")),
    *(_with_alpha(f"yuva{s}p10le", s, 10) for s in ("420", "422", "444")),
    *(_with_alpha(f"yuva{s}p12le", s, 12) for s in ("422", "444")),
    *(_interleaved(name, s, 8) for name, s in (("nv12", "420"), ("nv21", "420"), ("nv16", "422"), ("nv24", "444"))),
    *(_interleaved(f"p{digit}{bits}le", _P_FORMATS[digit], bits) for bits in (10, 12) for digit in _P_FORMATS),
    _gray("gray", 8),
    _gray("gray10le", 10),
    _gray("gray12le", 12),
]
LAYOUTS: dict[str, PixelLayout] = {layout.name: layout for layout in _ALL}

# Formats that all others are converted to, by the prefix of their name. RGB and palettes become 4:4:4.
_NEAREST_FORMATS = {
    "gray": "gray",
    "mono": "gray",
    "yuv420p": "yuv420p",
    "yuv422p": "yuv422p",
    "yuv440p": "yuv440p",
    "yuv41": "yuv422p",
    "yuyv": "yuv422p",
    "yvyu": "yuv422p",
    "uyvy": "yuv422p",
    "y21": "yuv422p",
    "p0": "p0",
    "p2": "p2",
    "": "yuv444p",
}
_NEAREST_ALPHA_FORMATS = {"yuva420p": "yuva420p", "yuva422p": "yuva422p", "": "yuva444p"}


def native_layout(pix_fmt: str, bits: int = 8, alpha: bool = False) -> PixelLayout:
    """Return the layout of `pix_fmt`, or the nearest one. `bits` is the depth of its deepest component."""
    if pix_fmt in LAYOUTS:
        return LAYOUTS[pix_fmt]
    nearest = _NEAREST_ALPHA_FORMATS if alpha else _NEAREST_FORMATS
    name = next(name for prefix, name in nearest.items() if pix_fmt.startswith(prefix))
    depths = ("",) if bits <= 8 else ("10le", "12le") if bits <= 10 else ("12le", "10le")
    return next(LAYOUTS[name + depth] for depth in depths if name + depth in LAYOUTS)

"""Which encoder writes which codec, with what settings and pixel format."""

from __future__ import annotations

import os
from dataclasses import dataclass

from av.codec import Codec
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list

from stabilize.errors import UsageError
from stabilize.settings import EncodeConfig
from stabilize.video.containers import Container
from stabilize.video.frame import PixelLayout
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import FULL_RANGE, Hdr, VideoInfo

_FAST_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast")
_X26X_PRESETS = (*_FAST_PRESETS, "medium", "slow", "slower", "veryslow", "placebo")
_FALLBACK_CODECS = (
    "h264",
    "av1",
    "hevc",
    "ffv1",
)  # in this order, if the input's codec has no encoder here or would lose bit depth
_THREADS_MAX = 16  # bounds the memory of an encoder
_VISIBLE_LOSS = PixFmtLoss.DEPTH | PixFmtLoss.RESOLUTION | PixFmtLoss.CHROMA
_X26X_TAGS = frozenset({"colour", "matrix", "range", "aspect", "hdr"})
_ALL_SITINGS = frozenset({"left", "center", "topleft", "top", "bottomleft", "bottom"})
_PRORES_PROFILES = ("proxy", "lt", "standard", "hq", "4444", "4444xq")


@dataclass(frozen=True, slots=True)
class Encoder:
    """An FFmpeg encoder and what it supports."""

    codec: str
    """Name of the codec in the settings."""
    library: str
    """FFmpeg's name of the encoder."""
    crf: float | None = None
    """Default CRF: visually close to a camera's file at its usual bit rate. None: the encoder has no CRF."""
    preset: str | None = None
    """Default preset; None: the encoder has no presets."""
    presets: tuple[str, ...] = ()
    """All presets."""
    preset_option: str = "preset"
    """FFmpeg's name of the option that takes the preset."""
    fixed_options: tuple[tuple[str, str], ...] = ()
    """FFmpeg options that are always set."""
    max_rate: int | None = None
    """Largest frame rate in frames/s; None: no limit."""
    tags: frozenset[str] = frozenset()
    """Tags in its bitstream, of "colour" (primaries and transfer), "matrix", "range", "aspect" (of pixels), "hdr"."""
    sitings: frozenset[str] = frozenset()
    """Chroma sitings that its bitstream can signal."""
    alpha: frozenset[str] = frozenset()
    """Pixel formats in which it encodes transparency."""
    separate_alpha: bool = False
    """Whether transparency goes into separate packets, which the container must support."""
    full_range: bool = True
    """Whether it encodes full range."""
    even_sizes: bool = False
    """Whether subsampled frames must have even width and height."""
    crf_range: tuple[float, float] = (0, 51)
    """Outside of it, encoders fail at the first frame or use another value."""

    def pix_fmts(self, container: Container) -> list[str]:
        """Return the pixel formats that it encodes and that can be processed here."""
        alpha = self.alpha if container.separate_alpha or not self.separate_alpha else frozenset()
        offered = [f.name for f in Codec(self.library, "w").video_formats or [] if f.name in LAYOUTS]
        return [name for name in offered if name in alpha or not LAYOUTS[name].has_alpha]


ENCODERS: dict[str, Encoder] = {
    e.codec: e
    for e in (
        Encoder("h264", "libx264", 18, "medium", _X26X_PRESETS, even_sizes=True, tags=_X26X_TAGS, sitings=_ALL_SITINGS),
        Encoder("hevc", "libx265", 20, "medium", _X26X_PRESETS, even_sizes=True, tags=_X26X_TAGS, sitings=_ALL_SITINGS),
        Encoder(
            "av1",
            "libsvtav1",
            24,
            "8",
            tuple(map(str, range(14))),
            max_rate=240,
            crf_range=(1, 63),
            tags=_X26X_TAGS - {"aspect"},
            sitings=frozenset({"left", "topleft"}),
        ),
        Encoder(
            "vp9",
            "libvpx-vp9",
            24,
            "3",
            tuple(map(str, range(9))),
            "cpu-used",
            (("b", "0"), ("row-mt", "1")),
            crf_range=(0, 63),
            tags=frozenset({"matrix", "range"}),
            alpha=frozenset({"yuva420p"}),
            separate_alpha=True,
        ),
        Encoder(
            "prores",
            "prores_ks",
            fixed_options=(("vendor", "apl0"),),
            tags=frozenset({"colour", "matrix"}),
            alpha=frozenset({"yuva444p10le"}),
            full_range=False,
        ),
        Encoder(
            "ffv1",
            "ffv1",
            fixed_options=(("level", "3"), ("slicecrc", "1")),
            alpha=frozenset(name for name, layout in LAYOUTS.items() if layout.has_alpha),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder with all its settings."""

    encoder: Encoder
    """The encoder."""
    pix_fmt: str
    """Pixel format of the encoded frames."""
    size: tuple[int, int]
    """(width, height) of the encoded frames in px."""
    options: dict[str, str]
    """FFmpeg options."""
    threads: int
    """Number of encoder threads; 0: the encoder decides."""
    full_range: bool
    """Whether the encoded frames are of full range."""
    notes: tuple[str, ...]
    """Warnings: where the encoding differs from the input."""


def choose_encoding(config: EncodeConfig, video: VideoInfo, container: Container, size: tuple[int, int]) -> Encoding:
    """Choose how to encode `video` for a container. Raises `UsageError` for settings that do not fit."""
    encoder, codec_note = _pick_encoder(config, video, container)
    pix_fmt, format_note = _pick_pix_fmt(encoder, config, video.layout.name, container)
    coded_size, size_note = _pick_size(encoder, LAYOUTS[pix_fmt], size)
    full_range, range_note = _pick_range(encoder, pix_fmt, video, container)
    notes = tuple(note for note in (codec_note, format_note, size_note, range_note) if note is not None)
    options = _options(encoder, config, video)
    threads = config.threads or (0 if (os.cpu_count() or 1) <= _THREADS_MAX else _THREADS_MAX)
    return Encoding(encoder, pix_fmt, coded_size, options, threads, full_range, notes)


def _pick_encoder(config: EncodeConfig, video: VideoInfo, container: Container) -> tuple[Encoder, str | None]:
    accepted = container.video
    if config.codec is not None:
        if config.codec not in accepted:
            choice = ", ".join(sorted(accepted))
            raise UsageError(
                f"a {container.muxer} file cannot hold {config.codec}; choose one of {choice}, or write .mkv"
            )
        return ENCODERS[config.codec], None
    candidates = [ENCODERS[c] for c in (video.codec, *_FALLBACK_CODECS) if c in ENCODERS and c in accepted]
    native = video.layout.name
    deep_enough = [e for e in candidates if not _nearest_pix_fmt(e, native, container)[1] & PixFmtLoss.DEPTH]
    encoder = (deep_enough or candidates)[0]
    same = candidates[0]
    if (
        same.codec == video.codec
        and video.layout.has_alpha
        and LAYOUTS[_nearest_pix_fmt(same, native, container)[0]].has_alpha
    ):
        encoder = same  # keeping transparency matters more than the last bits of depth
    return encoder, None if encoder.codec == video.codec else f"{video.codec} video is written as {encoder.codec}"


def _nearest_pix_fmt(encoder: Encoder, native: str, container: Container) -> tuple[str, PixFmtLoss]:
    """Return the encoder's pixel format with the smallest loss, and that loss."""
    offered = encoder.pix_fmts(container)
    if native in offered:
        return native, PixFmtLoss.NONE
    plain = native.replace("yuvj", "yuv")  # the same samples; full range is signalled by the colour tags
    has_alpha = LAYOUTS[native].has_alpha
    suited = [name for name in offered if LAYOUTS[name].has_alpha == has_alpha] or offered
    best, loss = find_best_pix_fmt_of_list(suited, plain, has_alpha)
    assert best is not None  # some format is always found
    return best.name, loss


def _pick_pix_fmt(encoder: Encoder, config: EncodeConfig, native: str, container: Container) -> tuple[str, str | None]:
    if config.pix_fmt is None:
        best, loss = _nearest_pix_fmt(encoder, native, container)
        note = f"{native} frames are written as {best}: {encoder.codec} has no closer format"
        return best, note if loss & _VISIBLE_LOSS else None
    offered = encoder.pix_fmts(container)
    if config.pix_fmt not in offered:
        raise UsageError(f"{encoder.codec} does not support {config.pix_fmt}; choose one of {', '.join(offered)}")
    return config.pix_fmt, None


def _pick_range(encoder: Encoder, pix_fmt: str, video: VideoInfo, container: Container) -> tuple[bool, str | None]:
    """Return whether to write full range: only if the file can signal it."""
    if pix_fmt.startswith("yuvj"):
        return True, None
    if video.colour.range != FULL_RANGE:
        return False, None
    if encoder.full_range and "range" in encoder.tags | container.tags:
        return True, None
    return False, f"full range is converted to limited range: {encoder.codec} in {container.muxer} cannot signal it"


def _pick_size(encoder: Encoder, layout: PixelLayout, size: tuple[int, int]) -> tuple[tuple[int, int], str | None]:
    """Return the encoded size: `size`, or without the last column or row where the encoder needs even sizes."""
    if not encoder.even_sizes:
        return size, None
    across, down = (
        max(shifts) for shifts in zip(*((p.width_shift, p.height_shift) for p in layout.planes), strict=True)
    )
    even = (size[0] >> across << across, size[1] >> down << down)
    if min(even) == 0:
        raise UsageError(f"{encoder.codec} cannot encode frames of {size[0]}x{size[1]}; choose another codec")
    note = f"frames of {size[0]}x{size[1]} are written as {even[0]}x{even[1]}: {encoder.codec} needs even sizes"
    return even, None if even == size else note


def _options(encoder: Encoder, config: EncodeConfig, video: VideoInfo) -> dict[str, str]:
    options = dict(encoder.fixed_options)
    for name, value in (("crf", config.crf), ("preset", config.preset)):
        if value is not None and getattr(encoder, name) is None:
            raise UsageError(f"{encoder.codec} has no {name}; leave it out")
    if encoder.crf is not None:
        crf = encoder.crf if config.crf is None else config.crf
        crf_min, crf_max = encoder.crf_range
        if not crf_min <= crf <= crf_max:
            raise UsageError(f"{encoder.codec} has no crf {crf:g}; choose one from {crf_min:g} (best) to {crf_max:g}")
        options["crf"] = f"{crf:g}"
    preset = config.preset or encoder.preset
    if preset is not None:
        if preset not in encoder.presets:
            raise UsageError(f"{encoder.codec} has no preset {preset!r}; choose one of {', '.join(encoder.presets)}")
        options[encoder.preset_option] = preset
    if video.colour.chroma_location != "unspecified":
        options["chroma_sample_location"] = video.colour.chroma_location
    if encoder.codec == video.codec == "prores" and video.profile.lower() in _PRORES_PROFILES:
        options["profile"] = video.profile.lower()
    return options | _library_options(encoder.library, video.hdr)


def _library_options(library: str, hdr: Hdr | None) -> dict[str, str]:
    if library == "libx265":
        return {
            "x265-params": ":".join(["log-level=none", *_hdr_params(hdr, "master-display={}", "max-cll={},{}", 1, 1)])
        }
    if library == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only; by default it prints its settings
    if library == "libsvtav1" and hdr:
        return {
            "svtav1-params": ":".join(_hdr_params(hdr, "mastering-display={}", "content-light={},{}", 50000, 10000))
        }
    if library == "libx264" and hdr:
        return {"x264-params": ":".join(_hdr_params(hdr, "mastering-display={}", "cll={},{}", 1, 1))}
    return {}


def _hdr_params(hdr: Hdr | None, display: str, light: str, xy_unit: int, luminance_unit: int) -> list[str]:
    """Return HDR10 tags as parameters of an encoder. The units are in 1/50000 and 1/10000 cd/m2."""
    params = []
    if hdr and len(hdr.primaries) == 4 and hdr.luminance:
        red, green, blue, white = (f"({x / xy_unit:.10g},{y / xy_unit:.10g})" for x, y in hdr.primaries)
        top, bottom = (f"{value / luminance_unit:.10g}" for value in hdr.luminance)
        params.append(display.format(f"G{green}B{blue}R{red}WP{white}L({top},{bottom})"))
    if hdr and hdr.light_level:
        params.append(light.format(*hdr.light_level))
    return params

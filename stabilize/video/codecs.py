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
_FALLBACKS = ("h264", "av1", "hevc", "ffv1")  # for what cannot be encoded again, or only with fewer bits
_MOST_THREADS = 16  # an encoder's memory grows with them
_HARM = PixFmtLoss.DEPTH | PixFmtLoss.RESOLUTION | PixFmtLoss.CHROMA
_X26X_TAGS = frozenset({"colour", "matrix", "range", "shape", "hdr"})
_ALL_SITINGS = frozenset({"left", "center", "topleft", "top", "bottomleft", "bottom"})
_PRORES_PROFILES = ("proxy", "lt", "standard", "hq", "4444", "4444xq")


@dataclass(frozen=True, slots=True)
class Encoder:
    """One encoder. `crf` and `preset` are the defaults: visually close to a camera's own file at its usual bit rate.

    `tags`: what it writes into the pictures themselves, of "colour" (primaries and transfer), "matrix", "range",
    "shape" (of pixels) and "hdr"; `sitings` likewise. `alpha`: the pixel formats in which it keeps transparency.
    """

    codec: str
    library: str
    crf: float | None = None
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    fixed: tuple[tuple[str, str], ...] = ()
    max_rate: int | None = None
    tags: frozenset[str] = frozenset()
    sitings: frozenset[str] = frozenset()
    alpha: frozenset[str] = frozenset()
    alpha_beside: bool = False  # transparency goes into a second packet, for which the container must have room
    full_range: bool = True  # whether its pictures can be of full range
    even_sizes: bool = False  # whether subsampled pictures must have even sides
    crf_range: tuple[float, float] = (0, 51)  # beyond it encoders fail at the first frame, or take another value

    def pix_fmts(self, container: Container) -> list[str]:
        """The pixel formats that it encodes, of those that can be processed."""
        alpha = self.alpha if container.side_alpha or not self.alpha_beside else frozenset()
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
            tags=_X26X_TAGS - {"shape"},
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
            alpha_beside=True,
        ),
        Encoder(
            "prores",
            "prores_ks",
            fixed=(("vendor", "apl0"),),
            tags=frozenset({"colour", "matrix"}),
            alpha=frozenset({"yuva444p10le"}),
            full_range=False,
        ),
        Encoder(
            "ffv1",
            "ffv1",
            fixed=(("level", "3"), ("slicecrc", "1")),
            alpha=frozenset(name for name, layout in LAYOUTS.items() if layout.has_alpha),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder with all its settings; `notes` say where they differ from the input's."""

    encoder: Encoder
    pix_fmt: str
    size: tuple[int, int]
    options: dict[str, str]
    threads: int
    full_range: bool
    notes: tuple[str, ...]


def choose_encoding(config: EncodeConfig, video: VideoInfo, container: Container, size: tuple[int, int]) -> Encoding:
    """How to encode `video` for a container; `UsageError` for settings that do not fit."""
    encoder, codec_note = _pick_encoder(config, video, container)
    pix_fmt, format_note = _pick_pix_fmt(encoder, config, video.layout.name, container)
    coded_size, size_note = _pick_size(encoder, LAYOUTS[pix_fmt], size)
    full_range, range_note = _pick_range(encoder, pix_fmt, video, container)
    notes = tuple(note for note in (codec_note, format_note, size_note, range_note) if note is not None)
    options = _options(encoder, config, video)
    threads = config.threads or (0 if (os.cpu_count() or 1) <= _MOST_THREADS else _MOST_THREADS)
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
    candidates = [ENCODERS[c] for c in (video.codec, *_FALLBACKS) if c in ENCODERS and c in accepted]
    native = video.layout.name
    deep_enough = [e for e in candidates if not _nearest(e, native, container)[1] & PixFmtLoss.DEPTH]
    encoder = (deep_enough or candidates)[0]
    own = candidates[0]
    if own.codec == video.codec and video.layout.has_alpha and LAYOUTS[_nearest(own, native, container)[0]].has_alpha:
        encoder = own  # transparency is worth more than the last bits of depth
    return encoder, None if encoder.codec == video.codec else f"{video.codec} video is written as {encoder.codec}"


def _nearest(encoder: Encoder, native: str, container: Container) -> tuple[str, PixFmtLoss]:
    """The encoder's pixel format that loses least of the native one, and what it loses."""
    offered = encoder.pix_fmts(container)
    if native in offered:
        return native, PixFmtLoss.NONE
    plain = native.replace("yuvj", "yuv")  # the same samples; full range is said by the colour tags
    has_alpha = LAYOUTS[native].has_alpha
    suited = [name for name in offered if LAYOUTS[name].has_alpha == has_alpha] or offered
    best, loss = find_best_pix_fmt_of_list(suited, plain, has_alpha)
    assert best is not None  # there is always one, if a bad one
    return best.name, loss


def _pick_pix_fmt(encoder: Encoder, config: EncodeConfig, native: str, container: Container) -> tuple[str, str | None]:
    if config.pix_fmt is None:
        best, loss = _nearest(encoder, native, container)
        note = f"{native} pictures are written as {best}: {encoder.codec} offers nothing nearer"
        return best, note if loss & _HARM else None
    offered = encoder.pix_fmts(container)
    if config.pix_fmt not in offered:
        raise UsageError(f"{encoder.codec} is not encoded in {config.pix_fmt}; choose one of {', '.join(offered)}")
    return config.pix_fmt, None


def _pick_range(encoder: Encoder, pix_fmt: str, video: VideoInfo, container: Container) -> tuple[bool, str | None]:
    """Whether full range is written: only where a decoder can be told so."""
    if pix_fmt.startswith("yuvj"):
        return True, None
    if video.colour.range != FULL_RANGE:
        return False, None
    if encoder.full_range and "range" in encoder.tags | container.tags:
        return True, None
    return False, f"full range is converted to limited range: {encoder.codec} in {container.muxer} cannot be tagged"


def _pick_size(encoder: Encoder, layout: PixelLayout, size: tuple[int, int]) -> tuple[tuple[int, int], str | None]:
    """What of a picture of `size` is encoded: all of it, or all but the last column or row."""
    if not encoder.even_sizes:
        return size, None
    across, down = (
        max(shifts) for shifts in zip(*((p.width_shift, p.height_shift) for p in layout.planes), strict=True)
    )
    even = (size[0] >> across << across, size[1] >> down << down)
    if min(even) == 0:
        raise UsageError(f"{encoder.codec} cannot encode pictures of {size[0]}x{size[1]}; choose another codec")
    note = f"pictures of {size[0]}x{size[1]} are written as {even[0]}x{even[1]}: {encoder.codec} needs even sizes"
    return even, None if even == size else note


def _options(encoder: Encoder, config: EncodeConfig, video: VideoInfo) -> dict[str, str]:
    options = dict(encoder.fixed)
    for name, value in (("crf", config.crf), ("preset", config.preset)):
        if value is not None and getattr(encoder, name) is None:
            raise UsageError(f"{encoder.codec} has no {name}; leave it out")
    if encoder.crf is not None:
        crf = encoder.crf if config.crf is None else config.crf
        least, most = encoder.crf_range
        if not least <= crf <= most:
            raise UsageError(f"{encoder.codec} has no crf {crf:g}; choose one from {least:g} (best) to {most:g}")
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
        os.environ.setdefault("SVT_LOG", "1")  # errors only; else it writes its settings to the terminal
    if library == "libsvtav1" and hdr:
        return {
            "svtav1-params": ":".join(_hdr_params(hdr, "mastering-display={}", "content-light={},{}", 50000, 10000))
        }
    if library == "libx264" and hdr:
        return {"x264-params": ":".join(_hdr_params(hdr, "mastering-display={}", "cll={},{}", 1, 1))}
    return {}


def _hdr_params(hdr: Hdr | None, display: str, light: str, xy_unit: int, luminance_unit: int) -> list[str]:
    """HDR10 tags in the words of an encoder; the units are what one stands for in 1/50000 and in 1/10000 cd/m2."""
    params = []
    if hdr and len(hdr.primaries) == 4 and hdr.luminance:
        red, green, blue, white = (f"({x / xy_unit:.10g},{y / xy_unit:.10g})" for x, y in hdr.primaries)
        top, bottom = (f"{value / luminance_unit:.10g}" for value in hdr.luminance)
        params.append(display.format(f"G{green}B{blue}R{red}WP{white}L({top},{bottom})"))
    if hdr and hdr.light_level:
        params.append(light.format(*hdr.light_level))
    return params

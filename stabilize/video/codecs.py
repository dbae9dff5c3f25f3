"""Which encoder writes which codec, with what settings and pixel format."""

from __future__ import annotations

import os
from dataclasses import dataclass

from av.codec import Codec
from av.codec.codec import PixFmtLoss, find_best_pix_fmt_of_list

from stabilize.errors import UsageError
from stabilize.settings import EncodeConfig
from stabilize.video.frame import PixelLayout
from stabilize.video.layouts import LAYOUTS
from stabilize.video.probe import FULL_RANGE, Hdr, VideoInfo

_FAST_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast")
_X26X_PRESETS = (*_FAST_PRESETS, "medium", "slow", "slower", "veryslow", "placebo")
_FALLBACKS = ("h264", "av1", "hevc", "ffv1")  # for what cannot be encoded again, or only with fewer bits
_MOST_THREADS = 16  # an encoder's memory grows with them
_HARM = PixFmtLoss.DEPTH | PixFmtLoss.RESOLUTION | PixFmtLoss.CHROMA
_PRORES_PROFILES = ("proxy", "lt", "standard", "hq", "4444", "4444xq")


@dataclass(frozen=True, slots=True)
class Encoder:
    """One encoder. `crf` and `preset` are the defaults: visually close to a camera's own file at its usual bit rate."""

    codec: str
    library: str
    crf: float | None = None
    preset: str | None = None
    presets: tuple[str, ...] = ()
    preset_option: str = "preset"
    fixed: tuple[tuple[str, str], ...] = ()
    max_rate: int | None = None
    tags_range: bool = True  # whether a decoder can tell full range from limited
    even_sizes: bool = False  # whether subsampled pictures must have even sides
    crf_range: tuple[float, float] = (0, 51)  # beyond it encoders fail at the first frame, or take another value

    @property
    def carries_hdr(self) -> bool:
        return self.library in ("libx264", "libx265", "libsvtav1")

    @property
    def pix_fmts(self) -> list[str]:
        return [f.name for f in Codec(self.library, "w").video_formats or []]


ENCODERS: dict[str, Encoder] = {
    e.codec: e
    for e in (
        Encoder("h264", "libx264", 18, "medium", _X26X_PRESETS, even_sizes=True),
        Encoder("hevc", "libx265", 20, "medium", _X26X_PRESETS, even_sizes=True),
        Encoder("av1", "libsvtav1", 24, "8", tuple(map(str, range(14))), max_rate=240, crf_range=(1, 63)),
        Encoder(
            "vp9",
            "libvpx-vp9",
            24,
            "3",
            tuple(map(str, range(9))),
            "cpu-used",
            (("b", "0"), ("row-mt", "1")),
            crf_range=(0, 63),
        ),
        Encoder("prores", "prores_ks", fixed=(("vendor", "apl0"),), tags_range=False),
        Encoder("ffv1", "ffv1", fixed=(("level", "3"), ("slicecrc", "1"))),
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


def choose_encoding(
    config: EncodeConfig, video: VideoInfo, accepted: frozenset[str], container: str, size: tuple[int, int]
) -> Encoding:
    """How to encode `video` for a container that takes `accepted` codecs; `UsageError` for settings that do not fit."""
    encoder, codec_note = _pick_encoder(config, video, accepted, container)
    pix_fmt, format_note = _pick_pix_fmt(encoder, config, video.layout.name)
    coded_size, size_note = _pick_size(encoder, LAYOUTS[pix_fmt], size)
    full_range = pix_fmt.startswith("yuvj") or (video.colour.range == FULL_RANGE and encoder.tags_range)
    notes = tuple(note for note in (codec_note, format_note, size_note) if note is not None)
    options = _options(encoder, config, video)
    threads = config.threads or (0 if (os.cpu_count() or 1) <= _MOST_THREADS else _MOST_THREADS)
    return Encoding(encoder, pix_fmt, coded_size, options, threads, full_range, notes)


def _pick_encoder(
    config: EncodeConfig, video: VideoInfo, accepted: frozenset[str], container: str
) -> tuple[Encoder, str | None]:
    if config.codec is not None:
        if config.codec not in accepted:
            choice = ", ".join(sorted(accepted))
            raise UsageError(f"a {container} file cannot hold {config.codec}; choose one of {choice}, or write .mkv")
        return ENCODERS[config.codec], None
    candidates = [ENCODERS[c] for c in (video.codec, *_FALLBACKS) if c in ENCODERS and c in accepted]
    deep_enough = [e for e in candidates if not _nearest(e, video.layout.name)[1] & PixFmtLoss.DEPTH]
    encoder = (deep_enough or candidates)[0]
    return encoder, None if encoder.codec == video.codec else f"{video.codec} video is written as {encoder.codec}"


def _nearest(encoder: Encoder, native: str) -> tuple[str, PixFmtLoss]:
    """The encoder's pixel format that loses least of the native one, and what it loses."""
    offered = encoder.pix_fmts
    if native in offered:
        return native, PixFmtLoss.NONE
    plain = native.replace("yuvj", "yuv")  # the same samples; full range is said by the colour tags
    best, loss = find_best_pix_fmt_of_list([name for name in offered if name in LAYOUTS], plain)
    assert best is not None  # there is always one, if a bad one
    return best.name, loss


def _pick_pix_fmt(encoder: Encoder, config: EncodeConfig, native: str) -> tuple[str, str | None]:
    if config.pix_fmt is None:
        best, loss = _nearest(encoder, native)
        note = f"{native} pictures are written as {best}: {encoder.codec} offers nothing nearer"
        return best, note if loss & _HARM else None
    offered = [name for name in encoder.pix_fmts if name in LAYOUTS]
    if config.pix_fmt not in offered:
        raise UsageError(f"{encoder.codec} is not encoded in {config.pix_fmt}; choose one of {', '.join(offered)}")
    return config.pix_fmt, None


def _pick_size(encoder: Encoder, layout: PixelLayout, size: tuple[int, int]) -> tuple[tuple[int, int], str | None]:
    """What of a picture of `size` is encoded: all of it, or all but the last column or row."""
    if not encoder.even_sizes:
        return size, None
    chroma = layout.planes[-1]
    even = (size[0] >> chroma.width_shift << chroma.width_shift, size[1] >> chroma.height_shift << chroma.height_shift)
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

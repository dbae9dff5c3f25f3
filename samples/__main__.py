"""`python -m samples NAME... --out DIR`: generate clips with their logs and truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from .catalogue import CLIPS
from .encode import write_clip


def _parser() -> argparse.ArgumentParser:
    clips = [f"  {s.name:16} {s.width}x{s.height}, {s.duration_s:g} s, world {s.world}" for s in CLIPS.values()]
    parser = argparse.ArgumentParser(
        prog="python -m samples",
        description="Generate procedural clips: NAME.mp4, NAME.truth.npz, NAME.truth.json, "
        "NAME.csv (gyro), NAME.ois.csv (lens shift).",
        epilog="clips:\n" + "\n".join(clips),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="+", metavar="NAME", choices=[*CLIPS, "all"], help="a clip of the list below, or all"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("out/samples"), help="folder to write to (default: %(default)s)"
    )
    parser.add_argument("--crf", type=int, default=14, help="H.264 quality, smaller is better (default: %(default)s)")
    return parser


def main() -> None:
    args = _parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in CLIPS if "all" in args.names else args.names:
        path = args.out / f"{name}.mp4"
        write_clip(CLIPS[name], path, crf=args.crf)
        print(path)


if __name__ == "__main__":
    main()

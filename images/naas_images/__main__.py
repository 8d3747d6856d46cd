"""`images/build.sh [NAME ...]`: build images and say what they are."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time

from naas_images.build import Builder, Built, alone, with_parents
from naas_images.docker import BuildFailed, check_engine
from naas_images.locks import lock
from naas_images.recipes import RECIPES

USUAL = ("base", "agent", "lab", "hub")


def main() -> int:
    """Parse the arguments and build; returns the exit status."""
    parser = argparse.ArgumentParser(prog="images/build.sh", description="Build the container images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(RECIPES)}; without: {', '.join(USUAL)}")
    parser.add_argument(
        "--base",
        default="",
        metavar="IMAGE",
        help="the Debian or Python image to start from; without: one made by debootstrap",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="VARIANT",
        help="also build this variant of the images that have it (lab: r)",
    )
    parser.add_argument(
        "--lock",
        action="store_true",
        help="build nothing: write the images' locks anew, after a change of what they need",
    )
    parser.add_argument("--upgrade", action="store_true", help="like --lock, with the newest version of everything")
    parser.add_argument(
        "--tag", default="", help="the images' tag; without: NAAS_IMAGES_TAG, else the product's version"
    )
    parser.add_argument("--fresh", action="store_true", help="build anew from today's Debian packages")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - set(RECIPES)):
        parser.error(f"there is no image {', '.join(unknown)}; there are {', '.join(RECIPES)}")
    names = given.names or list(USUAL)
    offered = sorted({variant for name in with_parents(names) for variant in RECIPES[name].variants})
    if unknown := sorted(set(given.variant) - set(offered)):
        parser.error(
            f"none of {', '.join(names)} has the variant {', '.join(unknown)}; they have: {', '.join(offered) or 'none'}"
        )
    try:
        if given.lock or given.upgrade:
            for name in given.names or RECIPES:
                lock(RECIPES[name], upgrade=given.upgrade)
            return 0
        check_engine()
        builder = Builder(given.base, given.tag, fresh=given.fresh)
        with alone(), contextlib.closing(builder):
            _build_all(names, given.variant, builder)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _build_all(names: list[str], variants: list[str], builder: Builder) -> None:
    start = time.monotonic()
    order = with_parents(names)
    builder.gather(order)
    for name in order:
        _say(builder.build(name))
        for variant in variants:
            if variant in RECIPES[name].variants:
                _say(builder.build(name, variant))
    print(f"{time.monotonic() - start:.1f} s in all")


def _say(built: Built) -> None:
    how = "unchanged" if built.unchanged else f"built in {built.seconds:.1f} s"
    print(f"{built.tag:28} {built.size / 1e6:6.0f} MB  {how}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""report.html of a reconstruction: verdict, measures, photographs beside the part, in one file without requests."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import cv2
import numpy as np

from core.colour import srgb_from_linear
from core.files import write_text
from flawsmith.history_chart import losses
from flawsmith.rerender import Gap
from recon.bake import Maps
from recon.capture.model import Capture
from recon.confidence import seen_share
from recon.model_files import eight_bits
from recon.result import Reconstruction
from recon.strips import TIMES, Strip, panel, shown
from recon.verdict import Reason, Verdict

NAME = "report.html"
TONES = {"accepted": "accepted", "accepted with": "with", "refused": "refused"}
MAP_PX = 420
UNITS = {"deg": "°", "db": " dB", "px": " px"}


class Story(NamedTuple):
    """Everything that the page tells. strips: by number of the view. cycles: pictures of the GLB, by number, or none.
    measured: of the maps, see `recon.strips.texture_measures`. gaps: of the pictures in `cycles`."""

    capture: Capture
    found: Reconstruction
    verdict: Verdict
    maps: Maps
    measured: Mapping[str, Any]
    strips: Mapping[int, Strip]
    cycles: Mapping[int, np.ndarray]
    gaps: Sequence[Gap]
    made_by: str


def write_report(folder: Path, story: Story) -> Path:
    """Write the page into the folder and return its path."""
    write_text(folder / NAME, page(story))
    return folder / NAME


def page(story: Story) -> str:
    """The whole page."""
    template = (Path(__file__).parent / "templates" / "reconstruction.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(_words(story.capture.name)),
        subtitle=escape(_subtitle(story)),
        tone=TONES[story.verdict.outcome],
        verdict=_verdict(story.verdict),
        facts=_facts(story),
        measures=_measures(story.verdict.measures),
        losses=losses(story.found.history),
        notes=_notes(story.capture.notes),
        legend=escape(_legend(story)),
        columns=_columns(story),
        strips="".join(_row(number, story) for number in story.strips),
        maps=_maps(story.maps),
        light=_light(story),
        cycles=_cycles(story.gaps),
        footer=escape(_footer(story)),
    )


def _subtitle(story: Story) -> str:
    capture, found = story.capture, story.found
    extent = np.ptp(found.vertices, axis=0)
    size = " × ".join(f"{v * (1e3 if capture.metric else 1):.4g}" for v in extent)
    unit = f"mm ({capture.scale_from})" if capture.metric else "units of the capture, whose scale is not known"
    stood = "the part turned under lamps that stood still" if capture.light == "room" else "the part lay still"
    return f"{size} {unit}. {len(found.faces)} triangles from {len(capture.training)} photographs; {stood}."


def _verdict(verdict: Verdict) -> str:
    head = f"<h2>{escape(verdict.outcome.capitalize())}</h2>"
    if not verdict.reasons:
        return f"{head}<p class='key'>Nothing speaks against using this part.</p>"
    titles = "<tr><th>what</th><th>found</th><th class='n'>measured</th><th class='n'>limit</th><th>next step</th></tr>"
    ordered = sorted(verdict.reasons, key=lambda r: r.weight != "refuse")
    return f"{head}<table>{titles}{''.join(_reason(r) for r in ordered)}</table>"


def _reason(reason: Reason) -> str:
    weight = "refused for it" if reason.weight == "refuse" else "to be kept in mind"
    return (
        f"<tr><td>{escape(reason.subject)}, {weight}</td><td>{escape(reason.said)}</td>"
        f"<td class='n'>{_number(reason.measured)}</td><td class='n'>{reason.limit:.4g}</td>"
        f"<td>{escape(reason.next_step)}</td></tr>"
    )


def _facts(story: Story) -> str:
    measures, found = story.verdict.measures, story.found
    unseen = 1 - seen_share(found, views=1)
    values = [
        (_decibel(measures.get("held_out_psnr_db")), "on photographs kept apart"),
        (_decibel(story.measured.get("held_out_maps_db")), "the same, with maps, full size"),
        (_number(measures.get("seen_share", 1 - unseen), ".0%"), "seen by two views or more"),
        (f"{unseen:.0%}", "seen by none: closed, not measured"),
        (f"{float(np.median(found.roughness)):.2f}, {float(np.median(found.metallic)):.2f}", "roughness, metallic"),
        (f"{float(found.facts.get('seconds', 0)):.0f} s", f"fit, preset {_preset(found)}"),
    ]
    return "".join(f"<div class='fact'><b>{escape(n)}</b><span>{escape(what)}</span></div>" for n, what in values)


def _preset(found: Reconstruction) -> str:
    return str(found.facts.get("settings", {}).get("name", "unknown"))


def _measures(measures: Mapping[str, float | None]) -> str:
    return "".join(f"<div><span>{escape(n)}</span><b>{escape(v)}</b></div>" for n, v in map(_measure, measures.items()))


def _measure(item: tuple[str, float | None]) -> tuple[str, str]:
    """Name and value as a person reads them: units leave the name."""
    name, value = item
    words = name.split("_")
    unit = UNITS.get(words[-1], "")
    return " ".join(words[:-1] if unit else words).replace("iou", "overlap"), _number(value, unit=unit)


def _notes(notes: Sequence[str]) -> str:
    return f"<p class='key'>{escape('; '.join(notes))}</p>" if notes else ""


def _legend(story: Story) -> str:
    text = (
        f"Views spread over the capture. Difference: re-render against photograph, {TIMES} times as bright. Normals: "
        "camera frame, red to the right, green up, blue to the camera. Confidence: black where no photograph counts."
    )
    return text + (" Cycles: part.glb under environment.exr." if story.cycles else "")


def _columns(story: Story) -> str:
    names = [name for name, _ in panel(next(iter(story.strips.values())))] if story.strips else []
    names += ["Cycles"] if story.cycles else []
    heads = "".join(f"<th>{escape(n)}</th>" for n in ["view", *names])
    return f"<colgroup><col class='name'>{'<col>' * len(names)}</colgroup><thead><tr>{heads}</tr></thead>"


def _row(number: int, story: Story) -> str:
    one = story.strips[number]
    tag = "<span class='tag'>kept apart</span><br>" if one.held_out else ""
    said = f"<b>{escape(one.name.rsplit('/', 1)[-1])}</b>{tag}{one.psnr_db:.1f} dB"
    cells = [f"<td class='name'>{said}</td>"]
    cells += [f"<td>{_image(image, f'{name} of {one.name}')}</td>" for name, image in panel(one)]
    if number in story.cycles:
        cells.append(f"<td>{_image(shown(story.cycles[number], one), f'Cycles, {one.name}')}</td>")
    elif story.cycles:
        cells.append("<td></td>")
    return f"<tr>{''.join(cells)}</tr>"


def _maps(maps: Maps) -> str:
    covered = maps.atlas.covered
    dim = np.where(covered[..., None], srgb_from_linear(maps.albedo), 0.15)
    trust = np.repeat(np.where(covered, maps.confidence, 0.15)[..., None], 3, axis=2)
    share = f"{maps.facts['photographed_share']:.0%} of it from photographs"
    said = (("albedo", dim, f"albedo.png, {maps.atlas.size} px, {share}"), ("confidence", trust, "confidence.png"))
    return "".join(
        f"<figure>{_image(_small(image), name)}<figcaption>{escape(caption)}</figcaption></figure>"
        for name, image, caption in said
    )


def _light(story: Story) -> str:
    light = story.found.environment[:, ::-1]
    bright = max(float(np.percentile(light.max(-1), 99.5)), 1e-9)
    picture = eight_bits(srgb_from_linear(light / bright))
    picture = np.asarray(cv2.resize(picture, (560, 280), interpolation=cv2.INTER_LINEAR))
    caption = (
        "environment.exr: the room from the table, up at the top, +X in the middle and +Y a quarter to its left, as "
        f"Blender has it; white is radiance {bright:.3g}, brightest {float(light.max()):.3g}."
    )
    return f"<figure class='wide'>{_image(picture, 'environment')}<figcaption>{escape(caption)}</figcaption></figure>"


def _cycles(gaps: Sequence[Gap]) -> str:
    if not gaps:
        return ""
    heads = ("view", "to photo", "to fit", "fit to photo")
    titles = "".join(f"<th{' class=n' if i else ''}>{h}</th>" for i, h in enumerate(heads))
    rows = [(g.view.rsplit("/", 1)[-1] + (" (apart)" if g.held_out else ""), *g[2:]) for g in gaps]
    rows.append(("mean", *np.mean([g[2:] for g in gaps], axis=0).tolist()))
    body = "".join(
        f"<tr><td>{escape(str(r[0]))}</td>{''.join(f'<td class=n>{v:.1f} dB</td>' for v in r[1:])}</tr>" for r in rows
    )
    caption = (
        "part.glb under environment.exr, where the cameras stood: PSNR in sRGB over the photograph's mask, to the "
        "photograph and to the fit's own picture; beside it what the fit's own picture reaches."
    )
    return (
        f"<div class='panel'><h2>Rendered again by Cycles</h2><table><tr>{titles}</tr>{body}</table>"
        f"<p class='key'>{caption}</p></div>"
    )


def _footer(story: Story) -> str:
    facts = story.found.facts
    stopped = ", stopped early" if facts.get("stopped_early") else ""
    return (
        f"{story.made_by}. Seed {facts.get('seed', 0)}, {facts.get('steps', 0)} steps{stopped}, capture "
        f"{story.capture.sha256[:16]}. A refused part is written to be looked at, not to be used."
    )


def _decibel(value: float | None) -> str:
    return "none" if value is None or not np.isfinite(value) else f"{value:.1f} dB"


def _number(value: float | None, shown: str = ".4g", unit: str = "") -> str:
    return "not measured" if value is None else f"{value:{shown}}{unit}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _small(image: np.ndarray) -> np.ndarray:
    side = min(MAP_PX, image.shape[0])
    return np.asarray(cv2.resize(eight_bits(image), (side, side), interpolation=cv2.INTER_AREA))


def _image(rgb: np.ndarray, what: str) -> str:
    data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    text = base64.b64encode(data.tobytes()).decode("ascii")
    return f"<img src='data:image/jpeg;base64,{text}' alt='{escape(what)}'>"

"""glTF 2.0 materials as looks: metallic-roughness factors, their images, and the texture coordinates they use.

Material model and texture coordinates (origin at the upper left): glTF 2.0 specification, 3.8 and 3.9;
KHR_texture_transform and EXT_texture_webp as their own texts have them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import numpy as np

from core.errors import InputError
from core.texture import PbrMaps, Wrap
from parts.container import Container, beside
from parts.images import Budget, decoded
from parts.skin import Look, Skin

WRAPS: dict[int, Wrap] = {10497: "repeat", 33071: "extend", 33648: "mirror"}
REPEAT: Wrap = "repeat"
LEFT_OUT = ("occlusionTexture", "emissiveTexture")


@dataclass
class Painter:
    """Reads each material and image once, when a triangle needs it. InputError for images outside the folder."""

    box: Container
    budget: Budget = field(default_factory=Budget)
    looks: dict[int, Look] = field(default_factory=dict)
    _images: dict[int, np.ndarray] = field(default_factory=dict)
    _maps: dict[tuple, PbrMaps] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for entry in self.box.items("images"):
            uri = entry.get("uri")
            if uri is not None and not str(uri).startswith("data:"):
                beside(self.box.folder, unquote(str(uri)), self.box.name)

    def look(self, index: int) -> Look:
        if index not in self.looks:
            self.looks[index] = self._look(index)
        return self.looks[index]

    def coordinates(self, primitive: dict[str, Any], points: int) -> np.ndarray:
        """(points, 2) uv of one primitive, origin at the lower left, NaN without; KHR_texture_transform applied."""
        entry = self._leading(primitive.get("material"))
        extra = _extra(entry)
        name = f"TEXCOORD_{extra.get('texCoord', entry.get('texCoord', 0))}"
        if not entry or name not in primitive.get("attributes", {}):
            return np.full((points, 2), np.nan)
        uv = self.box.accessor(primitive["attributes"][name]).astype(np.float64)
        if uv.shape != (points, 2):
            raise self.box.broken(f"{name} and POSITION differ in length")
        return _moved(uv, extra) * [1.0, -1.0] + [0.0, 1.0]

    def tint(self, primitive: dict[str, Any], points: int) -> np.ndarray:
        """(points, 3) linear vertex colours, white without."""
        if "COLOR_0" not in primitive.get("attributes", {}):
            return np.ones((points, 3))
        colour = self.box.accessor(primitive["attributes"]["COLOR_0"]).astype(np.float64)
        if len(colour) != points or colour.shape[1] not in (3, 4) or not np.isfinite(colour).all():
            raise self.box.broken("COLOR_0 is malformed")
        return np.clip(colour[:, :3], 0.0, 1.0)

    def skin(self, material: np.ndarray, uv: np.ndarray, tint: np.ndarray) -> Skin | None:
        """None where the file has neither materials nor vertex colours."""
        used = [int(i) for i in np.unique(material) if i >= 0]
        if not used and (tint == 1).all():
            return None
        looks = tuple(self.look(i) for i in used)
        place = np.full(max(used, default=-1) + 2, -1)
        place[used] = np.arange(len(used))
        return Skin(looks, place[material], uv, None if (tint == 1).all() else tint)

    def _leading(self, material: Any) -> dict[str, Any]:
        """The texture whose coordinates all of a material's images are looked up by."""
        if material is None:
            return {}
        return next(iter(_textures(self.box.item("materials", material)).values()), {})

    def _look(self, index: int) -> Look:
        entry = self.box.item("materials", index)
        name = str(entry.get("name", f"material_{index}"))
        model = entry.get("pbrMetallicRoughness", {})
        try:
            tint = np.array(model.get("baseColorFactor", [1.0] * 4), float)[:3]
            roughness, metallic = float(model.get("roughnessFactor", 1.0)), float(model.get("metallicFactor", 1.0))
            if tint.shape != (3,) or not np.isfinite([*tint, roughness, metallic]).all():
                raise ValueError("a factor is not finite")
        except (TypeError, ValueError) as error:
            raise self.box.broken(f"material '{name}' is malformed") from error
        maps, faults, notes = self._read(entry, name)
        r, g, b = np.clip(tint, 0.0, 1.0).tolist()
        shine = np.clip([roughness, metallic], 0.0, 1.0).tolist()
        return Look(name, (r, g, b), shine[0], shine[1], maps, tuple(faults), tuple(notes))

    def _read(self, entry: dict[str, Any], name: str) -> tuple[PbrMaps | None, list[str], list[str]]:
        textures, images, faults, notes = _textures(entry), {}, [], []
        leading = self._leading_of(textures)
        for kind, texture in textures.items():
            if self._leading_of({kind: texture}) != leading:
                faults.append(f"material '{name}': its {kind} image has texture coordinates of its own")
                continue
            try:
                images[kind] = self._image(texture, f"the {kind} image of material '{name}'")
            except InputError as error:
                faults.append(f"{error.given}: expected {error.expected}")
        notes += [f"material '{name}': {k} is left out" for k in LEFT_OUT if k in entry]
        if entry.get("alphaMode", "OPAQUE") != "OPAQUE":
            notes.append(f"material '{name}' is shown opaque")
        if not images:
            return None, faults, notes
        first = next(iter(textures.values()))
        wrap, note = self._wrap(first, name)
        scale = float(textures.get("normal", {}).get("scale", 1.0))
        return self._shared(images, scale if "normal" in images else 1.0, wrap), faults, notes + note

    def _leading_of(self, textures: dict[str, dict[str, Any]]) -> tuple:
        """What decides where a texture lies: its set of coordinates and its transform."""
        entry = next(iter(textures.values()), {})
        extra = _extra(entry)
        return extra.get("texCoord", entry.get("texCoord", 0)), *(
            str(extra.get(k)) for k in ("offset", "rotation", "scale")
        )

    def _shared(self, images: dict[str, np.ndarray], scale: float, wrap: Wrap) -> PbrMaps:
        """One PbrMaps for all materials with the same images."""
        key = (*((k, id(v)) for k, v in images.items()), scale, wrap)
        if key not in self._maps:
            shine = images.get("metallic-roughness")
            gloss = None if shine is None else shine[..., 1:]
            self._maps[key] = PbrMaps(images.get("base colour"), gloss, images.get("normal"), scale, wrap)
        return self._maps[key]

    def _image(self, texture: dict[str, Any], what: str) -> np.ndarray:
        entry = self.box.item("textures", texture.get("index", -1))
        source = entry.get("source", entry.get("extensions", {}).get("EXT_texture_webp", {}).get("source"))
        if source is None:
            raise InputError(f"{what} is compressed for a graphics card", "PNG, JPEG or WebP", "export it again")
        if source not in self._images:
            self._images[source] = decoded(self._bytes(source, what), what, self.budget)
        return self._images[source]

    def _bytes(self, index: int, what: str) -> bytes:
        entry = self.box.item("images", index)
        uri = entry.get("uri")
        if uri is None:
            return self.box.view(entry.get("bufferView", -1))
        if uri.startswith("data:"):
            return self.box.inline(uri)
        path = beside(self.box.folder, unquote(uri), self.box.name)
        if not path.is_file():
            raise InputError(f"{what}, '{uri}', is missing", "the image beside the model", "add that file")
        self.box.files.append(path)
        return path.read_bytes()

    def _wrap(self, texture: dict[str, Any], name: str) -> tuple[Wrap, list[str]]:
        entry = self.box.item("textures", texture.get("index", -1))
        sampler = self.box.item("samplers", entry["sampler"]) if "sampler" in entry else {}
        s, t = WRAPS.get(sampler.get("wrapS", 10497), REPEAT), WRAPS.get(sampler.get("wrapT", 10497), REPEAT)
        return s, [] if s == t else [f"material '{name}': its image is taken to {s} both ways"]


def _textures(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What a material's images are for -> texture reference, the base colour first."""
    model = entry.get("pbrMetallicRoughness", {})
    found = {
        "base colour": model.get("baseColorTexture"),
        "metallic-roughness": model.get("metallicRoughnessTexture"),
        "normal": entry.get("normalTexture"),
    }
    return {k: v for k, v in found.items() if isinstance(v, dict)}


def _extra(texture: dict[str, Any]) -> dict[str, Any]:
    return texture.get("extensions", {}).get("KHR_texture_transform", {})


def _moved(uv: np.ndarray, extra: dict[str, Any]) -> np.ndarray:
    """KHR_texture_transform: scale, then turn, then offset, in coordinates with the origin at the upper left."""
    scale, offset = np.array(extra.get("scale", [1, 1]), float), np.array(extra.get("offset", [0, 0]), float)
    angle = float(extra.get("rotation", 0.0))
    c, s = np.cos(angle), np.sin(angle)
    return uv * scale @ np.array([[c, -s], [s, c]]) + offset

"""glTF 2.0 -> Raw: the node tree with its transforms, names, colours, and B-rep faces when the kernel wrote it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from core.errors import GeometryError, InputError
from parts.container import Container, open_gltf
from parts.gltf_looks import Painter
from parts.limits import refuse_many_faces
from parts.raw import Raw, distinct
from parts.units import Scale, Unit, metres_of

BREP = "TM_brep_faces"
_NAMELESS = re.compile(r"NAUO\d+|=>\[.*\]|SOLID|COMPOUND|COMPSOLID|SHELL|FACE")
Z_UP_FROM_Y_UP = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])


@dataclass
class _Gathered:
    """Arrays of the instances met so far, in the order of the node tree. painter: None when no looks are asked for."""

    painter: Painter | None
    vertices: list[np.ndarray] = field(default_factory=list)
    faces: list[np.ndarray] = field(default_factory=list)
    normals: list[np.ndarray] = field(default_factory=list)
    solid: list[np.ndarray] = field(default_factory=list)
    cad_face: list[np.ndarray] = field(default_factory=list)
    material: list[np.ndarray] = field(default_factory=list)
    uv: list[np.ndarray] = field(default_factory=list)
    tint: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    groups: dict[str, list[int]] = field(default_factory=dict)
    size: int = 0
    next_cad_face: int = 0


def read_gltf(data: bytes, name: str, folder: Path | None, max_faces: int, cad: bool = False) -> Raw:
    """Metres (glTF's own unit). cad: written by the CAD kernel: normals are exact, axes are those of the CAD file;
    otherwise glTF's +Y up is turned to +Z up.
    """
    box = open_gltf(data, name, folder)
    roots = _roots(box)
    refuse_many_faces(_count(box, roots, max_faces), name, max_faces)
    gathered = _Gathered(None if cad else Painter(box))
    start = np.eye(4) if cad else Z_UP_FROM_Y_UP
    title = Path(name).stem
    tree = tuple(t for r in roots if (t := _walk(box, r, start, gathered, (), title, cad)) is not None)
    if not gathered.faces:
        raise InputError(f"{name} holds no triangles", "at least one surface", "export the solid, not curves or points")
    colours, lookup = _colours(box)
    material = np.concatenate(gathered.material)
    names = distinct(gathered.names)
    painter = gathered.painter
    skin = painter.skin(material, np.concatenate(gathered.uv), np.concatenate(gathered.tint)) if painter else None
    return Raw(
        vertices=np.concatenate(gathered.vertices),
        faces=np.concatenate(gathered.faces),
        normals=np.concatenate(gathered.normals) if cad else None,
        solid=np.concatenate(gathered.solid),
        solid_names=names,
        cad_face=np.concatenate(gathered.cad_face),
        colour=np.where(material >= 0, lookup[material], -1),
        colours=colours,
        material=None if cad else material,
        material_names=()
        if cad
        else tuple(str(m.get("name", f"material_{i}")) for i, m in enumerate(box.items("materials"))),
        groups={n: tuple(s) for n, s in gathered.groups.items()},
        tree=tree,
        files=tuple(box.files),
        notes=tuple(n for k in (skin.looks if skin else ()) for n in (*k.notes, *k.faults)),
        skin=skin,
    )


def _roots(box: Container) -> list[int]:
    scenes = box.items("scenes")
    if scenes:
        return list(box.item("scenes", box.json.get("scene", 0)).get("nodes", []))
    children = {c for n in box.items("nodes") for c in n.get("children", [])}
    return [i for i in range(len(box.items("nodes"))) if i not in children]


def _count(box: Container, roots: list[int], max_faces: int) -> int:
    """Triangles of all instances, from accessor counts alone: known before anything is read."""
    total, stack, steps = 0, list(roots), 0
    while stack and total <= max_faces:
        steps += 1
        if steps > 1_000_000:
            raise box.broken("its node tree has a cycle")
        node = box.item("nodes", stack.pop())
        stack.extend(node.get("children", []))
        if "mesh" in node:
            for primitive in box.item("meshes", node["mesh"]).get("primitives", []):
                index = primitive.get("indices", primitive.get("attributes", {}).get("POSITION"))
                count = box.item("accessors", index).get("count", 0) if index is not None else 0
                total += count // 3 if primitive.get("mode", 4) == 4 else max(count - 2, 0)
    return total


def _walk(
    box: Container, index: int, parent: np.ndarray, out: _Gathered, above: tuple[int, ...], parent_name: str, cad: bool
) -> dict[str, Any] | None:
    """Gather a node and its children; the node as a dict for the tree, None when nothing under it has triangles."""
    if index in above or len(above) > 200:
        raise box.broken("its node tree has a cycle")
    node = box.item("nodes", index)
    placed = parent @ _matrix(box, node)
    first = len(out.names)
    entry: dict[str, Any] = {"name": _node_name(box, node, parent_name)}
    if "mesh" in node:
        solid = _instance(box, node["mesh"], placed, str(entry["name"]), out, cad)
        if solid is not None:
            entry["solid"] = solid
    below = [_walk(box, c, placed, out, (*above, index), str(entry["name"]), cad) for c in node.get("children", [])]
    if children := [b for b in below if b is not None]:
        entry["children"] = children
    inside = list(range(first, len(out.names)))
    if inside and children:
        out.groups.setdefault(str(entry["name"]), []).extend(i for i in inside)
    return entry if inside else None


def _node_name(box: Container, node: dict[str, Any], above: str) -> str:
    """The node's name; where that is only a number of the CAD kernel the mesh's, and failing that the one above it."""
    names = [str(node.get("name", "")).strip()]
    if "mesh" in node:
        names.append(str(box.item("meshes", node["mesh"]).get("name", "")).strip())
    return next((n for n in names if n and not _NAMELESS.fullmatch(n)), above)


def _matrix(box: Container, node: dict[str, Any]) -> np.ndarray:
    try:
        if "matrix" in node:
            matrix = _finite(node["matrix"]).reshape(4, 4).T
        else:
            x, y, z, w = _finite(node.get("rotation", [0, 0, 0, 1]))
            turn = np.array(
                [
                    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
                ]
            )
            matrix = np.eye(4)
            matrix[:3, :3] = turn @ np.diag(_finite(node.get("scale", [1, 1, 1])).reshape(3))
            matrix[:3, 3] = _finite(node.get("translation", [0, 0, 0])).reshape(3)
    except (TypeError, ValueError) as error:
        raise box.broken("a node's transform is malformed") from error
    return matrix


def _finite(value: Any) -> np.ndarray:
    """Numbers as float64; ValueError when one is NaN or infinite."""
    array = np.array(value, float)
    if not np.isfinite(array).all():
        raise ValueError("not finite")
    return array


def _instance(box: Container, mesh: int, placed: np.ndarray, name: str, out: _Gathered, cad: bool) -> int | None:
    """Add one placed mesh as one solid; its number, or None when it has no triangles."""
    solid, found = len(out.names), False
    linear = placed[:3, :3]
    mirrored = np.linalg.det(linear) < 0
    cofactor = np.linalg.inv(linear).T if abs(np.linalg.det(linear)) > 1e-30 else np.eye(3)
    for primitive in box.item("meshes", mesh).get("primitives", []):
        faces, points, normals, cad_face = _primitive(box, primitive, cad)
        if not len(faces):
            continue
        found = True
        out.vertices.append(points @ linear.T + placed[:3, 3])
        turned = (normals @ cofactor.T)[faces]
        order = [0, 2, 1] if mirrored else [0, 1, 2]
        out.faces.append(faces[:, order] + out.size)
        length = np.linalg.norm(turned, axis=2, keepdims=True)
        out.normals.append(np.divide(turned, length, out=np.zeros_like(turned), where=length > 1e-12)[:, order])
        out.size += len(points)
        out.solid.append(np.full(len(faces), solid))
        out.cad_face.append(np.where(cad_face >= 0, cad_face + out.next_cad_face, -1))
        out.next_cad_face += int(cad_face.max(initial=-1)) + 1
        if "material" in primitive:
            box.item("materials", primitive["material"])
        out.material.append(np.full(len(faces), primitive.get("material", -1)))
        if out.painter:
            out.uv.append(out.painter.coordinates(primitive, len(points))[faces][:, order])
            out.tint.append(out.painter.tint(primitive, len(points))[faces][:, order])
    if found:
        out.names.append(name)
    return solid if found else None


def _primitive(
    box: Container, primitive: dict[str, Any], cad: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """faces (f, 3), points (p, 3), normals (p, 3; zero where absent), cad_face (f,)."""
    attributes, mode = primitive.get("attributes", {}), primitive.get("mode", 4)
    if mode not in (4, 5, 6) or "POSITION" not in attributes:
        empty = np.zeros((0, 3))
        return empty.astype(int), empty, empty, np.zeros(0, int)
    points = box.accessor(attributes["POSITION"]).astype(np.float64)
    flat = (
        box.accessor(primitive["indices"])[:, 0].astype(np.int64) if "indices" in primitive else np.arange(len(points))
    )
    if len(flat) and flat.max() >= len(points):
        raise box.broken("a triangle names a vertex that does not exist")
    if points.shape[1] != 3:
        raise box.broken("POSITION is not three numbers a vertex")
    bad = int((~np.isfinite(points)).any(1).sum())
    if bad:
        raise GeometryError(
            f"{box.name} has {bad} vertices that are NaN or infinite", "finite coordinates", "repair it"
        )
    faces = _triangles(flat, mode)
    normals = box.accessor(attributes["NORMAL"]).astype(np.float64) if "NORMAL" in attributes else np.zeros_like(points)
    if normals.shape != points.shape:
        raise box.broken("NORMAL and POSITION differ in length")
    cad_face = _cad_faces(box, primitive, faces, len(points)) if cad else np.full(len(faces), -1)
    return faces, points, normals, cad_face


def _cad_faces(box: Container, primitive: dict[str, Any], faces: np.ndarray, points: int) -> np.ndarray:
    """(f,) number of the B-rep face inside this primitive.

    cascadio 0.1.1 numbers the faces of the first primitive (colour) of a mesh only. The kernel's writer gives each
    B-rep face vertices of its own, so in the others a face is what hangs together by vertex numbers.
    """
    brep = primitive.get("extensions", {}).get(BREP, {})
    if "faceIndices" in brep:
        numbers = box.accessor(brep["faceIndices"])[:, 0].astype(np.int64)
        if len(numbers) == len(faces):
            return numbers
    links = coo_array((np.ones(2 * len(faces)), (faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel())), (points, points))
    labels = connected_components(links, directed=False)[1][faces[:, 0]]
    return np.unique(labels, return_inverse=True)[1]


def _triangles(flat: np.ndarray, mode: int) -> np.ndarray:
    if mode == 4:
        return flat[: len(flat) // 3 * 3].reshape(-1, 3)
    count = max(len(flat) - 2, 0)
    i = np.arange(count)
    if mode == 6:
        return (
            np.stack([np.zeros(count, int) + flat[0], flat[i + 1], flat[i + 2]], 1) if count else flat[:0].reshape(0, 3)
        )
    odd = i % 2
    return np.stack([flat[i], flat[i + 1 + odd], flat[i + 2 - odd]], 1)


def _colours(box: Container) -> tuple[tuple[tuple[float, float, float], ...], np.ndarray]:
    """Distinct base colours (linear RGB) and, for each material, the index of its colour."""
    table: dict[tuple[float, float, float], int] = {}
    lookup = []
    for material in box.items("materials"):
        factor = material.get("pbrMetallicRoughness", {}).get("baseColorFactor", [1, 1, 1, 1])
        r, g, b = (round(float(v), 6) for v in factor[:3])
        lookup.append(table.setdefault((r, g, b), len(table)))
    return tuple(table), np.array([*lookup, -1])


def read_file(path: Path, unit: Unit | None, max_faces: int) -> tuple[Raw, Scale]:
    """A .glb or .gltf of a person: metres by the specification, +Y up turned to +Z up."""
    raw = read_gltf(path.read_bytes(), path.name, path.parent, max_faces)
    if unit is None:
        return raw, Scale(1.0, "m", "format")
    metres, name = metres_of(unit)
    notes = () if metres == 1.0 else (f"glTF is in metres, but unit {name} was given and used",)
    return raw, Scale(metres, name, "given", notes)

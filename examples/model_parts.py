"""The two example parts, modelled in code and stored as STEP with names and face colours.

    python examples/model_parts.py            # writes examples/parts/*.step; needs the extra `model`

Colours tell what made a face, so that a recipe can say "machined faces only": MACHINED for faces that a cutter
touched, CAST for the raw skin of the casting, GROUND for the bearing seats of the shaft. All lengths in millimetres.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import cadquery as cq
from OCP.IFSelect import IFSelect_ReturnStatus
from OCP.Interface import Interface_Static
from OCP.Quantity import Quantity_Color, Quantity_TOC_sRGB
from OCP.STEPCAFControl import STEPCAFControl_Writer
from OCP.STEPControl import STEPControl_AsIs
from OCP.TCollection import TCollection_ExtendedString
from OCP.TDataStd import TDataStd_Name
from OCP.TDocStd import TDocStd_Document
from OCP.XCAFDoc import XCAFDoc_ColorSurf, XCAFDoc_DocumentTool

MACHINED = "#b4b8bc"
CAST = "#585b5e"
GROUND = "#d6dade"


def housing_casting() -> cq.Workplane:
    """The raw casting of the housing: flange, drafted hub, four ribs, lubrication boss, spigot, all skin rounded."""
    flange = cq.Workplane("XY").workplane(offset=-1).rect(120, 120).extrude(14).edges("|Z").fillet(18)
    body = flange.union(cq.Workplane("XY").workplane(offset=4).circle(42).extrude(47, taper=3))
    for angle in (0, 90, 180, 270):
        profile = [(20, 6), (57, 6), (57, 10), (38.5, 44), (20, 44)]
        rib = cq.Workplane("XZ").polyline(profile).close().extrude(5, both=True)
        body = body.union(rib.rotate((0, 0, 0), (0, 0, 1), angle))
    boss = cq.Workplane(_radial_plane(20, 27)).circle(8).extrude(26.5)
    body = body.union(boss)
    soft = [e for e in body.edges().vals() if _is_skin_edge(e)]
    body = body.newObject(soft).fillet(2.5)
    return body.union(cq.Workplane("XY").circle(41).extrude(-3.5))


def _radial_plane(distance: float, height: float) -> cq.Plane:
    """A plane square to the 45 degree direction, `distance` from the bore's axis."""
    out = cq.Vector(math.cos(math.pi / 4), math.sin(math.pi / 4), 0)
    return cq.Plane(origin=out * distance + cq.Vector(0, 0, height), xDir=(0, 0, 1), normal=out)


def _is_skin_edge(edge: cq.Edge) -> bool:
    """Edges of the casting that the foundry rounds: not the parting edge below, not what is machined off later."""
    box = edge.BoundingBox()
    boss_end = edge.geomType() == "CIRCLE" and abs(edge.Length() - 16 * math.pi) < 0.1
    flange_corner = abs(box.zmax - 13) < 0.1 and box.zmin < 0
    return not (box.zmin > 50 or box.zmax < 12.9 or flange_corner or boss_end)


def bearing_housing() -> tuple[cq.Shape, list[str]]:
    """A four-bolt flanged housing for a 6205 bearing (52 mm outside, 15 mm wide), sand cast and machined.

    Machined: mounting face and spigot, bearing seat with shoulder and ring groove, seal seat, hub face with four
    M5 cover holes, spot-faced bolt holes, dowel holes, lubrication hole. Returns the solid and a colour for each face.
    """
    casting = housing_casting()
    part = casting.intersect(cq.Workplane("XY").workplane(offset=-3).rect(300, 300).extrude(53))
    part = part.cut(cq.Workplane("XY").rect(300, 300).circle(40).extrude(-10))
    seal = [(0, -9), (24.5, -9), (24.5, -3), (23.5, -2), (23.5, 5), (20, 5)]
    seat = [(20, 32), (26, 32), (26, 47), (27.5, 47), (27.5, 48.8), (26, 48.8), (26, 49.2), (26.8, 50), (26.8, 59)]
    part = part.cut(_revolved([*seal, *seat, (0, 59)]))
    for x, y in [(44, 44), (-44, 44), (-44, -44), (44, -44)]:
        part = part.cut(_drill((x, y, 12), 22, -40)).cut(_drill((x, y, -5), 11, -40))
        part = part.cut(_countersink((x, y, 0), 12, up=False)).cut(_countersink((x, y, 12), 12.4, up=True))
    for angle in (0, 90, 180, 270):
        x, y = 33.5 * math.cos(math.radians(angle)), 33.5 * math.sin(math.radians(angle))
        part = part.cut(_blind((x, y, 50), 4.2, 13)).cut(_countersink((x, y, 50), 5.4, up=True))
    for x, y in [(52, -20), (-52, 20)]:
        part = part.cut(_drill((x, y, -1), 6, -10)).cut(_countersink((x, y, 0), 7, up=False))
    part = part.cut(cq.Workplane(_radial_plane(10, 27)).circle(2.5).extrude(60))
    part = part.cut(cq.Workplane(_radial_plane(37, 27)).circle(3.5).extrude(60))
    part = part.cut(cq.Workplane(_radial_plane(46, 27)).circle(10).extrude(9))
    rims = [e for e in part.edges().vals() if e.geomType() == "CIRCLE" and e.Length() > 230]
    part = part.newObject([e for e in rims if e.BoundingBox().zmax < -2.9 or e.BoundingBox().zmin > 49.9]).chamfer(1)
    return part.val(), [CAST if _on_skin(f, casting.val()) else MACHINED for f in part.val().Faces()]


def _revolved(profile: list[tuple[float, float]]) -> cq.Workplane:
    """A solid of revolution about z from (radius, z) points."""
    return cq.Workplane("XZ").polyline(profile).close().revolve(360, (0, 0, 0), (0, 1, 0))


def _drill(at: tuple[float, float, float], diameter: float, depth: float) -> cq.Workplane:
    """A cylinder along z: the cutter starts at `at` and goes up by -depth (or down when depth is positive)."""
    return cq.Workplane("XY").workplane(offset=at[2]).center(at[0], at[1]).circle(diameter / 2).extrude(-depth)


def _blind(at: tuple[float, float, float], diameter: float, depth: float) -> cq.Workplane:
    """A drilled blind hole, downwards from `at`, with the 118 degree cone of a twist drill at its end."""
    r, tip = diameter / 2, diameter / 2 / math.tan(math.radians(59))
    return _revolved([(0, 1), (r, 1), (r, -depth), (0, -depth - tip)]).translate(at)


def _countersink(at: tuple[float, float, float], diameter: float, up: bool) -> cq.Workplane:
    """A 90 degree countersink that is `diameter` wide at `at`, opening upwards or downwards."""
    r, sign = diameter / 2, 1 if up else -1
    return _revolved([(0, -r * sign), (r + 1, sign), (0, sign)]).translate(at)


def _on_skin(face: cq.Face, casting: cq.Shape) -> bool:
    """Whether a face of the machined part is still skin of the casting: no point of it lies off that skin."""
    skin = cq.Shell.makeShell(casting.Faces()) if len(casting.Shells()) != 1 else casting.Shells()[0]
    points, _ = face.tessellate(0.5, 0.5)
    points = points[:: max(1, len(points) // 16)]
    return all(cq.Vertex.makeVertex(*p.toTuple()).distance(skin) < 1e-3 for p in points)


def stepped_shaft() -> tuple[cq.Shape, list[str]]:
    """A turned shaft of 140 mm for the same bearing: two ground 25 mm seats with undercuts, a collar, a drive end with
    keyway and retaining-ring groove, wrench flats, a locknut end with runout groove, centre holes. Lies along x on the
    xy plane.

    Returns the solid and a colour for each face.
    """
    outline = [(0, 0), (0, 9), (1, 10), (26, 10), (26, 9.5)]  # drive end, 20 mm
    outline += [(27.3, 9.5), (27.3, 10), (34, 10), (34, 11.8), (34.7, 12.5)]  # ring groove; first seat, 25 mm
    outline += [(51, 12.5), (51.5, 12.2), (53, 12.2), (53, 16.2), (53.8, 17)]  # undercut; collar, 34 mm
    outline += [(67.2, 17), (68, 16.2), (68, 15), (82, 15), (82, 12.2)]  # collar ends; 30 mm; undercut
    outline += [(83.5, 12.2), (84, 12.5), (99.3, 12.5), (100, 11.8), (100, 11)]  # second seat
    outline += [(116, 11), (116, 8.4), (119, 8.4), (119.8, 10), (138.5, 10), (140, 8.5), (140, 0)]  # locknut end, 20 mm
    shaft = cq.Workplane("XY").polyline(outline).close().revolve(360, (0, 0, 0), (1, 0, 0))
    key = cq.Workplane("XY").workplane(offset=6.5).center(13.5, 0).slot2D(19, 6).extrude(10)
    shaft = shaft.cut(key)
    flats = cq.Workplane("XZ").center(108, 0).rect(11, 40).extrude(20).translate((0, -9.5, 0))
    shaft = shaft.cut(flats).cut(flats.mirror("XZ"))
    centre = cq.Workplane("XY").polyline([(-1, 0), (-1, 5.08), (4, 2.2), (4, 2), (8.5, 2), (9.7, 0)]).close()
    hole = centre.revolve(360, (0, 0, 0), (1, 0, 0))
    shaft = shaft.cut(hole).cut(hole.mirror("YZ").translate((140, 0, 0)))
    part = shaft.translate((-70, 0, 17)).val()
    return part, [GROUND if _is_seat(f) else MACHINED for f in part.Faces()]


def _is_seat(face: cq.Face) -> bool:
    """The two ground bearing seats: cylinders of 25 mm."""
    box = face.BoundingBox()
    return face.geomType() == "CYLINDER" and abs(box.zlen - 25) < 0.01


def write_step(shape: cq.Shape, colours: list[str], name: str, path: Path) -> None:
    """STEP AP214 in millimetres with the product's name and a surface colour for each face; no date in the header."""
    document = TDocStd_Document(TCollection_ExtendedString("XmlOcaf"))
    shapes = XCAFDoc_DocumentTool.ShapeTool_s(document.Main())
    paint = XCAFDoc_DocumentTool.ColorTool_s(document.Main())
    label = shapes.AddShape(shape.wrapped, False)
    TDataStd_Name.Set_s(label, TCollection_ExtendedString(name))
    for face, colour in zip(shape.Faces(), colours, strict=True):
        r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        part = shapes.AddSubShape(label, face.wrapped)
        paint.SetColor(part, Quantity_Color(r, g, b, Quantity_TOC_sRGB), XCAFDoc_ColorSurf)
    writer = STEPCAFControl_Writer()
    Interface_Static.SetCVal_s("write.step.schema", "AP214IS")
    Interface_Static.SetCVal_s("write.step.product.name", name)
    Interface_Static.SetCVal_s("write.step.unit", "MM")
    writer.SetColorMode(True)
    writer.SetNameMode(True)
    if not writer.Transfer(document, STEPControl_AsIs):
        raise RuntimeError(f"STEP transfer of {name} failed")
    if writer.Write(str(path)) != IFSelect_ReturnStatus.IFSelect_RetDone:
        raise RuntimeError(f"cannot write {path}")
    header = re.compile(r"FILE_NAME\(.*?\);", re.DOTALL)
    entry = f"FILE_NAME('{name}','2026-01-01T00:00:00',(''),('Flawsmith'),'','','');"
    path.write_text(header.sub(entry, path.read_text(), count=1))


def main(folder: Path) -> None:
    """Write both parts into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, build in (("bearing_housing", bearing_housing), ("stepped_shaft", stepped_shaft)):
        shape, colours = build()
        if not shape.isValid():
            raise RuntimeError(f"{name} is not a valid solid")
        write_step(shape, colours, name, folder / f"{name}.step")
        print(f"{name}: {shape.Volume() / 1000:.1f} cm3, {len(colours)} faces, {len(set(colours))} colours")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "parts")

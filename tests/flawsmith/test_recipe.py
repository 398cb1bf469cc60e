"""Recipes: what is wrong is named, what is right has a hash that does not depend on where it lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from core.errors import InputError, RecipeError
from core.seeds import child
from flawsmith.recipe import Recipe, whole
from flawsmith.resolve import library_names, resolve

FACET = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
STL = f"solid t\n{FACET}endsolid t\n".encode()
MATERIAL = {
    "name": "bare", "version": 1, "text": "Bare steel.", "process": "as drawn",
    "surface": {"albedo": [0.5, 0.5, 0.5], "metallic": 1.0, "roughness": 0.3},
}  # fmt: skip


def written(**changes: object) -> dict:
    return {
        "part": {"path": "part.stl", "unit": "mm"},
        "material": MATERIAL,
        "blueprints": ["scratch_hairline", {"name": "dent_soft", "weight": 3}],
        "station": "dome",
        "camera": "area_5mp_25mm",
        "viewpoint": "look_at_defect",
        "images": 4,
    } | changes


def recipe_file(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.stl").write_bytes(STL)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(written(**changes)))
    return folder / "recipe.yaml"


def test_a_plain_recipe_resolves_to_the_contents_of_what_it_names(tmp_path: Path) -> None:
    resolved = resolve(Recipe.load(recipe_file(tmp_path)))
    assert resolved.recipe.name == "recipe"
    assert resolved.part_path == tmp_path / "part.stl"
    assert [e.blueprint.name for e in resolved.blueprints] == ["scratch_hairline", "dent_soft"]
    assert resolved.stations[0].name == "dome" and resolved.materials[0].process == "as drawn"
    assert resolved.viewpoints[0].kind == "look_at_defect"
    assert resolved.content["station"][0]["lamps"], "contents, not names"
    assert str(tmp_path) not in str(resolved.content)


@pytest.mark.parametrize(
    ("change", "key", "near"),
    [
        ({"imagse": 4}, "'imagse'", "'images'"),
        ({"part": {"path": "part.stl", "units": "mm"}}, "'part.units'", "'unit'"),
        ({"blueprints": [{"name": "dent_soft", "wieght": 2}]}, "wieght", "'weight'"),
        ({"viewpoint": {"kind": "fixed", "elevation": 3}}, "elevation", "'elevation_deg'"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path, change: dict, key: str, near: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.load(recipe_file(tmp_path, **change))
    assert key in str(caught.value) and f"did you mean {near}" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": 0}, "greater than or equal to 1"),
        ({"size_px": 4}, "size_px must lie within"),
        ({"good_fraction": 1.5}, "less than or equal to 1"),
        ({"defects_per_image": -1}, "cannot be negative"),
        ({"blueprints": []}, "expected at least 1"),
        ({"part": {"path": "part.stl", "regions": "planar"}}, "'part.regions' is 'planar': expected a list"),
        ({"blueprints": [{"name": "dent_soft", "weight": 0}]}, "weight above 0"),
        ({"defects_per_image": {"uniform": [3, 1]}}, "low <= high"),
        ({"outputs": ["clean"], "twin": "none"}, "needs twin"),
        ({"outputs": ["smell"]}, "is 'smell': expected 'images16', 'clean'"),
        ({"samples": 0}, "greater than or equal to 1"),
        ({"viewpoint": "look_at_defct"}, "'viewpoint.0' is 'look_at_defct'.*did you mean 'look_at_defect'"),
        ({"name": "../away"}, "a plain name, without slashes"),
        ({"name": "a/b"}, "a plain name, without slashes"),
        ({"name": ".."}, "without a dot in front"),
    ],
)
def test_impossible_values_are_refused(tmp_path: Path, change: dict, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        Recipe.load(recipe_file(tmp_path, **change))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    path = recipe_file(tmp_path)
    path.write_text(path.read_text().replace("station:", "#station:"))
    with pytest.raises(RecipeError, match="the key 'station' is missing: expected a value for it; add 'station'"):
        Recipe.load(path)


def test_unknown_library_names_are_refused_with_the_nearest(tmp_path: Path) -> None:
    for key, value, near in (
        ("station", "dom", "dome"),
        ("camera", "area_5mp_25m", "area_5mp_25mm"),
        ("blueprints", ["scratch_hairlin"], "scratch_hairline"),
        ("backdrop", "papr", "paper"),
    ):
        with pytest.raises(RecipeError, match=f"did you mean '{near}'"):
            resolve(Recipe.load(recipe_file(tmp_path, **{key: value})))


def test_paths_cannot_leave_the_recipe_unless_allowed(tmp_path: Path) -> None:
    (tmp_path / "secret.stl").write_bytes(STL)
    path = recipe_file(tmp_path / "r", part={"path": "../secret.stl", "unit": "mm"})
    with pytest.raises(RecipeError, match="outside the recipe's folder"):
        resolve(Recipe.load(path))
    assert resolve(Recipe.load(path, allow_outside=True)).part_path == tmp_path / "secret.stl"
    (tmp_path / "r" / "link.stl").symlink_to(tmp_path / "secret.stl")
    with pytest.raises(RecipeError, match="outside the recipe's folder"):
        resolve(Recipe.load(recipe_file(tmp_path / "r", part="link.stl")))
    with pytest.raises(RecipeError, match="outside the recipe's folder"):
        resolve(Recipe.load(recipe_file(tmp_path / "r", station="/etc/passwd.yaml")))


def test_missing_files_and_bad_yaml_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"part 'none\.step' does not exist"):
        resolve(Recipe.load(recipe_file(tmp_path, part="none.step")))
    with pytest.raises(InputError, match="does not exist"):
        Recipe.load(tmp_path / "no.yaml")
    (tmp_path / "tag.yaml").write_text("part: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(InputError, match="not YAML"):
        Recipe.load(tmp_path / "tag.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(InputError, match="a YAML mapping"):
        Recipe.load(tmp_path / "list.yaml")


def test_the_hash_is_that_of_the_content(tmp_path: Path) -> None:
    one = resolve(Recipe.load(recipe_file(tmp_path / "a")))
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere" / "b")
    assert resolve(Recipe.load(tmp_path / "elsewhere" / "b" / "recipe.yaml")).sha256 == one.sha256
    same = {"images": 9, "seed": 5, "name": "other", "exports": []}
    assert resolve(Recipe.load(recipe_file(tmp_path / "c", **same))).sha256 == one.sha256
    for change in ({"samples": 8}, {"good_fraction": 0.5}, {"station": "coaxial"}, {"part": {"path": "part.stl"}}):
        assert resolve(Recipe.load(recipe_file(tmp_path / "d", **change))).sha256 != one.sha256
    path = recipe_file(tmp_path / "e")
    (tmp_path / "e" / "part.stl").write_bytes(STL.replace(b"1 0 0", b"2 0 0"))
    assert resolve(Recipe.load(path)).sha256 != one.sha256


def test_a_file_and_the_library_of_the_same_content_hash_alike(tmp_path: Path) -> None:
    from scenes import library

    path = recipe_file(tmp_path, station="my/dome.yaml")
    (tmp_path / "my").mkdir()
    shutil.copy(library.folder("stations") / "dome.yaml", tmp_path / "my" / "dome.yaml")
    assert resolve(Recipe.load(path)).sha256 == resolve(Recipe.load(recipe_file(tmp_path / "b"))).sha256


def test_blueprints_are_drawn_by_weight_and_count(tmp_path: Path) -> None:
    changes = {"good_fraction": 0.25, "defects_per_image": {"integers": [1, 3]}}
    resolved = resolve(Recipe.load(recipe_file(tmp_path, **changes)))
    drawn = [resolved.draw_blueprints(child(1, "image", i)) for i in range(4000)]
    good = sum(not d for d in drawn) / len(drawn)
    sizes = [len(d) for d in drawn if d]
    dents = sum(b.name == "dent_soft" for d in drawn for b in d) / sum(sizes)
    assert good == pytest.approx(0.25, abs=0.025)  # 3.6 sigma of 4000 tosses
    assert set(sizes) == {1, 2, 3} and sum(sizes) / len(sizes) == pytest.approx(2.0, abs=0.05)
    assert dents == pytest.approx(0.75, abs=0.025)
    fixed = resolve(
        Recipe.load(recipe_file(tmp_path, blueprints=[{"name": "dent_soft", "count": 2}, "scratch_hairline"]))
    )
    for i in range(20):
        names = [b.name for b in fixed.draw_blueprints(child(2, "image", i))]
        assert names == ["dent_soft", "dent_soft", "scratch_hairline"]


def test_entries_of_one_list_have_names_of_their_own(tmp_path: Path) -> None:
    nameless = {k: v for k, v in MATERIAL.items() if k not in ("name", "version", "text")}
    resolved = resolve(Recipe.load(recipe_file(tmp_path, material=[nameless, nameless])))
    assert [m.name for m in resolved.materials] == ["inline_1", "inline_2"]
    with pytest.raises(RecipeError, match="two entries of station have the name 'dome'"):
        resolve(Recipe.load(recipe_file(tmp_path, station=["dome", "dome"])))


def test_a_blueprint_of_no_known_kind_is_refused(tmp_path: Path) -> None:
    recipe = Recipe.load(recipe_file(tmp_path))
    with pytest.raises(RecipeError, match="blueprint 'dent_soft' has the kind 'dent'"):
        resolve(recipe, {"scratch": 1}.__getitem__)
    resolve(recipe, {"scratch": 1, "dent": 2}.__getitem__)


def test_too_many_defects_for_an_id_mask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at most 255"):
        resolve(Recipe.load(recipe_file(tmp_path, defects_per_image=300)))


def test_whole_numbers() -> None:
    from core.distributions import Distribution

    assert whole(Distribution(uniform=(0.6, 2.4)), 2.4) == 2
    assert whole(Distribution(constant=0.0), 0.0) == 0


def test_a_recipe_can_be_made_in_python(tmp_path: Path) -> None:
    (tmp_path / "part.stl").write_bytes(STL)
    recipe = Recipe.model_validate(written()).within(tmp_path)
    assert resolve(recipe).part_path == tmp_path / "part.stl"
    assert recipe.most_defects == 1


@pytest.mark.parametrize("folder", ["blueprints", "stations", "cameras", "backdrops"])
def test_the_library_is_there(folder: str) -> None:
    assert library_names(folder)

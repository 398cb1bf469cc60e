"""The child process: reads one JSON request a line, renders, answers in JSON lines.

Request: {"job": path of a RenderJob as JSON, "out": folder, "device": "cpu", "confirm": false}. With confirm, the
labels are answered first as {"labels": files}, and the next line read is "go" or "skip". Last answer: {"ok": true,
"files": {...}, "seconds": {...}, "skipped": false, "device": "CPU", "blender": "4.5.15"} or {"ok": false, "error":
sentence, "trace": text}. Answers go to the original standard output; everything Blender prints goes to standard error.
Runs as `python -m render.blender.worker` with the bpy wheel, or inside a Blender executable with `--background
--python`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

if __package__ in (None, ""):  # started by a Blender executable as a plain file
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    __package__ = "render.blender"

import bpy

from render.blender import device, frames


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    used: dict[str, str] = {}

    def confirm(files: dict) -> bool:
        answers.write(json.dumps({"labels": files}) + "\n")
        return sys.stdin.readline().strip() == "go"

    while line := sys.stdin.readline():
        request = json.loads(line)
        try:
            wanted = request.get("device", "cpu")
            if wanted not in used:
                used[wanted] = device.choose(wanted)
            with open(request["job"], encoding="utf-8") as stream:
                job = json.load(stream)
            answer = frames.render_job(job, request["out"], used[wanted], confirm if request["confirm"] else None)
            answer |= {"ok": True, "device": used[wanted], "blender": bpy.app.version_string}
        except Exception as error:  # the boundary of the process: everything is reported to the parent
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()

"""A Blender child process that takes RenderJobs and answers with the passes of each."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType

from core.errors import RenderError
from core.job import RenderJob

ROOT = Path(__file__).resolve().parents[1]
LOG_LINES = 40
Wanted = Callable[[Mapping[str, Path]], bool]


@dataclass(frozen=True)
class Rendered:
    """files: pass group -> EXR, see `render.blender.frames`. seconds: CPU seconds per group, in the worker."""

    files: Mapping[str, Path]
    seconds: Mapping[str, float]
    device: str
    blender: str
    skipped: bool = False


class Renderer:
    """Context manager of one worker. `blender`: a Blender executable instead of the bpy wheel (None: this Python)."""

    def __init__(self, device: str = "cpu", blender: Path | None = None) -> None:
        self.device, self.blender = device, blender
        self._process: subprocess.Popen[str] | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self.folder = Path(tempfile.mkdtemp(prefix="flawsmith-"))

    def __enter__(self) -> Renderer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the worker and remove its files."""
        self._stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def render(self, job: RenderJob, out: Path, wanted: Wanted | None = None) -> Rendered:
        """Render one job into `out` (a folder). `wanted` sees the label files first and may refuse the picture.

        A worker that dies is started once more, then RenderError.
        """
        out.mkdir(parents=True, exist_ok=True)
        request = out / "job.json"
        request.write_text(job.model_dump_json())
        line = json.dumps({"job": str(request), "out": str(out), "device": self.device, "confirm": wanted is not None})
        answer = self._ask(line, wanted) or self._ask(line, wanted)
        if answer is None:
            raise RenderError(
                f"the Blender worker died twice on '{job.name}'; its last words: {self._words()}",
                "a worker that answers",
                "check memory and `flawsmith doctor`",
            )
        if not answer["ok"]:
            raise RenderError(
                f"job '{job.name}' failed in Blender ({answer['error']})", "a frame", "see docs/render.md"
            )
        return Rendered(
            _paths(answer["files"]), answer["seconds"], answer["device"], answer["blender"], answer["skipped"]
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def _ask(self, line: str, wanted: Wanted | None) -> dict | None:
        """The last answer to a request, or None when the worker died."""
        answer = self._exchange(line)
        if answer is not None and "labels" in answer:
            answer = self._exchange("go" if wanted is None or wanted(_paths(answer["labels"])) else "skip")
        return answer

    def _exchange(self, line: str) -> dict | None:
        process = self._process or self._start()
        assert process.stdin and process.stdout
        try:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            while (answer := process.stdout.readline()) and not answer.startswith("{"):
                self._log.append(answer.rstrip())  # a Blender executable greets before the worker can speak
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._stop()
            return None
        return json.loads(answer)

    def _start(self) -> subprocess.Popen[str]:
        script = str(ROOT / "render" / "blender" / "worker.py")
        if self.blender is None:
            command = [sys.executable, "-m", "render.blender.worker"]
        else:
            command = [str(self.blender), "--background", "--factory-startup", "--disable-autoexec", "--python", script]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise _no_blender(Path(command[0]), str(error)) from error
        Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            self._log.append(line.rstrip())

    def _words(self) -> str:
        return " | ".join(list(self._log)[-3:]) or "none"

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin
        try:
            process.stdin.close()
            process.wait(timeout=5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            process.kill()
            process.wait()


def blender_version(blender: Path) -> str:
    """What an executable calls itself, such as 5.2.0. RenderError when it is not a Blender."""
    try:
        done = subprocess.run([str(blender), "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_blender(blender, str(error)) from error
    said = re.match(r"Blender (\d+\.\d+(?:\.\d+)?)", done.stdout)
    if said is None:
        raise _no_blender(blender, "it does not say which Blender it is")
    return said[1]


def _no_blender(blender: Path, reason: str) -> RenderError:
    return RenderError(
        f"{blender} cannot be used ({reason})", "a Blender executable, 4.5 or 5.2", "give the path of one"
    )


def _paths(files: Mapping[str, str]) -> dict[str, Path]:
    return {name: Path(path) for name, path in files.items()}

"""Times the models in a folder: `python runner.py FOLDER`. Needs numpy and the runtime, and nothing else of ours.

FOLDER has `job.json` and what it names: `models` (files, the first is the reference network), `input` (an .npy file),
`runtime`, `threads`, `precision`, `accelerator`, `graphs`, `seed`, `passes` (least and most), `seconds` (the most for
timing).
Each line of standard output is a JSON object with an `event`:

    fingerprint  the machine, the runtime and its versions, the settings: times are comparable where these are equal
    ready        a model is loaded and has run: its `output`
    pass         every model has been timed once more: seconds of each run, by model, in the order they were run in
    memory       peak memory in bytes of a process that loads and runs one model alone
    energy       joules of one run, by model, or why they are not known
    done

Practice of the field: models are interleaved in a new random order in every pass, with the reference first and last
(drift and other load show there), after a warm-up until times settle, on as many pinned cores as there are threads
(MLPerf inference rules: warm-up, fixed clocks as far as they can be had; torch.utils.benchmark: one thread, many short
blocks; nn-Meter: one process for all models).
"""

from __future__ import annotations

import json
import os
import platform
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # any Python from 3.8 on runs this file
    from collections.abc import Callable, Iterator

    Job = dict[str, Any]
    Run = Callable[[Any], Any]

SETTLED = 0.01  # of a model's shortest time: passes end when no model's still falls by more
SHORTEST = 0.005  # seconds of running that make a sample of a model in a pass, as many runs as that takes
MOST_RUNS = 50
WARM = 30  # runs of a model before it is timed, at most


def say(event: str, **values: Any) -> None:
    """One line for whoever started this."""
    sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
    sys.stdout.flush()


# runtimes: each function loads a model and returns `run(x) -> output` -------------------------------------------------


def load_onnxruntime(path: Path, job: Job) -> Run:
    """ONNX Runtime's CPU or CUDA provider, threads that do not spin while they wait."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = job["threads"], 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[job["accelerator"]]
    if provider not in onnxruntime.get_available_providers():
        raise RuntimeError(f"this ONNX Runtime has no {provider}")
    session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def load_openvino(path: Path, job: Job) -> Run:
    """OpenVINO on the CPU; the precision is set, because it takes bfloat16 by itself where the processor has it."""
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": job["precision"], "PERFORMANCE_HINT": "LATENCY"}
    core = openvino.Core()
    model = core.compile_model(
        core.read_model(str(path)), "CPU", {**hints, "INFERENCE_NUM_THREADS": job["threads"], "NUM_STREAMS": 1}
    )
    request = model.create_infer_request()
    return lambda x: next(iter(request.infer([x]).values()))


def load_torch(path: Path, job: Job, compiled: bool = False) -> Run:
    """An exported program in eager torch, on the CPU or one GPU."""
    import torch

    torch.set_num_threads(job["threads"])
    device = torch.device(job["accelerator"])
    if device.type == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("torch sees no CUDA device here")
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}[job["precision"]]
    program = torch.export.load(str(path)).module().to(device, dtype)
    network: Any = torch.compile(program) if compiled else program
    if device.type == "cuda":
        return on_gpu(network, torch.from_numpy(np.load(path.parent / job["input"])).to(device, dtype), job["graphs"])

    def run(x: Any) -> Any:
        with torch.inference_mode():
            return network(torch.from_numpy(x).to(dtype)).float().numpy()

    return run


def on_gpu(network: Any, given: Any, graphs: bool) -> Run:
    """A network that is timed by the GPU's own clock, input and output left there.

    graphs: its kernels are recorded once as a CUDA graph and then replayed, without Python's time to launch each.
    """
    import torch

    cuda: Any = torch.cuda

    def step() -> Any:
        with torch.inference_mode():
            return network(given)

    if graphs:
        stream = cuda.Stream()  # what is recorded must have run before, and on another stream
        stream.wait_stream(cuda.current_stream())
        with cuda.stream(stream):
            for _ in range(3):
                step()
        cuda.current_stream().wait_stream(stream)
        graph = cuda.CUDAGraph()
        with cuda.graph(graph):
            output = step()

        def step() -> Any:
            graph.replay()
            return output

    def run(x: Any) -> Any:
        given.copy_(torch.from_numpy(x))
        return step().float().cpu().numpy()

    def timed() -> float:
        begin, end = cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)
        begin.record()
        step()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1000

    run.timed = timed  # type: ignore[attr-defined]
    return run


def load_torch_compile(path: Path, job: Job) -> Run:
    """As eager torch, compiled by its own compiler; the first run compiles."""
    return load_torch(path, job, compiled=True)


def load_executorch(path: Path, _: Job) -> Run:
    """ExecuTorch with XNNPACK; it takes its threads from the cores that are pinned."""
    import torch
    from executorch.runtime import Runtime

    # The method is asked of the program each time, which has it ready: without its program it works on freed memory.
    program = Runtime.get().load_program(path.read_bytes())
    return lambda x: program.load_method("forward").execute([torch.from_numpy(x)])[0].numpy()


def load_litert(path: Path, job: Job) -> Run:
    """LiteRT (TensorFlow Lite) with XNNPACK."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=job["threads"])
    interpreter.allocate_tensors()
    given, told = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(x: Any) -> Any:
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        return interpreter.get_tensor(told)

    return run


LOADERS = {
    "onnxruntime": load_onnxruntime,
    "openvino": load_openvino,
    "torch": load_torch,
    "torch-compile": load_torch_compile,
    "executorch": load_executorch,
    "litert": load_litert,
}
PACKAGES = {
    "onnxruntime": ("onnxruntime",),
    "openvino": ("openvino",),
    "torch": ("torch",),
    "torch-compile": ("torch",),
    "executorch": ("executorch", "torch"),
    "litert": ("ai-edge-litert",),
}


# the machine ----------------------------------------------------------------------------------------------------------


def fingerprint(job: Job, cores: list[int]) -> dict[str, Any]:
    """What times depend on; `clock` is told beside it, because it may change from minute to minute."""
    return {
        "processor": processor(),
        "machine": platform.machine(),
        "system": platform.system() + " " + platform.release(),
        "cores": os.cpu_count(),
        "pinned": len(cores),
        "python": platform.python_version(),
        "runtime": job["runtime"],
        "versions": {name: version_of(name) for name in (*PACKAGES[job["runtime"]], "numpy")},
        **{name: job[name] for name in ("threads", "batch", "precision", "accelerator", "networks")},
        **gpu(job),
    }


def version_of(package: str) -> str:
    """A package's version; of one that was installed under another name, such as onnxruntime-gpu, its module's."""
    from importlib import import_module, metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return str(getattr(import_module(package.replace("-", "_")), "__version__", "unknown"))


def processor() -> str:
    """The processor's name, as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith(("model name", "hardware"))]
    return named[0] if named else platform.processor() or platform.machine()


def gpu(job: Job) -> dict[str, Any]:
    """The GPU that is timed, where one is."""
    if job["accelerator"] != "cuda" or not job["runtime"].startswith("torch"):
        return {}
    import torch

    return {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda, "graphs": job["graphs"]}


def clock() -> dict[str, str]:
    """Governor and clock in MHz of the first core, where the system tells."""
    folder, told = Path("/sys/devices/system/cpu/cpu0/cpufreq"), {}
    for name in ("scaling_governor", "scaling_cur_freq", "scaling_max_freq"):
        try:
            told[name] = (folder / name).read_text().strip()
        except OSError:
            continue
    return told


def pin(threads: int) -> list[int]:
    """Keep this process on its last cores, one a thread; the cores, or none where the system cannot."""
    try:
        cores = sorted(os.sched_getaffinity(0))[-threads:]
        os.sched_setaffinity(0, cores)
    except (AttributeError, OSError):
        return []
    return cores


# measuring ------------------------------------------------------------------------------------------------------------


def warm_up(run: Run, x: Any) -> float:
    """Run until a run takes no less than one before it did, three times on end; the shortest time."""
    shortest, longer = float("inf"), 0
    for _ in range(WARM):
        seconds = time_one(run, x)
        longer = longer + 1 if seconds >= shortest else 0
        shortest = min(shortest, seconds)
        if longer == 3 or shortest > 1:
            break
    return shortest


def time_one(run: Run, x: Any) -> float:
    """Seconds of one run."""
    if hasattr(run, "timed"):
        return float(run.timed())
    begin = time.perf_counter()
    run(x)
    return round(time.perf_counter() - begin, 8)


def measure(runs: dict[str, Run], x: Any, job: Job) -> bool:
    """Time the models in passes, each of which is told; whether their shortest times settled."""
    counts = {name: max(1, min(MOST_RUNS, round(SHORTEST / warm_up(run, x)))) for name, run in runs.items()}

    def sample(name: str) -> list[float]:
        runs[name](x)  # brings its weights back into the caches
        return [time_one(runs[name], x) for _ in range(counts[name])]

    settled = False
    for number, seconds, calm in passes(list(runs), sample, job):
        settled = calm
        say("pass", number=number, seconds=seconds, clock=clock())
    return settled


def passes(
    names: list[str], sample: Callable[[str], list[float]], job: Job
) -> Iterator[tuple[int, dict[str, list[float]], bool]]:
    """Sample every model in each pass, in a new random order, the first of them first and last, until all are settled.

    Each pass's number, its seconds by model, and whether the shortest times no longer fall; ends there, or where the
    most passes or seconds are used.
    """
    rng = random.Random(job["seed"])
    least, most = job["passes"]
    shortest: dict[str, float] = {}
    calm, begin = 0, time.monotonic()
    for number in range(most):
        seconds: dict[str, list[float]] = {}
        for name in [names[0], *rng.sample(names[1:], len(names) - 1), names[0]]:
            seconds.setdefault(name, []).extend(sample(name))
        fallen = [1 - min(seconds[name]) / shortest[name] for name in names if name in shortest]
        shortest = {name: min(min(seconds[name]), shortest.get(name, float("inf"))) for name in names}
        calm = calm + 1 if fallen and max(fallen) < SETTLED else 0
        yield number, seconds, calm >= 3
        if number + 1 >= least and (calm >= 3 or time.monotonic() - begin > job["seconds"]):
            break


def peak_memory() -> int:
    """Bytes that this process held at most."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def alone(folder: Path, job: Job, name: str) -> None:
    """What a process of its own holds at most to load and run one model, and the energy of a run where it is known."""
    run, x = LOADERS[job["runtime"]](folder / name, job), np.load(folder / job["input"])
    step = getattr(run, "timed", None) or (lambda: run(x))
    meter = energy_meter(job) if job["metered"] else None
    for _ in range(3):
        step()
    before, begin, count = meter() if meter else 0.0, time.monotonic(), 0
    while meter and time.monotonic() - begin < METERED:
        step()
        count += 1
    say("alone", model=name, bytes=peak_memory(), joules=(meter() - before) / count if meter else None)


METERED = 1.0  # seconds: counters of energy are renewed every 1 to 100 ms, and wrap around after minutes to hours
RAPL = Path(os.environ.get("LLMNAS_RAPL", "/sys/class/powercap/intel-rapl:0")) / "energy_uj"


def energy_meter(job: Job) -> Callable[[], float]:
    """Reads the joules used so far by the processor package (RAPL) or the GPU (NVML), idle power included.

    Raises RuntimeError with the reason where they are not known.
    """
    if job["accelerator"] == "cuda":
        return nvml_meter()
    try:
        RAPL.read_text()
    except OSError as error:
        raise RuntimeError(f"the processor's energy counter cannot be read: {RAPL} ({error.strerror})") from None
    return lambda: int(RAPL.read_text()) / 1e6


def nvml_meter() -> Callable[[], float]:
    """Reads the joules that the first visible GPU has used since its driver was loaded."""
    try:
        import pynvml
    except ImportError:
        raise RuntimeError("NVML is read by nvidia-ml-py, which is not installed: pip install nvidia-ml-py") from None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    try:
        pynvml.nvmlInit()
        find = pynvml.nvmlDeviceGetHandleByIndex if visible.isdigit() else pynvml.nvmlDeviceGetHandleByUUID
        handle = find(int(visible) if visible.isdigit() else visible)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        raise RuntimeError(f"NVML does not tell the GPU's energy: {error}") from None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


def main(folder: Path) -> None:
    """Measure what job.json names."""
    job = json.loads((folder / "job.json").read_text())
    cores = pin(job["threads"])
    os.environ.setdefault("OMP_NUM_THREADS", str(job["threads"]))
    if len(sys.argv) > 2:
        alone(folder, job, sys.argv[2])
        return
    say("fingerprint", **fingerprint(job, cores))
    x, runs = np.load(folder / job["input"]), {}
    for name in job["models"]:
        try:
            runs[name] = LOADERS[job["runtime"]](folder / name, job)
            say("ready", model=name, output=np.asarray(runs[name](x), dtype=float).ravel().tolist())
        except Exception as error:  # noqa: BLE001  # a runtime may raise anything
            runs.pop(name, None)
            say("refused", model=name, reason=f"{type(error).__name__}: {error}"[:2000])
    if job["models"][0] not in runs:  # nothing to hold the others against
        say("done", settled=False, energy=None)
        return
    settled = measure(runs, x, job)
    energy = None
    try:
        energy_meter(job)
    except RuntimeError as error:
        energy = str(error)
    (folder / "job.json").write_text(json.dumps({**job, "metered": energy is None}))
    for name in runs:
        one = subprocess.run([sys.executable, __file__, str(folder), name], stdout=subprocess.PIPE, text=True)
        if one.returncode == 0:
            told = json.loads(one.stdout.splitlines()[-1])
            say("alone", model=name, bytes=told["bytes"], joules=told["joules"])
    say("done", settled=settled, energy=energy)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

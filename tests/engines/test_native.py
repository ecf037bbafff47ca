"""The native engine: every layer against NumPy in float64, and what a caller may do with it."""

import os
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from comparison import relative_error
from instruction_sets import BOUNDS, FORMS, SETS, native
from numpy.typing import NDArray
from places import HELPERS
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet import _native, engines
from vggnet.configurations import configuration
from vggnet.engines.native import NativeEngine
from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Spec
from vggnet.weights.rewrite import fully_convolutional
from vggnet.weights.weights import State


def scaled(name: str, **options: object) -> Spec:
    """A configuration with an eighth of its channels, for pictures about as small as it takes."""
    spec = configuration(name)
    return spec.scaled(1 / 8, max(40, spec.minimum_size), 7, **options)  # type: ignore[arg-type]


SPECS = (
    EVERYTHING,
    HEADLESS,
    *(scaled(name) for name in ("A", "A-LRN", "B", "C", "D", "E", "AlexNet", "D-BN")),
    scaled("C", head="average"),
    scaled("AlexNet-BN", head="average"),
)
WIDE = Spec(  # enough channels for several panels, and maps of few and of many tiles
    "wide",
    ("conv3-33 conv3-70", "maxpool", "conv3-130 conv3-96", "maxpool", "FC-50 FC-7 soft-max"),
    input_size=44,
)


def oracle(spec: Spec, state: State) -> ReferenceEngine:
    return ReferenceEngine(spec, {name: array.astype(np.float64) for name, array in state.items()})


def assert_layers(
    spec: Spec, state: State, images: NDArray[np.floating], names: tuple[str, ...], bound: float
) -> None:
    expected = oracle(spec, state).features(images, names)
    found = native(spec, state).features(images, names)
    assert list(found) == list(names)
    for name, values in found.items():
        assert values.dtype == np.float32
        assert relative_error(values, expected[name]) < bound, name


class TestLayers:
    @pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
    def test_every_one(self, spec: Spec) -> None:
        images = random_images(2, spec.input_size, spec.input_size)
        assert_layers(spec, random_state(spec), images, spec.layer_names, BOUNDS["fp32"])

    @pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
    def test_the_same_where_others_are_fused(self, spec: Spec) -> None:
        """Named one by one, all that comes before them is computed as for the logits."""
        engine, state = native(spec, random_state(spec)), random_state(spec)
        images = random_images(2, spec.input_size, spec.input_size)
        expected = oracle(spec, state).features(images, spec.layer_names)
        for name in spec.layer_names:
            (found,) = engine.features(images, [name]).values()
            assert relative_error(found, expected[name]) < BOUNDS["fp32"], name

    @pytest.mark.parametrize(("name", "precision"), FORMS)
    @pytest.mark.parametrize("spec", [EVERYTHING, WIDE, SPECS[6]], ids=lambda spec: spec.name)
    def test_in_every_form(self, spec: Spec, name: str, precision: str) -> None:
        state = random_state(spec)
        engine = native(spec, state, name, precision)
        assert (engine.kernels.name, engine.precision) == (name, precision)
        images = random_images(3, spec.input_size, spec.input_size)
        # A soft-max grows the errors of the logits, which bf16 has plenty of.
        names = [name for name in spec.layer_names if name != "prob" or precision == "fp32"]
        expected = oracle(spec, state).features(images, names)
        for layer, values in engine.features(images, names).items():
            assert relative_error(values, expected[layer]) < BOUNDS[precision], layer

    @pytest.mark.parametrize("spec", [FULLY_CONNECTED, WIDE, SPECS[6]], ids=lambda spec: spec.name)
    def test_of_a_fully_convolutional_net(self, spec: Spec) -> None:
        dense, state = fully_convolutional(spec, random_state(spec))
        images = random_images(2, spec.input_size + 7, spec.input_size + 32)
        assert_layers(dense, state, images, dense.layer_names, BOUNDS["fp32"])

    @pytest.mark.parametrize("size", [(4, 4), (5, 7), (13, 4), (31, 17), (64, 50), (9, 101)])
    def test_at_other_sizes(self, size: tuple[int, int]) -> None:
        images = random_images(2, *size)
        assert_layers(AVERAGE, random_state(AVERAGE), images, AVERAGE.layer_names, BOUNDS["fp32"])

    def test_of_one_step_are_arrays_of_their_own(self) -> None:
        """relu3 and drop3 are one step here; who writes to one must not change the other."""
        engine = native(WIDE, random_state(WIDE))
        found = engine.features(random_images(1, 44, 44), ["relu3", "drop3"])
        assert np.array_equal(found["relu3"], found["drop3"])
        assert not np.shares_memory(found["relu3"], found["drop3"])

    def test_of_the_largest_picture(self) -> None:
        spec = Spec("large", ("conv3-4", "conv3-4", "maxpool", "conv3-5", "maxpool"), 1024)
        assert_layers(spec, random_state(spec), random_images(1, 1024, 1024), ("pool2",), 1e-5)
        taller = random_images(1, 1023, 514)
        assert_layers(spec, random_state(spec), taller, ("conv1_2", "pool2"), 1e-5)

    @pytest.mark.parametrize("spec", [EVERYTHING, WIDE], ids=lambda spec: spec.name)
    def test_those_before_a_relu_hold_negatives(self, spec: Spec) -> None:
        before = [name for name in spec.layer_names if name.startswith(("conv", "bn", "fc"))]
        images = random_images(1, spec.input_size, spec.input_size)
        found = native(spec, random_state(spec)).features(images, spec.layer_names)
        assert all(found[name].min() < 0 for name in before)
        relu = [name for name in spec.layer_names if name.startswith("relu")]
        assert all(found[name].min() == 0 < found[name].max() for name in relu)
        last = "bn1_2" if spec.batch_norm else "conv1_2"
        assert np.array_equal(found["relu1_2"], np.maximum(found[last], 0))

    def test_a_channel_of_large_values_does_not_reach_into_others(self) -> None:
        """Each output channel is as exact as if it were alone: no error is shared by a panel."""
        state = random_state(HEADLESS)
        state["conv2_1.weight"][3] *= 1e6
        images = random_images(1, 16, 16)
        expected = oracle(HEADLESS, state).features(images, ["conv2_1"])["conv2_1"]
        found = native(HEADLESS, state).features(images, ["conv2_1"])["conv2_1"]
        for channel in range(8):
            assert relative_error(found[:, channel], expected[:, channel]) < BOUNDS["fp32"]


class TestImages:
    def test_float64_and_any_strides_are_converted(self) -> None:
        engine = native(WIDE, random_state(WIDE))
        images = random_images(4, 44, 44)
        expected = engine(images)
        assert np.array_equal(engine(images.astype(np.float64)), expected)
        assert np.array_equal(engine(np.asfortranarray(images)), expected)
        assert np.array_equal(engine(images[::-2]), expected[::-2])
        assert np.array_equal(engine(images.astype(">f4")), expected)

    @pytest.mark.parametrize(("name", "precision"), FORMS)
    def test_none_give_no_logits(self, name: str, precision: str) -> None:
        engine = native(WIDE, random_state(WIDE), name, precision, 2)
        assert engine(np.zeros((0, 3, 44, 44))).shape == (0, 7)
        found = engine.features(np.zeros((0, 3, 44, 44)), ["pool1", "prob"])
        assert [values.shape for values in found.values()] == [(0, 70, 22, 22), (0, 7)]

    @pytest.mark.parametrize("num", [1, 2, 7, 65, 130])
    def test_a_picture_s_answer_does_not_depend_on_the_others(self, num: int) -> None:
        engine = native(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
        images = random_images(num, 16, 16)
        alone = np.concatenate([engine(image[None]) for image in images])
        assert np.array_equal(engine(images), alone)

    @pytest.mark.parametrize(("name", "precision"), FORMS)
    def test_large_ones_are_taken_few_at_a_time(self, name: str, precision: str) -> None:
        """Maps beyond the cache: the early steps run over fewer pictures than the late ones."""
        rows = ("conv3-64 conv3-17", "maxpool", "conv3-9 conv3-20", "maxpool", "avgpool FC-7")
        spec = Spec("early", rows, 160)
        state, images = random_state(spec), random_images(5, 160, 130)
        engine = native(spec, state, name, precision, threads=2)
        for names in (("conv1_1", "pool1", "conv2_1", "relu2_1", "fc3"), ("pool2",), ("relu1_1",)):
            expected = oracle(spec, state).features(images, names)
            for layer, values in engine.features(images, names).items():
                assert relative_error(values, expected[layer]) < BOUNDS[precision], layer


class TestPlan:
    """What native/binding.cc refuses, since the kernels would read beyond an array's end."""

    @pytest.fixture(autouse=True)
    def _machine(self) -> None:
        self.kernels, self.workspaces = _native.kernels(SETS[0]), _native.Workspaces(1)

    def plan(self) -> _native.Plan:
        """For 8 x 8 pictures, after a first convolution to 20 channels."""
        weights = self.direct(20, 3, 3)
        return _native.Plan(self.kernels, 8, 8, 16).direct(weights, 1, 1, True, False)

    def direct(self, outputs: int, inputs: int, kernel: int) -> _native.Weights:
        weight, bias = self.arrays(outputs, inputs, kernel, kernel)
        return self.kernels.direct(weight, bias, -(-inputs // 16) * 16, False, self.workspaces)

    def winograd(self, outputs: int, inputs: int, tile: int = 4) -> _native.Weights:
        weight, bias = self.arrays(outputs, inputs, 3, 3)
        return self.kernels.winograd(weight, bias, tile, False, self.workspaces)

    def linear(self, outputs: int, inputs: int) -> _native.Weights:
        return self.kernels.linear(*self.arrays(outputs, inputs), False, self.workspaces)

    def arrays(self, *shape: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return np.zeros(shape, np.float32), np.zeros(shape[0], np.float32)

    def test_takes_weights_that_fit(self) -> None:
        plan = self.plan().winograd(self.winograd(7, 20), True, True, False)
        plan.linear(self.linear(3, 7 * 4 * 4), 4, False).output()
        found = np.ones((1, 3), np.float32)
        plan.run(random_images(1, 8, 8), [found], self.workspaces)
        assert np.array_equal(found, np.zeros((1, 3)))

    def test_refuses_weights_of_something_else(self) -> None:
        faults = {
            "another kind": lambda: self.plan().linear(self.winograd(4, 20), 8, False),
            "each of the map's channels": lambda: self.plan().winograd(
                self.winograd(4, 16), False, False, False
            ),
            "an input for each": lambda: self.plan().linear(self.linear(4, 20 * 7 * 7), 8, False),
            "three numbers": lambda: _native.Plan(self.kernels, 8, 8, 3).winograd(
                self.winograd(4, 3), False, False, False
            ),
            "read pixels of three": lambda: _native.Plan(self.kernels, 8, 8, 3).max_pool(2, 2),
            "pixels of three numbers": lambda: _native.Plan(self.kernels, 8, 8, 3).rectify(),
            "cuts through windows": lambda: self.plan().winograd(
                self.winograd(7, 20, tile=5), True, True, False
            ),
            "another pixel": lambda: _native.Plan(self.kernels, 8, 8, 3).direct(
                self.direct(4, 3, 3), 1, 1, False, False
            ),
            "kernel is larger": lambda: self.plan().direct(
                self.direct(4, 20, 9), 1, 0, True, False
            ),
            "at least 1": lambda: self.plan().direct(self.direct(4, 20, 3), 0, 0, True, False),
        }
        for message, make in faults.items():
            with pytest.raises(ValueError, match=message):
                make()

    @pytest.mark.skipif(len(SETS) < 2, reason="this machine has one instruction set")
    def test_refuses_weights_of_another_instruction_set(self) -> None:
        plan = _native.Plan(_native.kernels(SETS[-1]), 8, 8, 16)
        with pytest.raises(ValueError, match="another instruction set"):
            plan.direct(self.direct(20, 3, 3), 1, 1, True, False)

    @pytest.mark.skipif(SETS[0] == "portable", reason="there is no instruction set without bf16")
    def test_refuses_bf16_where_there_is_none(self) -> None:
        kernels = _native.kernels("portable")
        weights = kernels.direct(*self.arrays(4, 3, 3, 3), 16, False, self.workspaces)
        with pytest.raises(ValueError, match="no bf16"):
            _native.Plan(kernels, 8, 8, 16).direct(weights, 1, 1, True, True)

    def test_refuses_maps_too_large_to_count(self) -> None:
        plan = _native.Plan(self.kernels, 20_000, 20_000, 3)
        weight, bias = self.arrays(64, 3, 3, 3)
        weights = self.kernels.direct(weight, bias, 3, False, self.workspaces)
        with pytest.raises(ValueError, match="20000 x 20000 pixels is too large for the native"):
            plan.direct(weights, 1, 1, True, False)

    def test_refuses_arrays_that_it_would_have_to_copy(self) -> None:
        """An output's copy would be written and thrown away."""
        plan = self.plan().output()
        images = random_images(1, 8, 8)
        for found in (np.zeros((1, 20, 8, 8)), np.zeros((1, 20, 8, 16), np.float32)[..., ::2]):
            with pytest.raises(TypeError, match="incompatible"):
                plan.run(images, [found], self.workspaces)
        with pytest.raises(ValueError, match="wrong size"):
            plan.run(images, [np.zeros((1, 20, 8, 7), np.float32)], self.workspaces)
        for bad in (images[:, :2].copy(), images[..., :7].copy(), images[0]):
            with pytest.raises(ValueError, match="do not have the shape"):
                plan.run(bad, [np.zeros((1, 20, 8, 8), np.float32)], self.workspaces)
            with pytest.raises(ValueError, match="do not have the shape"):
                plan.time_steps(bad, 1, self.workspaces)


class TestRefused:
    @pytest.mark.parametrize("threads", [0, -1])
    def test_no_threads(self, threads: int) -> None:
        with pytest.raises(ValueError, match=f"threads {threads} must be from 1 to 1024"):
            engines.create("native", AVERAGE, random_state(AVERAGE), threads=threads)
        with pytest.raises(ValueError, match="threads must be at least 1"):
            _native.Workspaces(threads)

    @pytest.mark.parametrize("name", ["steam", "AVX2", "neon"])
    def test_an_instruction_set_that_is_not_there(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"VGGNET_ISA: .*'{name}' is not on this") as fault:
            native(AVERAGE, random_state(AVERAGE), name)
        assert "\n" not in str(fault.value)
        assert str(fault.value).endswith(", ".join(SETS))

    @pytest.mark.parametrize(
        ("images", "message"),
        [
            (np.zeros((3, 16, 16)), r"shape \(N, 3, H, W\), not \(3, 16, 16\)"),
            (np.zeros((1, 4, 16, 16)), r"shape \(N, 3, H, W\), not \(1, 4, 16, 16\)"),
            (np.zeros((1, 3, 16, 17)), r"take 16 x 16 pictures, not 16 x 17"),
            (np.zeros((1, 3, 16, 16), np.uint8), r"floating point, not uint8"),
            (np.full((1, 3, 16, 16), -np.inf), r"NaN, infinity"),
        ],
        ids=["dimensions", "channels", "size", "type", "infinity"],
    )
    def test_images(self, images: NDArray, message: str) -> None:
        engine = native(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
        with pytest.raises(ValueError, match=message) as fault:
            engine(images)
        assert "\n" not in str(fault.value)


class TestBf16:
    @pytest.mark.parametrize("name", sorted(set(SETS) & {"avx2", "portable"}))
    def test_falls_back_and_says_so(self, name: str) -> None:
        state, images = random_state(AVERAGE), random_images(2, 16, 16)
        with pytest.warns(UserWarning, match=rf"no products in bf16 \({name}\); fp32 is used"):
            engine = native(AVERAGE, state, name, "bf16")
        assert engine.precision == engine.plan(16, 16).precision == "fp32"
        assert np.array_equal(engine(images), native(AVERAGE, state, name)(images))

    @pytest.mark.skipif(("bf16" not in dict(FORMS).values()), reason="this machine has no bf16")
    def test_is_another_precision(self) -> None:
        state, images = random_state(WIDE), random_images(2, 44, 44)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            engine = native(WIDE, state, precision="bf16")
        error = relative_error(engine(images), native(WIDE, state)(images))
        assert 1e-4 < error < BOUNDS["bf16"]


class TestNotFinite:
    """Engines run what they are given; a NaN must not come out as a number."""

    @pytest.mark.parametrize(("name", "precision"), FORMS)
    @pytest.mark.parametrize("layer", ["conv1_1", "conv2_1", "fc3"])
    def test_a_weight_that_is_no_number_shows(self, layer: str, name: str, precision: str) -> None:
        state, images = random_state(WIDE), random_images(1, 44, 44)
        state[f"{layer}.weight"][3].flat[0] = np.array(0x7FFFFFFF, np.uint32).view(np.float32)
        found = native(WIDE, state, name, precision).features(images, [layer])[layer]
        assert np.isnan(found[0, 3]).any()
        assert np.isfinite(np.delete(found, 3, axis=1)).all()

    @pytest.mark.parametrize("name", SETS)
    @pytest.mark.parametrize("place", range(4))
    def test_a_pool_keeps_it_wherever_it_lies(self, place: int, name: str) -> None:
        images = np.ones((1, 3, 2, 2), np.float32)
        images[0, 1].flat[place] = np.nan
        found = np.zeros((1, 3, 1, 1), np.float32)
        plan = _native.Plan(_native.kernels(name), 2, 2, 16).max_pool(2, 2).output()
        plan.run(images, [found], _native.Workspaces(1))
        assert np.isnan(found.ravel()).tolist() == [False, True, False]


class TestThreads:
    @pytest.mark.parametrize(("name", "precision"), FORMS)
    @pytest.mark.parametrize("num", [1, 5])
    def test_any_number_gives_the_same_bits(self, num: int, name: str, precision: str) -> None:
        state, images = random_state(WIDE), random_images(num, 44, 44)
        names = ["conv1_1", "pool1", "conv2_1", "pool2", "relu3", "fc4"]
        expected = native(WIDE, state, name, precision, 1).features(images, names)
        for threads in (2, 3, 8):
            found = native(WIDE, state, name, precision, threads).features(images, names)
            assert all(np.array_equal(found[each], expected[each]) for each in names)

    def test_by_default_what_the_process_may_use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vggnet.engines.native.usable_cores", lambda: 3)
        assert engines.create("native", AVERAGE, random_state(AVERAGE)).threads == 3

    @pytest.mark.parametrize("threads", [1, 3])
    def test_eight_callers_get_the_bits_of_one(self, threads: int) -> None:
        """Sizes alternate, so that plans are made while others run."""
        state = random_state(AVERAGE)
        sizes = [(16, 16), (33, 20), (64, 64), (17, 90)] * 8
        pictures = [random_images(2, *size, seed) for seed, size in enumerate(sizes)]
        alone = native(AVERAGE, state, threads=threads)
        expected = [alone(images) for images in pictures]
        engine, start = native(AVERAGE, state, threads=threads), threading.Barrier(8)

        def call(caller: int) -> list[bool]:
            start.wait()
            order = [*range(caller, len(pictures)), *range(caller)]
            return [np.array_equal(engine(pictures[i]), expected[i]) for i in order]

        with ThreadPoolExecutor(8) as pool:
            assert all(all(same) for same in pool.map(call, range(8)))

    def test_others_go_on_during_a_call(self) -> None:
        """A thread that has to wait for the interpreter's lock counts while a plan runs."""
        kernels, workspaces = _native.kernels(SETS[0]), _native.Workspaces(1)
        plan = _native.Plan(kernels, 512, 512, 16)
        for _ in range(40):
            plan.rectify()
        images = random_images(1, 512, 512)
        count, done = 0, threading.Event()

        def other() -> None:
            nonlocal count
            while not done.is_set():
                count += 1
                time.sleep(1e-4)  # gives up the lock, which it has to get again to count on

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1000)  # nobody is asked for the lock: it must be given up
        thread = threading.Thread(target=other)
        try:
            thread.start()
            progress = 0
            for _ in range(50):
                before = count
                plan.run(images, [], workspaces)
                progress += count - before
        finally:
            done.set()
            sys.setswitchinterval(interval)
            thread.join()
        assert progress > 0


@pytest.mark.skipif(sys.platform != "linux", reason="looks into Linux's /proc")
class TestThreadsBetweenCalls:
    def engine(self) -> NativeEngine:
        engine = NativeEngine(AVERAGE, random_state(AVERAGE), "fp32", 3)
        images = random_images(4, 64, 64)
        for _ in range(3):
            engine(images)
            self.wait_until_all_sleep()
        engine(images)
        return engine

    def wait_until_all_sleep(self) -> None:
        """Ends the test where a thread that has nothing to do is awake for two minutes."""
        own = str(threading.get_native_id())
        for _ in range(12_000):
            states = {
                task.name: (task / "stat").read_text().rpartition(")")[2].split()[0]
                for task in Path("/proc/self/task").iterdir()
            }
            if set(states.values()) <= {"S"} or [
                name for name in states if states[name] != "S"
            ] == [own]:
                return
            time.sleep(0.01)
        pytest.fail(f"threads are awake: {states}")

    def test_sleep_when_there_is_nothing_to_do(self) -> None:
        engine = self.engine()
        self.wait_until_all_sleep()
        del engine

    def test_may_use_the_cores_that_they_had(self) -> None:
        engine = self.engine()
        for task in Path("/proc/self/task").iterdir():
            assert os.sched_getaffinity(int(task.name)) == os.sched_getaffinity(0)
        del engine


FORK = """
import os, sys
import numpy as np
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from small_nets import AVERAGE, random_images, random_state
from vggnet import engines
from vggnet.engines.native import NativeEngine

engine = NativeEngine(AVERAGE, random_state(AVERAGE), "fp32", 3)
images = random_images(4, 64, 64)
expected = engine(images)

def answer(_):
    return np.array_equal(engine(images), expected)

def callers(num):
    with ThreadPoolExecutor(num) as pool:
        return all(pool.map(answer, range(8 * num)))

def in_child(check):
    global engine
    pid = os.fork()
    if pid == 0:
        good = check()
        del engine  # its threads, or what is left of them, are let go without a fault
        os._exit(0 if good else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def forked(program: str) -> str:
    """What a process prints that has used the engine, forks, and does `program`."""
    ran = subprocess.run(
        [sys.executable, "-c", FORK + program],
        cwd=HELPERS,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return ran.stdout


class TestFork:
    def test_after_use(self) -> None:
        assert forked("print(in_child(lambda: answer(0)), answer(0))") == "0 True\n"

    def test_of_a_child(self) -> None:
        program = "print(in_child(lambda: answer(0) and in_child(lambda: answer(0)) == 0))"
        assert forked(program) == "0\n"

    def test_after_use_by_several_callers(self) -> None:
        program = "print(callers(4), in_child(lambda: callers(4)), callers(4))"
        assert forked(program) == "True 0 True\n"

    def test_by_multiprocessing(self) -> None:
        program = "with get_context('fork').Pool(2) as pool: print(all(pool.map(answer, range(6))))"
        assert forked(program) == "True\n"


LIMITED = """
import os, resource, sys, warnings
import numpy as np
from small_nets import AVERAGE, random_images, random_state
from vggnet.engines.native import NativeEngine

images = random_images(4, 64, 64)
expected = NativeEngine(AVERAGE, random_state(AVERAGE), "fp32", 1)(images)
resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
if os.geteuid() == 0:  # whom no limit holds
    try:
        os.setuid(65534)
    except OSError:
        sys.exit("root has to stay root here")
engine = NativeEngine(AVERAGE, random_state(AVERAGE), "fp32", 4)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(all(np.array_equal(engine(images), expected) for _ in range(3)))
print(*(f"{each.category.__name__}: {each.message}" for each in caught), sep="\\n")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="sets a limit as Linux knows it")
def test_threads_that_the_system_refuses_are_done_without() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED],
        cwd=HELPERS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "root has to stay root" in ran.stderr:
        pytest.skip("root, whom no limit holds, cannot become somebody else here")
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout == (
        "True\n"
        "UserWarning: the system refused 3 of the native engine's 4 threads (see ulimit -u and the "
        "container's limits); it goes on with 1\n"
    )


class TestWeights:
    def packed(self, engine: NativeEngine) -> dict[str, int]:
        return {name: weights.bytes for (name, _), weights in engine._weights.items()}

    def test_fc_arrays_are_used_in_place(self, tmp_path: Path) -> None:
        state = random_state(WIDE)
        for name in ("fc3.weight", "fc4.weight"):
            mapped = np.memmap(tmp_path / name, np.float32, "w+", shape=state[name].shape)
            mapped[:] = state[name]
            mapped.flush()
            state[name] = np.memmap(tmp_path / name, np.float32, "r", shape=mapped.shape)
        engine, images = native(WIDE, state), random_images(1, 44, 44)
        before = engine(images)
        assert {"fc3": 0, "fc4": 0}.items() <= self.packed(engine).items()
        doubled = np.memmap(tmp_path / "fc4.weight", np.float32, "r+", shape=(7, 50))
        doubled *= 2
        doubled.flush()
        bias = state["fc4.bias"]
        assert relative_error(engine(images) - bias, 2 * (before - bias)) < 1e-5

    def test_are_kept_alive(self) -> None:
        """The engine may outlive every other reference to the arrays."""
        state = random_state(WIDE)
        expected = native(WIDE, state)(random_images(1, 44, 44))
        engine = native(WIDE, {name: array.copy() for name, array in state.items()})
        engine.plan(44, 44)
        ((_, plan),) = engine._plans.values()
        del engine
        found = np.empty((1, 7), np.float32)
        plan.run(random_images(1, 44, 44), [found], _native.Workspaces(1))
        assert np.array_equal(found, expected)

    def test_are_transformed_once(self) -> None:
        engine = native(WIDE, random_state(WIDE))
        engine(random_images(1, 44, 44))
        weights = dict(engine._weights)
        engine(random_images(3, 44, 44))
        engine.features(random_images(1, 44, 44), ["conv1_2", "pool2"])
        assert all(engine._weights[key] is packed for key, packed in weights.items())

    def test_above_the_deepest_wanted_layer_are_not_touched(self) -> None:
        engine = native(WIDE, random_state(WIDE))
        engine.features(random_images(1, 44, 44), ["conv1_2"])
        assert set(self.packed(engine)) == {"conv1_1", "conv1_2"}

    @pytest.mark.parametrize("dtype", [np.float64, np.float16])
    def test_of_other_types_are_converted(self, dtype: type) -> None:
        state = {name: array.astype(dtype) for name, array in random_state(AVERAGE).items()}
        images = random_images(2, 16, 16)
        found = native(AVERAGE, state)(images)
        expected = ReferenceEngine(
            AVERAGE, {name: array.astype(np.float64) for name, array in state.items()}
        )(images)
        assert relative_error(found, expected) < BOUNDS["fp32"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_allocated_after_the_first_call_at_a_size() -> None:
    def kilobytes() -> int:
        """Of memory that this process has asked the system for."""
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmData"))

    engine, images = native(WIDE, random_state(WIDE), threads=2), random_images(4, 44, 44)
    batches = [images, images[:2]]
    for batch in batches:
        engine(batch)
    before = kilobytes()
    for _ in range(50):
        for batch in batches:
            engine(batch)
    assert kilobytes() - before < 1024

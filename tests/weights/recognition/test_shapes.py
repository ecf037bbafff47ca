from dataclasses import replace

import pytest
from published_forms import small

from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.weights.recognition.naming import Sketch, Unfit
from vggnet.weights.recognition.shapes import spec_of

Shape = tuple[int, ...]


def drawn(spec: Spec, pooled: bool = True) -> tuple[Sketch, list[Shape], list[Shape]]:
    """A spec's sketch and shapes, as a file gives them."""
    stages: list[list[str]] = [[]]
    kernels, matrices, norms, lrn = [], [], [], set()
    for layer in spec.layers:
        if layer.kind == "conv":
            stages[-1].append(layer.name)
            kernels.append(layer.parameter_shapes["weight"])
        elif layer.kind == "batchnorm":
            norms.append(layer.name)
        elif layer.kind == "lrn":
            lrn.add(stages[-1][-1])
        elif layer.kind == "maxpool" and pooled:
            stages.append([])
        elif layer.kind == "fc":
            matrices.append(layer.parameter_shapes["weight"])
    names = tuple(tuple(stage) for stage in stages if stage)
    fcs = tuple(f"fc{index}" for index in range(len(matrices)))
    return Sketch(names, tuple(norms), fcs, pooled, frozenset(lrn)), kernels, matrices


@pytest.mark.parametrize("name", ["A", "A-LRN", "B", "C", "D", "E", "A-BN", "E-BN"])
@pytest.mark.parametrize("pooled", [True, False])
def test_shapes_of_the_paper_s_nets_give_their_specs(name: str, pooled: bool) -> None:
    for spec in (configuration(name), small(name), small(name, input_size=96)):
        assert spec_of(*drawn(spec, pooled)) == spec


def test_the_first_fc_layer_tells_the_input_size() -> None:
    sketch, kernels, matrices = drawn(small("A", input_size=160))
    assert spec_of(sketch, kernels, matrices).input_size == 160
    assert spec_of(sketch, kernels, [(9, 32 * 4)]).input_size == 64


def test_the_size_that_the_file_states() -> None:
    sketch, kernels, matrices = drawn(small("A", input_size=96))
    for stated, size in ((100, 100), (127, 127), (None, 96), (128, 96), (95, 96)):
        assert spec_of(replace(sketch, input_size=stated), kernels, matrices).input_size == size
    headless = replace(sketch, matrices=())
    for stated, size in ((100, 100), (None, 224)):
        assert spec_of(replace(headless, input_size=stated), kernels, []).input_size == size
    with pytest.raises(Unfit, match="would be 1000001 pixels wide"):
        spec_of(replace(headless, input_size=1_000_001), kernels, [])


def test_without_pools_and_names_only_the_paper_s_nets_are_known() -> None:
    mine = Spec("mine", ("conv3-8", "maxpool", "conv3-9", "maxpool"), 32)
    assert spec_of(*drawn(mine)).tokens == mine.tokens
    with pytest.raises(Unfit, match="nothing tells where the pools are"):
        spec_of(*drawn(mine, pooled=False))


def test_an_average_that_is_known_is_kept_before_several_fc_layers() -> None:
    sketch = Sketch((("a",),), matrices=("b", "c"), average=True)
    spec = spec_of(sketch, [(4, 3, 3, 3)], [(6, 4), (5, 6)])
    assert spec.tokens == ("conv3-4", "maxpool", "avgpool", "FC-6", "FC-5", "soft-max")
    assert spec.input_size == 224


@pytest.mark.parametrize(("kernels", "matrices", "fault"), [
    ([(4, 1, 3, 3)], [], "a takes 1 channels and is given 3"),
    ([(4, 4, 3, 3)], [], "a takes 4 channels and is given 3"),
    ([(4, 3, 11, 11)], [], "a is 11 x 11; a VGG has 3 x 3 and 1 x 1"),
    ([(4, 3, 3, 1)], [], "a is 3 x 1"),
    ([(2_000_000, 3, 1, 1)], [], "a gives 2,000,000 channels"),
    ([(4, 3, 3, 3)], [(5, 12)], "12 numbers, which is no square map of 4 channels"),
    ([(4, 3, 3, 3)], [(5, 16), (7, 6)], "FC layer 2 takes 6 numbers and is given 5"),
    ([(1, 3, 3, 3)], [(5, 10**12)], "would be 2000000 pixels wide"),
    ([(4, 3, 3, 3)], [(2_000_000, 16)], "numbers go up to 1,000,000"),
])  # fmt: skip
def test_shapes_that_do_not_go_together(
    kernels: list[Shape], matrices: list[Shape], fault: str
) -> None:
    sketch = Sketch((("a",),), matrices=tuple(f"fc{i}" for i in range(len(matrices))))
    with pytest.raises(Unfit, match=fault):
        spec_of(sketch, kernels, matrices)

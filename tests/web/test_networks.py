"""What the server says of networks by name or in tokens, against the functions beneath it."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from web_client import problem

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.stacks import KernelStack, compose


def test_all_that_has_a_name_can_be_described(client: Any) -> None:
    named = client.get("/api/networks").json()
    assert {"name": "loaded", "title": "tiny-imagenet"} in named
    assert {"name": "vgg16", "title": "D (vgg16)"} in named
    for each in named:
        assert client.get("/api/describe", params={"config": each["name"]}).status_code == 200


def test_a_description_is_that_of_the_command_line(client: Any) -> None:
    found = client.get("/api/describe", params={"config": "D"}).json()
    assert found == analyze("D").to_json()
    varied = client.get(
        "/api/describe?config=vgg11&input_size=64x96&width=0.5&batch_norm=true&head=average&classes=7"
    ).json()
    spec = configuration("A").scaled(width=0.5, num_classes=7, head="average", batch_norm=True)
    assert varied == analyze(spec, (64, 96)).to_json()


def test_a_size_may_be_written_as_the_page_writes_it(client: Any) -> None:
    asked = {"config": "A", "input_size": " 224×160 "}
    found = client.get("/api/describe", params=asked).json()
    assert found == client.get("/api/describe?config=A&input_size=224x160").json()


def test_the_served_model_is_among_the_configurations(client: Any, embedded_service: Any) -> None:
    found = client.get("/api/describe?config=loaded").json()
    assert found["parameters"] == 7_026_868
    # As it looks at pictures, which is larger than it was trained on.
    assert embedded_service.model.spec.input_size == 80
    assert found == client.get("/api/describe?config=loaded&input_size=104").json()
    other = client.get("/api/describe?config=loaded&head=fc").json()
    assert other["input"] == [3, 80, 80]
    without = client.get("/api/describe?config=A_bn&batch_norm=false").json()
    assert without["parameters"] == analyze("A").parameters


def test_several_networks_are_a_list(client: Any) -> None:
    found = client.get("/api/describe?config=A&config=E").json()
    assert [each["name"] for each in found] == ["A", "E"]
    by_json = client.post("/api/describe", json={"config": ["A", "E"]}).json()
    assert by_json == found
    one = client.post("/api/describe", json={"config": "A", "input_size": 64, "width": 1}).json()
    assert one == client.get("/api/describe?config=A&input_size=64").json()


@pytest.mark.parametrize(
    ("text", "line", "column", "part", "code"),
    [
        ("conv3-64\nmaxpol", 2, 1, "bad token 'maxpol': did you mean maxpool?", "bad-token"),
        ("conv3-64 /\n  conv3-64 maxpool / conv0-3", 2, 22, "bad token 'conv0-3'", "bad-token"),
        ("cnv3-64 / maxpool", 1, 1, "bad token 'cnv3-64'", "bad-token"),
        ("conv3-8 / FC-5 / maxpool", 1, 18, "stands too late", "late-token"),
        ("conv3-8 / soft-max", 1, 11, "needs an FC layer", "early-soft-max"),
        ("conv3-8 / maxpool / conv3-9999999", 1, 21, "numbers go up to", "large-number"),
        ("conv3-8 / maxpool9/9 / maxpool300/1", 1, 24, "is too small", "too-small"),
    ],
)
def test_a_token_at_fault_is_found(
    client: Any, text: str, line: int, column: int, part: str, code: str
) -> None:
    response = client.post("/api/describe", json={"config": text})
    assert part in problem(response, 422)
    assert (response.json()["line"], response.json()["column"]) == (line, column)
    token = text.split("\n")[line - 1][column - 1 :].split()[0]
    meant = {"maxpol": "maxpool", "cnv3-64": "conv3-64"}.get(token)
    assert response.json()["code"] == code
    expected = {"tokens": [{"token": token, "meant": meant}]}
    assert response.json()["values"] == (expected if code == "bad-token" else {"token": token})


def test_every_token_at_fault_is_found(client: Any) -> None:
    text = "conw3-64 conv3-64\nmaxpol mystery"
    response = client.post("/api/describe", json={"config": text})
    assert "did you mean conv3-64, maxpool" in problem(response, 422)
    places = [{"line": 1, "column": 1}, {"line": 2, "column": 1}, {"line": 2, "column": 8}]
    assert response.json()["places"] == places
    meant = {"conw3-64": "conv3-64", "maxpol": "maxpool", "mystery": None}
    found = response.json()["values"]["tokens"]
    assert {each["token"]: each["meant"] for each in found} == meant


@pytest.mark.parametrize("text", ["conv3-8 /\n", "conv3-8 / / FC-5"])
def test_a_slash_that_parts_nothing_has_no_place(client: Any, text: str) -> None:
    response = client.get("/api/describe", params={"config": text})
    assert "bad token '/" in problem(response, 422)
    assert response.json()["code"] == "bad-token"
    assert "places" not in response.json()


def test_a_single_token_is_no_name_where_white_space_follows(client: Any) -> None:
    response = client.get("/api/describe", params={"config": "maxpol\n"})
    assert "bad token 'maxpol'" in problem(response, 422)
    assert response.json()["places"] == [{"line": 1, "column": 1}]
    alone = client.get("/api/describe", params={"config": "conv3-8\n"}).json()
    assert [each["name"] for each in alone["layers"]] == ["conv1_1", "relu1_1"]
    assert "no configuration" in problem(client.get("/api/describe?config=maxpol"), 422)


@pytest.mark.parametrize(
    ("query", "code", "values"),
    [
        ("config=X", "unknown-network", {"network": "X"}),
        ("config=conv3-8&input_size=0", "too-small", {}),
        ("config=maxpool / FC-5", "no-convolution", {}),
        ("config=D&input_size=64x96", "not-square", {}),
        ("config=D&input_size=1000001", "size", {}),
        ("config=conv3-8&input_size=8x1000001", "size", {}),
        ("config=conv3-8&classes=5", "no-head", {}),
        (
            "config=D&classes=0",
            "parameter",
            {"parameter": "classes", "least": 1, "most": 1_000_000},
        ),
        ("config=D&width=101", "parameter", {"parameter": "width", "least": 0.01, "most": 100}),
        ("config=D&classes=x", "parameter", {"parameter": "classes"}),
    ],
)
def test_mistakes_have_names(client: Any, query: str, code: str, values: Any) -> None:
    found = client.get(f"/api/describe?{query}")
    problem(found, 422)
    assert (found.json()["code"], found.json()["values"]) == (code, values)


def test_a_long_list_of_tokens(client: Any) -> None:
    fits = " / ".join(["conv3-8"] * 1000)
    assert len(client.post("/api/describe", json={"config": fits}).json()["layers"]) == 2000
    response = client.post("/api/describe", json={"config": f"{fits} / conv3-8"})
    assert "1001 tokens are more than 1000" in problem(response, 422)
    assert (response.json()["line"], response.json()["column"]) == (1, 10_001)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("config=X", "no configuration 'X'"),
        ("", "parameter config is missing"),
        ("config=", "parameter config, it is empty"),
        ("config=D&confg=D", "no parameter 'confg' is known here"),
        ("config=D&input_size=huge", "give the picture's size in pixels"),
        ("config=D&input_size=64x96", "FC layers take square pictures"),
        ("config=D&width=0", "give a number from 0.01 to 100"),
        ("config=D&width=nan", "give a number from 0.01 to 100"),
        ("config=D&width=x", "'x': give a number"),
        ("config=D&batch_norm=maybe", "give true or false"),
        ("config=D&head=none", "give fc or average"),
        ("config=D&classes=0", "give a number from 1 to"),
        ("config=D&classes=1.5", "give a whole number"),
        ("config=D&classes=" + "9" * 5000, "give a whole number"),
        ("config=D&classes=1&classes=2", "it is given 2 times"),
        ("&".join(["config=A"] * 9), "9 of them: there may be 1 to 8"),
        ("config=/etc/passwd", "no configuration '/etc/passwd'"),
    ],
)
def test_mistakes_in_a_query(client: Any, query: str, part: str) -> None:
    assert part in problem(client.get(f"/api/describe?{query}"), 422)


def test_a_body_that_is_no_object_of_json(client: Any) -> None:
    assert "not JSON" in problem(client.post("/api/describe", content=b"{"), 400)
    deep = client.post("/api/describe", content=b"[" * 100_000)
    assert "not JSON" in problem(deep, 400)
    assert "no object of JSON" in problem(client.post("/api/describe", json=["D"]), 422)
    for bad in ({"config": 5.5}, {"config": "D", "classes": "7"}, {"config": "D", "width": True}):
        assert "parameter" in problem(client.post("/api/describe", json=bad), 422)


def test_the_table_is_that_of_the_drawn_page(client: Any) -> None:
    html = client.get("/api/table?config=A&config=E").json()["html"]
    assert html.count("<table") == 2
    assert 'data-layers="conv5_4" data-network="1"' in html
    assert html == client.post("/api/table", json={"config": ["A", "E"]}).json()["html"]


def test_drawings(client: Any) -> None:
    response = client.get("/api/draw?config=A&config=E")
    assert response.headers["content-type"] == "image/svg+xml"
    assert response.text.startswith("<svg")
    assert "content-disposition" not in response.headers
    # Its colours stand in it, and nothing of it may run.
    policy = response.headers["content-security-policy"]
    assert "script" not in policy
    assert "style-src 'unsafe-inline'; sandbox" in policy
    saved = client.get("/api/draw?config=A&config=E&format=png&download=1")
    assert saved.headers["content-disposition"] == 'attachment; filename="A-and-E.png"'
    assert Image.open(io.BytesIO(saved.content)).format == "PNG"
    page = client.get("/api/draw?config=A&format=html")
    assert page.headers["content-disposition"].startswith("attachment")
    assert page.text.startswith("<!DOCTYPE html>")
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_drawings_and_tables_in_chinese(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = client.get("/api/draw?config=A&language=zh").text
    assert "卷积" in drawn
    assert "卷积" not in client.get("/api/draw?config=A&language=zh&legend=0").text
    page = client.get("/api/draw?config=A&language=zh&format=html").text
    assert '<html lang="zh-Hans">' in page
    assert "感受野" in client.get("/api/table?config=A&language=zh").json()["html"]
    assert "give en or zh" in problem(client.get("/api/table?config=A&language=fr"), 422)
    # Rather than question marks a server without such a font writes English.
    png = "/api/draw?config=A&format=png"
    monkeypatch.setattr("vggnet.web.networks.system_font", lambda _: None)
    assert client.get(f"{png}&language=zh").content == client.get(png).content


def test_a_drawing_that_is_too_large(client: Any) -> None:
    tokens = " / ".join(f"conv3-{number} / maxpool1/1" for number in range(1, 500))
    response = client.get("/api/draw", params={"config": tokens, "format": "png"})
    assert "pixels are too many" in problem(response, 422)


def test_stacks(client: Any) -> None:
    found = client.get("/api/stack?kernels=3,3,3&channels=512").json()
    assert found == KernelStack((3, 3, 3), 512).to_json()
    found = client.get(
        "/api/stack?kernels=5,3&channels=4&out_channels=8&mid_channels=6&size=9"
    ).json()
    assert found == KernelStack((5, 3), 4, 8, 6, (9, 9)).to_json()
    assert "give a whole number" in problem(client.get("/api/stack?kernels=3,x"), 422)
    assert "65 of them" in problem(client.get(f"/api/stack?kernels={','.join('3' * 65)}"), 422)


def test_the_kernel_that_a_stack_equals(client: Any) -> None:
    found = client.get("/api/compose?kernels=3,5&seed=7").json()
    kernels = [np.array(each)[None, None] for each in found["kernels"]]
    assert [each.shape[2:] for each in kernels] == [(3, 3), (5, 5)]
    assert np.allclose(found["composed"], compose(kernels)[0, 0])
    assert found != client.get("/api/compose?kernels=3,5&seed=8").json()

"""The OpenAPI document says what the server takes, and whatever it allows is answered."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from small_nets import AVERAGE
from web_client import small_service

from vggnet.web.app import ENDPOINTS, application
from vggnet.web.openapi import document

SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", application(small_service(AVERAGE)))
EXAMPLES = 25  # of each endpoint
CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
)  # fmt: skip


def test_every_endpoint_stands_in_it(client: Any) -> None:
    found = client.get("/openapi.json").json()
    assert found == document(ENDPOINTS)
    assert found["openapi"] == "3.1.0"
    for each in ENDPOINTS:
        operation = found["paths"][each.path][each.method.lower()]
        assert {"200", "413", "415", "422", "503"} <= set(operation["responses"])
        names = [one["name"] for one in operation.get("parameters", ())]
        if each.takes != "object":
            assert names == [one.name for one in each.parameters]


def test_what_it_says_of_parameters(client: Any) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    by_name = {each["name"]: each for each in paths["/api/stack"]["get"]["parameters"]}
    assert by_name["kernels"]["schema"]["type"] == "array"
    assert by_name["kernels"]["explode"] is False
    assert by_name["kernels"]["required"]
    assert by_name["channels"]["schema"]["default"] == 512
    body = paths["/api/describe"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["config"]
    assert body["properties"]["config"]["maxItems"] == 8


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_whatever_is_asked_is_answered(case: schemathesis.Case) -> None:
    case.call_and_validate(checks=CHECKS)

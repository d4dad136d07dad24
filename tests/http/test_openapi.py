"""GET /openapi.json: the spec of the wire, and whether it says what is so."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from .conftest import (
    COMIC_KEYS,
    EVENT_KEYS,
    FOREIGN_ORIGIN,
    PROBLEM_KEYS,
    PROGRESS_KEYS,
    TASK_KEYS,
    problem,
    show,
)

pytestmark = pytest.mark.parametrize("backend", ["sqlite"])

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
PROBLEM_TYPE = "application/problem+json"
QUERIES = {
    "/tasks/pending": {"limit", "domain", "holding"},
    "/tasks": {"status", "comic", "worker", "limit", "cursor"},
    "/tasks/{}/events": {"limit", "cursor"},
    "/comics": {"limit", "cursor"},
    "/status/batch": {"correlationIds"},
}


@pytest.fixture
def spec(client: FlaskClient) -> Any:
    """The spec as it is served."""
    return show(client, "/openapi.json")


def operations(spec: Any) -> Iterator[tuple[str, str, Any]]:
    """Every address, method and operation."""
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield path, method, operation


def anonymous(path: str) -> str:
    """An address without the names of its parameters."""
    return re.sub(r"[<{][^>}]*[>}]", "{}", path)


def resolved(spec: Any, node: Any) -> Any:
    """What a node is, or what its reference leads to."""
    while isinstance(node, dict) and "$ref" in node:
        reference = node["$ref"]
        assert reference.startswith("#/")
        node = spec
        for step in reference[2:].split("/"):
            assert step in reference
            assert step in node, reference
            node = node[step]
    return node


def references(node: Any) -> Iterator[Any]:
    """Every reference in a document."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from references(inner)


def parameters(spec: Any, path: str, operation: Any) -> list[Any]:
    """The parameters of an operation, those of its address too."""
    shared = spec["paths"][path].get("parameters", [])
    return [resolved(spec, one) for one in (*shared, *operation.get("parameters", []))]


# A valid document


def test_it_is_an_openapi_document(spec: Any) -> None:
    assert re.fullmatch(r"3\.1\.\d+", spec["openapi"])
    assert spec["info"]["title"]
    assert spec["info"]["version"]
    assert set(spec) <= {"openapi", "info", "servers", "paths", "components", "tags", "security", "externalDocs"}


def test_every_reference_leads_somewhere(spec: Any) -> None:
    found = list(references(spec))
    assert found
    for reference in found:
        assert resolved(spec, reference) is not None


def test_no_two_addresses_are_the_same_but_for_the_names_of_their_parameters(spec: Any) -> None:
    paths = [anonymous(path) for path in spec["paths"]]
    assert sorted(paths) == sorted(set(paths))


def test_every_parameter_in_an_address_is_declared_once(spec: Any) -> None:
    for path, method, operation in operations(spec):
        declared = [one for one in parameters(spec, path, operation) if one["in"] == "path"]
        assert sorted(one["name"] for one in declared) == sorted(re.findall(r"{(\w+)}", path)), f"{method} {path}"
        assert all(one["required"] is True for one in declared)


def test_parameters_are_well_formed_and_named_once(spec: Any) -> None:
    for path, method, operation in operations(spec):
        found = parameters(spec, path, operation)
        assert all(one["in"] in ("path", "query", "header", "cookie") for one in found)
        assert all("schema" in one or "content" in one for one in found)
        names = [(one["in"], one["name"]) for one in found]
        assert len(names) == len(set(names)), f"{method} {path}"


def test_operations_are_named_once(spec: Any) -> None:
    names = [operation["operationId"] for _, _, operation in operations(spec) if "operationId" in operation]
    assert len(names) == len(set(names))


def test_every_answer_is_described(spec: Any) -> None:
    for path, method, operation in operations(spec):
        assert operation["summary"], f"{method} {path}"
        assert any(re.fullmatch(r"2\d\d", status) for status in operation["responses"]), f"{method} {path}"
        for status, answer in operation["responses"].items():
            assert re.fullmatch(r"[1-5]\d\d|default", status)
            assert resolved(spec, answer)["description"]


def test_schemas_have_known_types(spec: Any) -> None:
    known = {"string", "integer", "number", "boolean", "array", "object", "null"}
    for name, schema in spec["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            types = value.get("type", [])
            assert set([types] if isinstance(types, str) else types) <= known, f"{name}.{field}"
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), name


# The truth


def test_every_route_is_documented_and_nothing_else(app: Flask, spec: Any) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith(("admin.", "static", "home"))]
    routed = {
        (anonymous(rule.rule), method.lower())
        for rule in rules
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule != "/openapi.json"
    }
    assert {(anonymous(path), method) for path, method, _ in operations(spec)} == routed


def test_every_query_parameter_is_documented(spec: Any) -> None:
    documented = {
        anonymous(path): {one["name"] for one in parameters(spec, path, operation) if one["in"] == "query"}
        for path, method, operation in operations(spec)
        if method == "get"
    }
    for path, names in QUERIES.items():
        assert documented[path] == names, path


def test_every_body_that_is_taken_is_documented(spec: Any) -> None:
    for path, method, operation in operations(spec):
        if method in ("post", "patch"):
            content = operation["requestBody"]["content"]
            texts = {"text/csv", "text/plain"} if path == "/comics/import" else set()
            assert set(content) == {"application/json", *texts}, f"{method} {path}"
            assert content["application/json"]["schema"]


def test_every_answer_has_a_schema(spec: Any) -> None:
    for path, method, operation in operations(spec):
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                content = resolved(spec, answer).get("content", {})
                assert "application/json" in content, f"{method} {path}"
                assert resolved(spec, content["application/json"]["schema"])


def test_every_error_is_a_problem(spec: Any) -> None:
    for path, method, operation in operations(spec):
        errors = {status: one for status, one in operation["responses"].items() if not status.startswith("2")}
        assert errors, f"{method} {path}"
        for status, answer in errors.items():
            if status == "304" or path == "/tasks/pending":
                continue
            content = resolved(spec, answer)["content"]
            assert set(content) == {PROBLEM_TYPE}, f"{method} {path} {status}"
            schema = resolved(spec, content[PROBLEM_TYPE]["schema"])
            assert set(schema["properties"]) >= {*PROBLEM_KEYS, "errors"}


def test_a_refused_poll_is_an_empty_array_with_its_problem_in_a_header(spec: Any) -> None:
    answers = spec["paths"]["/tasks/pending"]["get"]["responses"]
    for status in set(answers) - {"200"}:
        answer = resolved(spec, answers[status])
        assert answer["content"]["application/json"]["schema"] == {"type": "array", "maxItems": 0}
        assert set(answer["headers"]) == {"Problem", "Retry-After"}


def test_every_operation_says_what_any_request_may_be_refused_with(spec: Any) -> None:
    for path, method, operation in operations(spec):
        refusals = {"400", "401", "403", "429", "503", *({"413", "415", "422"} if method != "get" else ())}
        assert refusals <= set(operation["responses"]), f"{method} {path}"
        assert "default" not in operation["responses"], "whatever is answered would be documented"


def test_a_token_is_for_where_accounts_are_on(spec: Any) -> None:
    assert spec["security"] == [{}, {"bearer": []}]
    assert spec["components"]["securitySchemes"]["bearer"] == {"type": "http", "scheme": "bearer"}


def test_a_problem_may_carry_a_directive(spec: Any) -> None:
    schema = spec["components"]["schemas"]["Problem"]
    assert "directive" in schema["properties"] or schema.get("additionalProperties", True) is not False


@pytest.mark.parametrize(
    ("name", "keys"),
    [("Task", TASK_KEYS), ("Comic", COMIC_KEYS), ("Progress", PROGRESS_KEYS), ("Event", EVENT_KEYS)],
)
def test_shapes_are_as_documented(spec: Any, name: str, keys: set[str]) -> None:
    assert set(spec["components"]["schemas"][name]["properties"]) == keys


def test_ids_are_strings_in_every_schema(spec: Any) -> None:
    for name, schema in spec["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            if field == "id" or field.endswith("Id"):
                assert "string" in value.get("type", "string"), f"{name}.{field}"


# Who may read it


def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    problem(client.get("/openapi.json", headers={"Origin": FOREIGN_ORIGIN}), 403)
